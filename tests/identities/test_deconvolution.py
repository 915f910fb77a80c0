"""Deconvolution against the mirrored network of Zeiler and Fergus, built layer by layer."""

from __future__ import annotations

from typing import Any

import nets
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability import Deconvolution
from nn_interpretability.errors import ConfigError

IMAGES = nets.digits(4)
FILTERS = {"features.conv1": 10, "features.conv2": 20}


class Mirror:
    """The study's network upside down: transposed layers, unpooling by switches, ReLU on the reconstruction, no biases.

    Pooling windows of the network do not overlap, so that unpooling by assignment is unambiguous.
    """

    def __init__(self, model: Any, images: Tensor) -> None:
        self.model = model
        weights = model.features
        self.z1 = F.conv2d(images, weights.conv1.weight, weights.conv1.bias)
        pooled1, self.switch1 = F.max_pool2d(self.z1, 2, return_indices=True)
        self.z2 = F.conv2d(F.relu(pooled1), weights.conv2.weight, weights.conv2.bias)
        pooled2, self.switch2 = F.max_pool2d(self.z2, 2, return_indices=True)
        self.logits = model.classifier.fc2(F.relu(model.classifier.fc1(F.relu(pooled2).flatten(1))))

    def to_conv2(self, top: Tensor) -> Tensor:
        """From a signal at the scores to the reconstruction at conv2's output."""
        signal = F.relu(top @ self.model.classifier.fc2.weight) @ self.model.classifier.fc1.weight
        return F.max_unpool2d(F.relu(signal.reshape(-1, 20, 4, 4)), self.switch2, 2, output_size=self.z2.shape[2:])

    def to_conv1(self, signal: Tensor) -> Tensor:
        """From conv2's output to conv1's output."""
        below = F.conv_transpose2d(signal, self.model.features.conv2.weight)
        return F.max_unpool2d(F.relu(below), self.switch1, 2, output_size=self.z1.shape[2:])

    def to_pixels(self, signal: Tensor) -> Tensor:
        return F.conv_transpose2d(signal, self.model.features.conv1.weight)


@pytest.fixture
def mirror() -> Mirror:
    return Mirror(nets.small_cnn().eval().requires_grad_(False), IMAGES)


def one_of(filters: int, kept: int) -> Tensor:
    return torch.eye(filters, dtype=torch.float64)[kept].reshape(1, -1, 1, 1)


@pytest.mark.parametrize("start", ["unit", "logits"])
def test_the_whole_reconstruction_is_that_of_the_mirror(mirror: Mirror, start: Any) -> None:
    found = Deconvolution(mirror.model, start=start, strict=True).interpret(IMAGES)
    top = F.one_hot(mirror.logits.argmax(1), 10).double() if start == "unit" else mirror.logits
    expected = mirror.to_pixels(mirror.to_conv1(mirror.to_conv2(top)))
    assert nets.relative(found.values, expected) < 1e-13
    assert expected.abs().max() > 0


@pytest.mark.parametrize("start", ["unit", "logits"])
@pytest.mark.parametrize("layer", FILTERS)
def test_one_kernel_in_the_way_of_the_whole_signal(mirror: Mirror, layer: str, start: Any) -> None:
    found = Deconvolution(mirror.model, start=start, mode="kernel", layer=layer).interpret(IMAGES)
    top = F.one_hot(mirror.logits.argmax(1), 10).double() if start == "unit" else mirror.logits
    assert found.values.shape == (4, FILTERS[layer], 1, 28, 28)
    assert found.score.shape == (4, FILTERS[layer])
    for kept in range(FILTERS[layer]):
        signal = mirror.to_conv2(top)
        if layer == "features.conv2":
            signal = mirror.to_conv1(signal * one_of(20, kept))
        else:
            signal = mirror.to_conv1(signal) * one_of(10, kept)
        assert (found.values[:, kept] - mirror.to_pixels(signal)).abs().max() < 1e-12 * found.values.abs().max()


@pytest.mark.parametrize("layer", FILTERS)
def test_one_activation_map_projected_down(mirror: Mirror, layer: str) -> None:
    found = Deconvolution(mirror.model, mode="activation", layer=layer).interpret(IMAGES)
    assert found.values.shape == (4, FILTERS[layer], 1, 28, 28)
    output = mirror.z2 if layer == "features.conv2" else mirror.z1
    for kept in range(FILTERS[layer]):
        signal = F.relu(output) * one_of(FILTERS[layer], kept)
        if layer == "features.conv2":
            signal = mirror.to_conv1(signal)
        assert (found.values[:, kept] - mirror.to_pixels(signal)).abs().max() < 1e-12 * found.values.abs().max()
    assert torch.equal(found.score, output.amax((2, 3)))


def test_kernels_of_the_first_layer_add_up_to_the_whole() -> None:
    """Below the first layer all is linear; below the second a ReLU is not."""
    model = nets.small_cnn()
    whole = Deconvolution(model).interpret(IMAGES, 3).values
    first = Deconvolution(model, mode="kernel", layer="features.conv1").interpret(IMAGES, 3).values
    second = Deconvolution(model, mode="kernel", layer="features.conv2").interpret(IMAGES, 3).values
    assert nets.relative(first.sum(1), whole) < 1e-13
    assert nets.relative(second.sum(1), whole) > 1e-2


@pytest.mark.parametrize("mode", ["kernel", "activation"])
@pytest.mark.parametrize("layer", [*FILTERS, "classifier.fc1"])
def test_chunks_do_not_matter(mode: Any, layer: str) -> None:
    explained = Deconvolution(nets.small_cnn(), mode=mode, layer=layer)
    whole = explained.interpret(IMAGES)
    for chunk in (1, 3, 9, 33):
        parts = explained.interpret(IMAGES, chunk=chunk)
        assert nets.relative(parts.values, whole.values) < 1e-12
        assert nets.relative(parts.score, whole.score) < 1e-12


def test_biases_on_the_way_down_are_not_used() -> None:
    """Biases above the last switch change what unit fires, not what is sent down."""
    model = nets.small_cnn()
    before = Deconvolution(model).interpret(IMAGES, 3).values
    model.classifier.fc1.bias.data += 5
    assert torch.equal(Deconvolution(model).interpret(IMAGES, 3).values, before)


def test_a_layer_that_is_used_twice_and_a_batch_norm() -> None:
    def forward(model: Any, images: Tensor) -> Tensor:
        hidden = F.relu_(model.norm(model.conv(images)))
        return model.linear(F.relu_(model.conv(hidden)).mean((2, 3)))

    model = nets.net(forward, conv=nn.Conv2d(2, 2, 3), norm=nn.BatchNorm2d(2), linear=nn.Linear(2, 3)).eval()
    images = nets.uniform(3, 2, 8, 8)
    normed = model.norm(model.conv(images)).detach()
    first = Deconvolution(model, mode="activation", layer="norm").interpret(images)
    assert torch.equal(first.score, normed.amax((2, 3)))
    scale = model.norm.weight / (model.norm.running_var + model.norm.eps).sqrt()
    signal = F.relu(normed) * one_of(2, 1) * scale.reshape(1, -1, 1, 1)
    assert nets.relative(first.values[:, 1], F.conv_transpose2d(signal, model.conv.weight)) < 1e-13
    second = Deconvolution(model, mode="activation", layer="conv#2").interpret(images)
    assert torch.equal(second.score, model.conv(F.relu(normed)).amax((2, 3)))


def test_a_layer_whose_result_is_written_into() -> None:
    def forward(model: Any, images: Tensor) -> Tensor:
        hidden = model.conv(images)
        hidden -= 100
        return model.linear(F.relu(hidden).mean((2, 3)))

    model = nets.net(forward, conv=nn.Conv2d(2, 2, 3), linear=nn.Linear(2, 3))
    images = nets.uniform(3, 2, 8, 8)
    found = Deconvolution(model, mode="activation", layer="conv").interpret(images)
    output = model.conv(images).detach()
    assert torch.equal(found.score, output.amax((2, 3)))
    expected = F.conv_transpose2d(F.relu(output) * one_of(2, 0), model.conv.weight).detach()
    assert nets.relative(found.values[:, 0], expected) < 1e-13


BAD: dict[str, tuple[dict[str, Any], Any, str]] = {
    "start": ({"start": "one"}, None, "start='one' is not allowed: choose 'unit' or 'logits'"),
    "mode": ({"mode": "map", "layer": "features.conv1"}, None, "mode='map' is not allowed"),
    "no layer": ({"mode": "kernel"}, None, "mode='kernel' with layer=None is not allowed"),
    "no mode": ({"layer": "features.conv1"}, None, "mode=None with layer='features.conv1' is not allowed"),
    "start of a map": (
        {"mode": "activation", "layer": "features.conv1", "start": "logits"},
        None,
        "start='logits' is not allowed with mode='activation'",
    ),
    "no such layer": (
        {"mode": "kernel", "layer": "features.con1"},
        None,
        "'features.con1' is no layer .* Did you mean 'features.conv1'. Layers: features.conv1, features.conv2, class",
    ),
    "a target and all logits": ({"start": "logits"}, 3, "A target has no meaning with start='logits'"),
    "a target and a map": (
        {"mode": "activation", "layer": "features.conv1"},
        3,
        "A target has no meaning with mode='activation'",
    ),
    "all targets": ({"mode": "kernel", "layer": "features.conv1"}, "all", "target='all' is not allowed with mode="),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name: str) -> None:
    options, target, words = BAD[name]
    with pytest.raises(ConfigError, match=words):
        Deconvolution(nets.small_cnn(study=False), **options).interpret(IMAGES, target)
