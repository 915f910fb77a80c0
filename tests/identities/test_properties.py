"""Random small networks: whatever the shapes and settings, the account is balanced and maps are linear."""

from __future__ import annotations

from typing import Any

import nets
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nn_interpretability import LRP, InputXGradient

FEW = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

ACTIVATIONS = [nn.ReLU, nn.LeakyReLU, nn.SiLU, nn.Tanh, nn.Hardswish, nn.Softplus, nn.PReLU, nn.Identity]


@st.composite
def networks(draw: st.DrawFn, piecewise_linear: bool = False) -> tuple[nn.Module, Tensor]:
    """A chain of convolutions with all that may stand between them, and images that fit."""
    channels, size = draw(st.integers(1, 4)), draw(st.integers(5, 9))
    given_channels = channels
    layers: list[nn.Module] = []
    shape = size
    for _ in range(draw(st.integers(1, 3))):
        groups = draw(st.sampled_from([g for g in (1, 2, 3, 4) if channels % g == 0]))
        out = groups * draw(st.integers(1, 3))
        kernel, stride, padding = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(0, 1))
        if shape + 2 * padding < kernel:
            break
        layers.append(nn.Conv2d(channels, out, kernel, stride, padding, groups=groups, bias=draw(st.booleans())))
        channels, shape = out, (shape + 2 * padding - kernel) // stride + 1
        if draw(st.booleans()):
            layers.append(nn.BatchNorm2d(channels))
        if draw(st.booleans()) and shape >= 2:
            layers.append(draw(st.sampled_from([nn.MaxPool2d(2), nn.AvgPool2d(2)])))
            shape //= 2
        activation = nn.ReLU if piecewise_linear else draw(st.sampled_from(ACTIVATIONS))
        layers.append(activation())
        if draw(st.booleans()):
            layers.append(nn.Dropout2d(0.4))
    layers += [nn.Flatten(), nn.Linear(channels * shape * shape, draw(st.integers(1, 4)))]
    seed = draw(st.integers(0, 2**16))
    model = nets.randomised(nn.Sequential(*layers), seed)
    samples = draw(st.integers(1, 3))
    return model, nets.uniform(samples, given_channels, size, size, low=-1, seed=seed + 1)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    alpha = draw(st.sampled_from([1.0, 1.5, 2.0]))
    settings: dict[str, Any] = {
        "rule": draw(st.sampled_from(["0", "epsilon", "gamma", "alpha_beta", "z_plus"])),
        "epsilon": draw(st.sampled_from([1e-3, {"rms": 0.25}])),
        "gamma": draw(st.sampled_from([0.0, 0.25, 10.0])),
        "alpha": alpha,
        "beta": alpha - 1,
        "stabilizer": 1e-3,  # keeps values of mixed sign away from zero, where rounding would be all there is
        "bias": draw(st.sampled_from(["absorb", "ignore"])),
        "pooling": draw(st.sampled_from(["winner", "proportional"])),
    }
    if draw(st.booleans()):
        settings |= {"input_rule": "z_box", "input_bounds": (-1.0, draw(st.sampled_from([1.0, 2.5])))}
    return settings


@FEW
@given(networks(), rules())
def test_the_account_is_balanced(network: tuple[nn.Module, Tensor], rule: dict[str, Any]) -> None:
    model, images = network
    found = LRP(model, **rule, trace=True, strict=True).interpret(images, "all")
    trace = found.trace
    parts = torch.stack([trace.received, trace.sent, trace.bias, trace.stabilizer, trace.blocked])
    size = float(parts.abs().max()) + float(found.values.abs().max())
    assert (trace.received - trace.sent - trace.absorbed).abs().max() <= 1e-10 * size
    assert trace.unaccounted.abs().max() <= 1e-9 * size
    with torch.no_grad():
        assert torch.equal(found.logits, model.eval()(images))


@FEW
@given(networks(), rules(), st.integers(0, 99))
def test_maps_are_linear_in_the_target(network: tuple[nn.Module, Tensor], rule: dict[str, Any], seed: int) -> None:
    model, images = network
    explained = LRP(model, **rule)
    every = explained.interpret(images, "all").values
    weights = nets.uniform(*every.shape[:2], low=-1, seed=seed)
    mixed = explained.interpret(images, weights).values
    expected = torch.einsum("nk,nkchw->nchw", weights, every)
    assert (mixed - expected).abs().max() <= 1e-11 * every.abs().max()


@FEW
@given(networks(piecewise_linear=True))
def test_lrp_0_is_input_x_gradient(network: tuple[nn.Module, Tensor]) -> None:
    model, images = network
    found = LRP(model, rule="0").interpret(images, "all").values
    expected = InputXGradient(model).interpret(images, "all").values
    assert (found - expected).abs().max() <= 1e-12 * expected.abs().max()
