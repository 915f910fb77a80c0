"""LRP by transposed layers equals LRP-0 of the engine, and the study's version does not."""

from __future__ import annotations

import nets
import pytest
import torch
from torch import nn

from nn_interpretability import LRP, InputXGradient
from nn_interpretability.errors import ConfigError
from nn_interpretability.models import build_model
from nn_interpretability.study.as_published import PublishedTransposedLRP
from nn_interpretability.study.lrp_transposed import TransposedLRP

IMAGES = nets.uniform(4, 1, 28, 28)


def strided(in_place: bool = False) -> nn.Module:
    """Strides that leave a rest, padding, dilation, groups, and a pool that leaves out the last row."""
    return nets.randomised(
        nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, padding=1),
            nn.ReLU(inplace=in_place),
            nn.Conv2d(4, 6, 3, dilation=2, groups=2),
            nn.ReLU(inplace=in_place),
            nn.MaxPool2d(3),
            nn.Flatten(),
            nn.Linear(54, 10),
        )
    )


def without_flatten(model: nn.Module) -> nn.Module:
    """The same net, whose flattening is no layer of its own."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(layer for layer in model if not isinstance(layer, nn.Flatten))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in self.layers:
                x = layer(x.flatten(1) if isinstance(layer, nn.Linear) else x)
            return x

    return Net()


MODELS = {
    "small_cnn": lambda: nets.small_cnn(study=False),
    "all_conv_cnn": lambda: nets.randomised(build_model("all_conv_cnn")),
    "bias_free_cnn": lambda: nets.randomised(build_model("bias_free_cnn")),
    "strided": lambda: without_flatten(strided()),
    "in place": lambda: without_flatten(strided(in_place=True)),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("target", [3, "all"])
def test_it_equals_lrp_0_and_input_times_gradient(name: str, target: int | str) -> None:
    model = MODELS[name]()
    found = TransposedLRP(model).interpret(IMAGES, target)
    lrp = LRP(model, rule="0").interpret(IMAGES, target)
    assert nets.relative(found.values, lrp.values) < 1e-12
    assert nets.relative(found.values, InputXGradient(model).interpret(IMAGES, target).values) < 1e-12
    assert torch.equal(found.score, lrp.score)


def test_pooling_as_average_equals_proportional_pooling() -> None:
    model = nets.small_cnn(study=False)
    found = TransposedLRP(model, pooling="average").interpret(IMAGES, 3)
    lrp = LRP(model, rule="0", pooling="proportional").interpret(IMAGES, 3)
    assert nets.relative(found.values, lrp.values) < 1e-10


def test_published_averages_are_four_times_as_large_for_each_pool() -> None:
    model = nets.small_cnn(study=False)
    right = TransposedLRP(model, pooling="average").interpret(IMAGES, 3).values
    published = PublishedTransposedLRP(model, pooling="average", random_biases=False).interpret(IMAGES, 3).values
    assert nets.relative(published, 4**2 * right) < 1e-12


def test_published_biases_change_the_map_and_its_sum() -> None:
    model = nets.randomised(build_model("bias_free_cnn"))
    right = TransposedLRP(model).interpret(IMAGES, 3)
    assert float(right.completeness_error.max()) < 1e-10
    runs = [PublishedTransposedLRP(model, seed=seed).interpret(IMAGES, 3) for seed in (0, 0, 1)]
    assert torch.equal(runs[0].values, runs[1].values)
    assert nets.relative(runs[2].values, runs[0].values) > 0.01
    assert all(float(run.completeness_error.min()) > 0.01 for run in runs)
    without = PublishedTransposedLRP(model, random_biases=False).interpret(IMAGES, 3)
    assert torch.equal(without.values, right.values)


def test_biases_are_those_of_new_transposed_layers() -> None:
    model = nets.small_cnn(study=False)
    biases = PublishedTransposedLRP(model)._biases
    for layer, new in (
        (model.features.conv2, nn.ConvTranspose2d(20, 10, 5)),
        (model.classifier.fc1, nn.Linear(50, 320)),
    ):
        assert biases[layer].shape == new.bias.shape
        largest = float(new.bias.detach().abs().max())
        assert 0.5 * largest < float(biases[layer].abs().max()) < 2 * largest


def test_a_layer_without_transpose_is_named() -> None:
    with pytest.raises(ConfigError, match="no transpose of Sigmoid"):
        TransposedLRP(nn.Sequential(nn.Linear(3, 2), nn.Sigmoid()))
    with pytest.raises(ConfigError, match=r"no transpose of MaxPool2d.*stride=1"):
        TransposedLRP(nn.Sequential(nn.MaxPool2d(2, stride=1)))
    with pytest.raises(ConfigError, match="pooling='mean' is not allowed"):
        TransposedLRP(nets.small_cnn(study=False), pooling="mean")


def test_layers_that_run_in_another_order_are_refused() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(self.layer(x))

    with pytest.raises(ConfigError, match="one after the other"):
        TransposedLRP(Twice()).interpret(torch.ones(1, 4), 0)
