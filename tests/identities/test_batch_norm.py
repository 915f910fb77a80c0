"""Batch norm behind a linear layer is one linear layer; elsewhere it is an affine layer of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import nets
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability import LRP, InputXGradient

SETTINGS: dict[str, dict[str, Any]] = {
    "0": {"rule": "0"},
    "epsilon": {"rule": "epsilon"},
    "gamma": {"rule": "gamma", "gamma": 0.25},
    "gamma without bias": {"rule": "gamma", "gamma": 0.25, "bias": "ignore"},
    "alpha2 beta1": {"rule": "alpha_beta", "alpha": 2, "beta": 1},
    "z_plus": {"rule": "z_plus"},
    "z_box": {"rule": "0", "input_rule": "z_box", "input_bounds": (0, 1)},
}


def folded(layer: Any, norm: Any) -> nn.Module:
    """A layer with its batch norm, by hand: scale s = gamma / sqrt(var + eps), shift beta - mean s."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    shift = norm.bias - norm.running_mean * scale
    merged = copy.deepcopy(layer)
    axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    merged.weight.data = layer.weight.data.movedim(axis, -1).mul(scale.data).movedim(-1, axis)
    bias = torch.zeros_like(shift) if layer.bias is None else layer.bias
    merged.bias = nn.Parameter((bias * scale + shift).detach())
    return merged


LAYERS: dict[str, tuple[Callable[[], nn.Module], Callable[[], nn.Module]]] = {
    "conv": (lambda: nn.Conv2d(2, 6, 3), lambda: nn.BatchNorm2d(6)),
    "conv without bias": (lambda: nn.Conv2d(2, 6, 3, bias=False), lambda: nn.BatchNorm2d(6)),
    "grouped conv": (lambda: nn.Conv2d(2, 6, 3, groups=2), lambda: nn.BatchNorm2d(6)),
    "transposed conv": (lambda: nn.ConvTranspose2d(2, 6, 3), lambda: nn.BatchNorm2d(6)),
    "linear": (lambda: nn.Linear(72, 6), lambda: nn.BatchNorm1d(6)),
}


def two_nets(name: str) -> tuple[nn.Module, nn.Module]:
    """A net with batch norm, and the same function without."""
    layer, norm = (make() for make in LAYERS[name])
    first: list[nn.Module] = [nn.Flatten()] if name == "linear" else []
    size = 6 if name == "linear" else 6 * 64 if name == "transposed conv" else 6 * 16
    model = nets.randomised(nn.Sequential(*first, layer, norm, nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(size, 4)))
    rest = list(model)[len(first) :]
    return model, nn.Sequential(*first, folded(rest[0], rest[1]), *copy.deepcopy(rest[2:]))


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_with_its_norm_is_the_folded_layer(name: str, setting: str) -> None:
    model, merged = two_nets(name)
    assert (model[-4].weight < 0).any()  # negative scales turn positive weights into negative ones
    images = nets.uniform(3, 2, 6, 6)
    found = LRP(model, **SETTINGS[setting], trace=True).interpret(images, 2)
    expected = LRP(merged, **SETTINGS[setting], trace=True).interpret(images, 2)
    assert torch.equal(found.logits, model.eval()(images))
    assert nets.relative(found.values, expected.values) < 1e-12
    assert len(found.trace.layers) == 2
    for part in ("received", "sent", "bias", "stabilizer", "blocked"):
        gap = (getattr(found.trace, part) - getattr(expected.trace, part)).abs().max()
        assert gap < 1e-12 * expected.trace.received.abs().max(), part


def test_folding_matters() -> None:
    """For gamma it is not the same to treat the norm as a layer of its own; the identity above is not empty."""
    model, merged = two_nets("conv")
    apart = nets.Net(lambda net, x: net.rest(net.norm(net.conv(x) + 0)), conv=model[0], norm=model[1], rest=model[2:])
    found = LRP(apart.eval(), rule="gamma").interpret(nets.uniform(3, 2, 6, 6), 2).values
    expected = LRP(merged, rule="gamma").interpret(nets.uniform(3, 2, 6, 6), 2).values
    assert nets.relative(found, expected) > 1e-3


def residual(model: Any, x: Tensor) -> Tensor:
    """The convolution's output also goes around its norm."""
    hidden = model.conv(x)
    return model.linear(F.relu(model.norm(hidden) + hidden).flatten(1))


def changed_in_between(model: Any, x: Tensor) -> Tensor:
    hidden = model.conv(x)
    hidden *= -1
    return model.linear(F.relu(model.norm(hidden)).flatten(1))


def on_tokens(model: Any, x: Tensor) -> Tensor:
    """The norm runs over tokens, of which there are as many as features."""
    return model.linear(F.relu(model.norm(model.tokens(x))).flatten(1))


NOT_FOLDED: dict[str, tuple[Callable[[Any, Tensor], Tensor], dict[str, nn.Module], tuple[int, ...]]] = {
    "grouped transposed": (
        lambda model, x: model.linear(F.relu(model.norm(model.conv(x))).flatten(1)),
        {"conv": nn.ConvTranspose2d(2, 4, 1, groups=2), "norm": nn.BatchNorm2d(4), "linear": nn.Linear(64, 3)},
        (2, 4, 4),
    ),
    "before the activation of another": (
        lambda model, x: model.linear(model.norm(F.relu(model.conv(x))).flatten(1)),
        {"conv": nn.Conv2d(2, 4, 1), "norm": nn.BatchNorm2d(4), "linear": nn.Linear(64, 3)},
        (2, 4, 4),
    ),
    "around": (
        residual,
        {"conv": nn.Conv2d(2, 4, 1), "norm": nn.BatchNorm2d(4), "linear": nn.Linear(64, 3)},
        (2, 4, 4),
    ),
    "changed in between": (
        changed_in_between,
        {"conv": nn.Conv2d(2, 4, 1), "norm": nn.BatchNorm2d(4), "linear": nn.Linear(64, 3)},
        (2, 4, 4),
    ),
    "on tokens": (
        on_tokens,
        {"tokens": nn.Linear(5, 4), "norm": nn.BatchNorm1d(4), "linear": nn.Linear(16, 3)},
        (4, 5),
    ),
    "without scale": (
        lambda model, x: model.linear(F.relu(model.norm(model.conv(x))).flatten(1)),
        {"conv": nn.Conv2d(2, 4, 1), "norm": nn.BatchNorm2d(4, affine=False), "linear": nn.Linear(64, 3)},
        (2, 4, 4),
    ),
}


@pytest.mark.parametrize("name", NOT_FOLDED)
def test_relevance_is_accounted_for_wherever_a_norm_stands(name: str) -> None:
    function, modules, shape = NOT_FOLDED[name]
    model = nets.net(function, **modules)
    images = nets.uniform(3, *shape, low=-1)
    zero = LRP(model, rule="0", trace=True, strict=True).interpret(images, 1)
    assert nets.relative(zero.values, InputXGradient(model).interpret(images, 1).values) < 1e-12
    for setting in ("0", "gamma", "alpha2 beta1"):
        found = LRP(model, **SETTINGS[setting], trace=True, strict=True).interpret(images, 1)
        without_trace = LRP(model, **SETTINGS[setting]).interpret(images, 1)
        trace = found.trace
        size = trace.received.abs().max()
        assert torch.equal(found.logits, model.eval()(images))
        assert nets.relative(found.values, without_trace.values) < 1e-12
        assert (trace.received - trace.sent - trace.absorbed).abs().max() < 1e-12 * size
        assert trace.unaccounted.abs().max() < 1e-12 * size


def test_a_norm_over_tokens_is_not_folded_into_a_layer_over_features() -> None:
    """Their numbers agree by chance; folding would scale features by the factors of tokens."""
    function, modules, shape = NOT_FOLDED["on tokens"]
    model = nets.net(function, **modules)
    layers = LRP(model, rule="gamma", trace=True).interpret(nets.uniform(2, *shape, low=-1), 0).trace.layers
    assert layers == ("tokens", "norm", "linear")
