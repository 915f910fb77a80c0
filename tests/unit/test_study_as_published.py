"""The study's DeepLIFT has the defects that its pictures show."""

from __future__ import annotations

from typing import Any

import nets
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability import DeepLIFT, Gradient, InputXGradient
from nn_interpretability.errors import ConfigError
from nn_interpretability.registry import method_entry
from nn_interpretability.study.as_published import PublishedDeepLIFT, TrainingModeLeftOn
from nn_interpretability.study.describe import describe


def saturation(in_place: bool = False) -> nn.Module:
    """1 - relu(1 - a - b), in layers."""
    model = nn.Sequential(nn.Linear(2, 1), nn.ReLU(inplace=in_place), nn.Linear(1, 1)).double()
    model[0].weight.data, model[0].bias.data = -torch.ones(1, 2).double(), torch.ones(1).double()
    model[2].weight.data, model[2].bias.data = -torch.ones(1, 1).double(), torch.ones(1).double()
    return model


@pytest.mark.parametrize("mode", ["rescale", "reveal_cancel"])
def test_saturation_is_not_solved(mode: str) -> None:
    images = torch.ones(1, 2, dtype=torch.float64)
    assert PublishedDeepLIFT(saturation(), mode=mode).interpret(images, 0).values.tolist() == [[0, 0]]
    assert DeepLIFT(saturation()).interpret(images, 0).values.tolist() == [[0.5, 0.5]]


def test_no_rule_is_the_gradient() -> None:
    model, images = nets.small_cnn(), nets.digits(5)
    found = PublishedDeepLIFT(model, mode="no_rule").interpret(images, "all")
    assert nets.relative(found.values, Gradient(model).interpret(images, "all").values) < 1e-13
    assert not found.conserving


def in_place(on: bool) -> Any:
    model = nets.small_cnn(study=False)
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = on
    return model


def test_in_place_relus_make_rescale_the_gradient() -> None:
    images = nets.uniform(3, 1, 28, 28)
    gradient = Gradient(in_place(True)).interpret(images, 1).values
    for on, size in ((True, (0, 1e-3)), (False, (1e-2, 10))):
        found = PublishedDeepLIFT(in_place(on), mode="rescale").interpret(images, 1).values
        assert size[0] <= nets.relative(found, gradient) <= size[1]


def by_hand(model: Any, images: Tensor, mode: str) -> Tensor:
    """The multipliers of a net of two dense layers for class 1, by the published formulas."""
    with torch.no_grad():
        (w1, b1), (w2, _) = ((layer.weight, layer.bias) for layer in (model[0], model[2]))
        zero = torch.zeros_like(images[:1])
        z, z0 = images @ w1.T + b1, zero @ w1.T + b1
        a, a0 = F.relu(z), F.relu(z0)
        g = w2[1].expand_as(a)
        if mode.startswith("linear"):
            dy = (model(images) - model(zero))[:, 1:2]
            da = a - a0
            g = dy * w2[1].clamp(min=0) * (da > 0) + dy * w2[1].clamp(max=0) * (da < 0) + w2[1] * (da == 0)
        g = g * (z > 0)
        dz = z - z0
        if mode.endswith("rescale"):
            g = g * torch.where(dz.abs() > 1e-7, (a - a0) / (dz + 1e-7), 0.01)
        elif mode.endswith("reveal_cancel"):
            up, down = dz.clamp(min=0), dz.clamp(max=0)
            dup = F.relu(z0 + up) / 2 - a0 / 2 + a / 2 - F.relu(z0 + down) / 2
            ddown = F.relu(z0 + down) / 2 - a0 / 2 + a / 2 - F.relu(z0 + up) / 2
            g = torch.where(g >= 0, g * dup / (up + 1e-7), g * down / (ddown + 1e-7))
        if not mode.startswith("linear"):
            return g @ w1
        x = images
        through = [(dz * g) @ w for w in (w1.clamp(min=0), w1.clamp(max=0))]
        return through[0] * (x > 0) + through[1] * (x < 0) + (g @ w1) * (x == 0)


@pytest.mark.parametrize(
    "mode", ["no_rule", "rescale", "reveal_cancel", "linear", "linear_rescale", "linear_reveal_cancel"]
)
def test_the_published_formulas(mode: str) -> None:
    model = nets.randomised(nn.Sequential(nn.Linear(5, 40), nn.ReLU(), nn.Linear(40, 3)), 3)
    images = nets.uniform(4, 5, low=-1)
    images[:, 2] = 0
    found = PublishedDeepLIFT(model, mode=mode).interpret(images, 1).values
    assert nets.relative(found, by_hand(model, images, mode)) < 1e-12


@pytest.mark.usefixtures("study_data")  # the net has to be a trained one
def test_the_published_linear_rule_grows_without_measure() -> None:
    """By the change of each layer's output; the study printed values of the order of 20,000."""
    model, images = nets.small_cnn(), nets.digits(5)
    right = DeepLIFT(model, rule="reveal_cancel").interpret(images)
    found = PublishedDeepLIFT(model, mode="linear_reveal_cancel").interpret(images)
    assert found.values.abs().max() > 100 * right.multipliers.abs().max()


def test_an_unknown_mode() -> None:
    with pytest.raises(ConfigError, match="mode='linear_' is not allowed: choose one of 'no_rule'"):
        PublishedDeepLIFT(saturation(), mode="linear_")


# training mode left on ---------------------------------------------------------------------------------------------


def with_dropout_and_batch_norm(dropout: float = 0.5, batch_norm: bool = True) -> nn.Module:
    middle = nn.BatchNorm1d(16) if batch_norm else nn.Identity()
    return nets.randomised(nn.Sequential(nn.Linear(8, 16), middle, nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 3)))


def test_training_mode_draws_a_random_part_of_the_network() -> None:
    model, images = with_dropout_and_batch_norm(batch_norm=False), nets.uniform(5, 8)
    plain = Gradient(model).interpret(images, 1).values
    one, same, other = (TrainingModeLeftOn(Gradient(model), seed=seed).interpret(images, 1) for seed in (0, 0, 1))
    assert torch.equal(one.values, same.values)
    assert nets.relative(one.values, other.values) > 0.1
    assert nets.relative(one.values, plain) > 0.1
    # what is kept is doubled, so that the maps of many masks have the plain one as their mean
    maps = [TrainingModeLeftOn(Gradient(model), seed=seed).interpret(images, 1).values for seed in range(400)]
    assert nets.relative(torch.stack(maps).mean(dim=0), plain) < 0.3


def test_training_mode_leaves_gpus_alone_that_the_model_is_not_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("all GPUs were seeded"))
    TrainingModeLeftOn(Gradient(with_dropout_and_batch_norm())).interpret(nets.uniform(5, 8), 1)


def test_training_mode_normalises_by_the_batch() -> None:
    model, images = with_dropout_and_batch_norm(dropout=0.0), nets.uniform(5, 8)
    method = TrainingModeLeftOn(Gradient(model))
    together, alone = (method.interpret(images[:n], 1).values[:2] for n in (5, 2))
    assert nets.relative(together, alone) > 0.1
    assert nets.relative(Gradient(model).interpret(images, 1).values[:2], together) > 0.01


def test_training_mode_leaves_nothing_behind() -> None:
    model, images = with_dropout_and_batch_norm().eval(), nets.uniform(5, 8)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    TrainingModeLeftOn(Gradient(model)).interpret(images, 1)
    assert torch.equal(torch.rand(3), expected)
    assert not any(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_training_mode_is_no_matter_without_dropout_and_batch_norm() -> None:
    model, images = nets.small_cnn(study=False), nets.uniform(2, 1, 28, 28)
    found = TrainingModeLeftOn(DeepLIFT(model)).interpret(images, "all")
    assert torch.equal(found.values, DeepLIFT(model).interpret(images, "all").values)
    assert found.parameters["of"]["method"] == "deeplift"
    with pytest.raises(ConfigError, match="around a method, not a SmallCNN"):
        TrainingModeLeftOn(model)


def test_training_mode_is_built_around_a_method_by_name() -> None:
    model, images = with_dropout_and_batch_norm(), nets.uniform(5, 8)
    built = method_entry("training_mode_left_on").build(model, {"of": {"method": "input_x_gradient"}, "seed": 3})
    direct = TrainingModeLeftOn(InputXGradient(model), seed=3)
    assert torch.equal(built.interpret(images, 1).values, direct.interpret(images, 1).values)
    assert describe("training_mode_left_on", built.parameters).settings == "in training mode"
