"""The rules of linear layers against literal transcriptions of their formulas, one contribution at a time."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import nets
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nn_interpretability import LRP, InputNoise, SmoothGrad
from nn_interpretability.engine.stabilizer import Stabilizer
from nn_interpretability.errors import ConfigError
from nn_interpretability.rules import linear
from nn_interpretability.rules.linear import linear_rule

# --- the twin ---------------------------------------------------------------------------------------------------------


@dataclass
class Layer:
    """One sample at a linear layer, written out: z_k = sum_j a_j w_jk + b_k."""

    a: Sequence[float]
    w: np.ndarray  # [j, k]
    b: Sequence[float]
    reaches: np.ndarray  # [j, k]: whether there is a weight between them
    low: float = -2.0
    high: float = 3.0

    @property
    def z(self) -> list[float]:
        return [sum(self.a[j] * self.w[j, k] for j in range(len(self.a))) + self.b[k] for k in range(len(self.b))]


def plus(value: float) -> float:
    return value if value > 0 else 0.0


def minus(value: float) -> float:
    return value if value < 0 else 0.0


def favoured(gamma: float, sign: float, value: float) -> float:
    """With what has the sign of the output added gamma times."""
    return value + gamma * (plus(value) if sign >= 0 else minus(value))


def mirrored(gamma: float, layer: Layer, j: int, k: int) -> float:
    """A contribution whose sign is that of the output counts 1 + gamma times."""
    return favoured(gamma, layer.z[k], layer.a[j] * layer.w[j, k])


def contributions(rule: Mapping[str, Any], layer: Layer) -> list[tuple[float, Any, Any]]:
    """Each part of a rule: coefficient, contribution of input j to output k, contribution of the bias of output k."""
    a, w, b = layer.a, layer.w, layer.b
    match rule["rule"]:
        case "0" | "epsilon":
            return [(1, lambda j, k: a[j] * w[j, k], lambda k: b[k])]
        case "gamma":
            g = rule["gamma"]
            return [(1, lambda j, k: a[j] * (w[j, k] + g * plus(w[j, k])), lambda k: b[k] + g * plus(b[k]))]
        case "generalised_gamma":
            return [(1, partial(mirrored, rule["gamma"], layer), lambda k: favoured(rule["gamma"], layer.z[k], b[k]))]
        case "alpha_beta":
            excitation = (rule["alpha"], lambda j, k: plus(a[j] * w[j, k]), lambda k: plus(b[k]))
            inhibition = (-rule["beta"], lambda j, k: minus(a[j] * w[j, k]), lambda k: minus(b[k]))
            return [excitation, inhibition]
        case "z_plus":
            return [(1, lambda j, k: plus(a[j] * w[j, k]), lambda k: 0.0)]
        case "z_box":
            low, high = layer.low, layer.high
            return [(1, lambda j, k: a[j] * w[j, k] - low * plus(w[j, k]) - high * minus(w[j, k]), lambda k: 0.0)]
        case "w2":
            return [(1, lambda j, k: w[j, k] ** 2, lambda k: 0.0)]
        case "flat":
            return [(1, lambda j, k: 1.0 if layer.reaches[j, k] else 0.0, lambda k: 0.0)]
    raise AssertionError(rule)


def stabilizer_of(rule: Mapping[str, Any], denominators: Sequence[float]) -> list[float]:
    setting = rule.get("epsilon" if rule["rule"] == "epsilon" else "stabilizer") or 0.0
    if not isinstance(setting, dict):
        setting = {"absolute": setting}
    root = math.sqrt(sum(d**2 for d in denominators) / len(denominators))
    size = setting.get("absolute", 0.0) + setting.get("rms", 0.0) * root
    return [size if d >= 0 or not setting.get("signed", True) else -size for d in denominators]


def literal(rule: Mapping[str, Any], layer: Layer, relevance: Sequence[float]) -> dict[str, Any]:
    """Relevance of each input, and what the bias, the stabilizer and dead outputs took."""
    inputs, outputs = range(len(layer.a)), range(len(layer.b))
    found: dict[str, Any] = {"sent": [0.0] * len(layer.a), "bias": 0.0, "stabilizer": 0.0, "blocked": 0.0}
    for coefficient, of_input, of_bias in contributions(rule, layer):
        bias = [0.0 if rule.get("bias") == "ignore" else of_bias(k) for k in outputs]
        totals = [sum(of_input(j, k) for j in inputs) + bias[k] for k in outputs]
        added = stabilizer_of(rule, totals)
        for k in outputs:
            share = coefficient * relevance[k]
            denominator = totals[k] + added[k]
            if denominator == 0:
                found["blocked"] += share
                continue
            for j in inputs:
                found["sent"][j] += of_input(j, k) / denominator * share
            found["bias"] += bias[k] / denominator * share
            found["stabilizer"] += added[k] / denominator * share
    return found


# --- the layers -------------------------------------------------------------------------------------------------------

LAYERS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "linear": (nn.Linear(7, 5), (7,)),
    "linear without bias": (nn.Linear(7, 5, bias=False), (7,)),
    "linear on tokens": (nn.Linear(3, 4), (4, 3)),
    "conv1d": (nn.Conv1d(2, 3, 3, stride=2, padding=1), (2, 6)),
    "conv2d": (nn.Conv2d(2, 3, 3), (2, 4, 4)),
    "conv2d without bias": (nn.Conv2d(2, 3, (2, 3), bias=False), (2, 3, 4)),
    "conv2d grouped": (nn.Conv2d(4, 4, 2, groups=2), (4, 3, 3)),
    "conv2d depthwise": (nn.Conv2d(3, 6, 2, groups=3, padding=1), (3, 2, 2)),
    "conv2d strided": (nn.Conv2d(1, 2, 3, stride=(2, 1), padding=(1, 2)), (1, 4, 3)),
    "conv2d dilated": (nn.Conv2d(1, 2, 2, dilation=2), (1, 4, 4)),
    "conv2d with padding of the same size": (nn.Conv2d(1, 2, (3, 1), padding="same"), (1, 3, 3)),
    "conv3d": (nn.Conv3d(1, 2, 2), (1, 2, 3, 3)),
    "conv_transpose1d": (nn.ConvTranspose1d(2, 2, 3, stride=2), (2, 3)),
    "conv_transpose2d": (nn.ConvTranspose2d(2, 2, 2, stride=2, padding=1, output_padding=1, groups=2), (2, 3, 3)),
    "conv_transpose2d dilated": (nn.ConvTranspose2d(1, 2, 2, dilation=2), (1, 2, 3)),
    "conv_transpose3d": (nn.ConvTranspose3d(1, 1, 2), (1, 2, 2, 2)),
}

for _layer, _ in LAYERS.values():
    nets.randomised(_layer, seed=3)

RULES: dict[str, dict[str, Any]] = {
    "0": {"rule": "0"},
    "0 stabilized": {"rule": "0", "stabilizer": 0.01},
    "epsilon": {"rule": "epsilon", "epsilon": 0.1},
    "epsilon of the row": {"rule": "epsilon", "epsilon": {"rms": 0.25}},
    "epsilon of both": {"rule": "epsilon", "epsilon": {"rms": 0.25, "absolute": 0.03}},
    "epsilon unsigned": {"rule": "epsilon", "epsilon": {"rms": 0.1, "signed": False}},
    "gamma": {"rule": "gamma", "gamma": 0.25},
    "gamma stabilized": {"rule": "gamma", "gamma": 2.0, "stabilizer": {"absolute": 0.05, "signed": False}},
    "generalised gamma": {"rule": "generalised_gamma", "gamma": 0.25},
    "generalised gamma stabilized": {"rule": "generalised_gamma", "gamma": 2.0, "stabilizer": 0.05},
    "alpha1 beta0": {"rule": "alpha_beta", "alpha": 1.0, "beta": 0.0},
    "alpha2 beta1": {"rule": "alpha_beta", "alpha": 2.0, "beta": 1.0},
    "alpha1.5 beta.5 stabilized": {"rule": "alpha_beta", "alpha": 1.5, "beta": 0.5, "stabilizer": {"rms": 0.2}},
    "z_plus": {"rule": "z_plus"},
    "z_plus stabilized": {"rule": "z_plus", "stabilizer": 0.1},
    "z_box": {"rule": "z_box"},
    "z_box stabilized": {"rule": "z_box", "stabilizer": {"rms": 0.1}},
    "w2": {"rule": "w2"},
    "w2 stabilized": {"rule": "w2", "stabilizer": 0.2},
    "flat": {"rule": "flat"},
    "flat stabilized": {"rule": "flat", "stabilizer": {"rms": 0.1}},
}

INPUTS = ("any sign", "not negative", "mostly zero")


@cache
@torch.no_grad()
def written_out(name: str) -> tuple[np.ndarray, list[float]]:
    """The matrix [j, k] of a layer, by its answers to unit vectors; what it answers to zero is the bias."""
    layer, shape = LAYERS[name]
    zero = torch.zeros(shape, dtype=torch.float64)
    units = torch.eye(zero.numel(), dtype=torch.float64).reshape(-1, *shape)
    bias = layer(zero[None]).flatten()
    return (layer(units).flatten(1) - bias).numpy(), bias.tolist()


@cache
@torch.no_grad()
def connected(name: str) -> np.ndarray:
    """Which inputs reach which outputs, whatever the weights are: all ones in their place."""
    layer, shape = LAYERS[name]
    ones = copy.deepcopy(layer)
    for parameter in ones.parameters():
        parameter.fill_(1.0 if parameter.dim() > 1 else 0.0)
    units = torch.eye(math.prod(shape), dtype=torch.float64).reshape(-1, *shape)
    return (ones(units).flatten(1) > 0.5).numpy()


def some_values(kind: str, shape: tuple[int, ...]) -> Tensor:
    values = nets.uniform(2, *shape, low=-1 if kind == "any sign" else 0, seed=11)
    if kind == "mostly zero":
        values[nets.uniform(*values.shape, seed=12) < 0.8] = 0
    return values


def twin(name: str, values: Tensor, weights: Tensor, rule: Mapping[str, Any]) -> list[dict[str, Any]]:
    results = []
    for sample, start in zip(values, weights, strict=True):
        layer = Layer(sample.flatten().tolist(), *written_out(name), connected(name))
        relevance = [z * float(s) for z, s in zip(layer.z, start, strict=True)]
        results.append({**literal(rule, layer, relevance), "received": sum(relevance)})
    return results


@pytest.mark.parametrize("bias", ["absorb", "ignore"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", LAYERS)
def test_a_rule_is_its_formula(name: str, rule: str, bias: str) -> None:
    layer, shape = LAYERS[name]
    settings: dict[str, Any] = {**RULES[rule], "bias": bias}
    bounds = {"input_bounds": (-2.0, 3.0)} if settings["rule"] == "z_box" else {}
    explained = LRP(nn.Sequential(layer, nn.Flatten()), **settings, **bounds, trace=True, strict=True)
    for kind in INPUTS:
        values = some_values(kind, shape)
        weights = nets.uniform(2, layer(values)[0].numel(), low=-1, seed=13)
        found = explained.interpret(values, weights)
        expected = twin(name, values, weights, settings)
        for i, sample in enumerate(expected):
            sent = torch.tensor(sample["sent"]).double().reshape(values.shape[1:])
            size = max(sent.abs().max(), *(abs(sample[part]) for part in ("received", "bias", "stabilizer", "blocked")))
            assert (found.values[i] - sent).abs().max() < 1e-12 * size
            for part in ("received", "bias", "stabilizer", "blocked"):
                assert abs(float(getattr(found.trace, part)[0, i]) - sample[part]) < 1e-12 * size, part
            assert abs(float(found.trace.sent[0, i]) - sum(sample["sent"])) < 1e-12 * size
            assert abs(float(found.trace.unaccounted[i])) < 1e-12 * size


def test_the_twin_meets_dead_outputs() -> None:
    """The case that the table above must contain for its claims about blocked relevance to mean something."""
    values = some_values("mostly zero", LAYERS["conv2d"][1])
    blocked = twin("conv2d", values, torch.ones(2, 12), {"rule": "0", "bias": "ignore"})
    assert any(sample["blocked"] != 0 for sample in blocked)


def test_padding_by_reflection_is_an_operation_of_its_own() -> None:
    """The rule sees the padded values one by one; a pixel then collects what its copies got."""
    padded, bare = nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"), nn.Conv2d(1, 2, 3)
    bare.load_state_dict(padded.state_dict())
    values, weights = some_values("any sign", (1, 3, 3)), nets.uniform(2, 18, low=-1)
    models = [nn.Sequential(nets.randomised(layer, seed=3), nn.Flatten()) for layer in (padded, bare)]
    outside = nn.functional.pad(values, (1, 1, 1, 1), mode="reflect")
    found, expected = (
        LRP(model, rule="alpha_beta", alpha=2, beta=1).interpret(images, weights).values[:, 0]
        for model, images in zip(models, (values, outside), strict=True)
    )
    folded = torch.zeros_like(found)
    for y, row in enumerate((1, 0, 1, 2, 1)):
        for x, column in enumerate((1, 0, 1, 2, 1)):
            folded[:, row, column] += expected[:, y, x]
    assert nets.relative(found, folded) < 1e-12


# --- rounding ---------------------------------------------------------------------------------------------------------


def balanced(trace: Any, tolerance: float) -> bool:
    """Whether what was received is what was sent or absorbed, layer by layer."""
    gap = (trace.received - trace.sent - trace.absorbed).abs().max()
    return bool(gap <= tolerance * trace.received.abs().max())


@pytest.mark.parametrize("rule", ["0", "epsilon", "gamma", "alpha_beta", "z_plus"])
@pytest.mark.parametrize("seed", range(5))
def test_a_window_without_contributions_is_dead_also_behind_a_batch_norm(rule: str, seed: int) -> None:
    """What is left of such a window when the folded bias is taken off again is rounding, not zero."""
    model = nets.randomised(
        nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 4)), seed
    )
    images = nets.uniform(2, 2, 8, 8)
    images[:, :, :5] = 0
    trace = LRP(model, rule=rule, bias="ignore", trace=True).interpret(images, 1).trace
    assert balanced(trace, 1e-10)
    assert rule == "epsilon" or (trace.blocked[0] != 0).all()


def test_a_window_of_zeros_is_dead_also_where_convolutions_leave_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU's fast algorithms do: what a unit has from its bias alone must not be divided by it."""
    model = nets.randomised(nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 4)))
    model[0].bias.data.fill_(1.0)
    images = nets.uniform(2, 2, 8, 8)
    images[:, :, :5] = 0

    def explained() -> tuple[Tensor, Tensor]:
        found = LRP(model, rule="z_plus", trace=True).interpret(images, 1)
        return found.values, found.trace.blocked

    exact, apply = explained(), linear.LinearOperation.apply
    monkeypatch.setattr(linear, "_zeros_are_exact", lambda device: False)
    assert all(map(torch.equal, explained(), exact))
    monkeypatch.setattr(linear.LinearOperation, "apply", lambda *given: apply(*given) + 1e-12)
    assert all(nets.relative(*pair) < 1e-9 for pair in zip(explained(), exact, strict=True))
    monkeypatch.setattr(linear, "_zeros_are_exact", lambda device: True)
    assert nets.relative(explained()[1], exact[1]) > 0.1


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("seed", range(5))
def test_a_pixel_at_its_bounds_is_a_dead_window_of_a_pointwise_convolution(channels: int, seed: int) -> None:
    """x w - l w+ - h w- is zero there; a difference of sums rounds to something that must not be divided by."""
    model = nets.randomised(nn.Sequential(nn.Conv2d(channels, 8, 1), nn.ReLU(), nn.Flatten(), nn.Linear(32, 4)), seed)
    model[0].bias.data.fill_(20.0)  # so that dead windows fire
    low, high = torch.tensor([-0.4242, 2.8215], dtype=torch.float64)
    images = nets.uniform(1, channels, 2, 2, low=float(low), high=float(high), seed=seed)
    images[0, :, 0, 0] = torch.where(model[0].weight[0, :, 0, 0] > 0, low, high)
    found = LRP(model, rule="0", input_rule="z_box", input_bounds=(low, high), trace=True).interpret(images, 1)
    assert balanced(found.trace, 1e-11)
    assert found.trace.blocked[0].abs() > 0


def test_lrp_0_divides_by_the_value_itself() -> None:
    """z / z is exactly 1, so that LRP-0 has the bits of input x gradient."""
    layer = nets.randomised(nn.Linear(9, 4), seed=1, dtype=torch.float32)
    values = nets.uniform(3, 9, low=-1).float()
    assert torch.equal(LRP(layer, rule="0").interpret(values, 2).values, values * layer.weight[2].detach())


def test_layers_with_negative_inputs_are_named_once_where_the_rule_is_plain_gamma() -> None:
    """Behind a linear bottleneck; nothing is said of layers behind a ReLU, nor of rules for inputs of any sign."""
    layers = {"wide": nn.Linear(4, 6), "narrow": nn.Linear(6, 3), "last": nn.Linear(3, 2)}
    model = nets.net(lambda model, x: model.last(model.narrow(model.wide(x).relu())), **layers)
    images = nets.uniform(6, 4)
    assert (model.narrow(model.wide(images).relu()) < 0).any()
    with pytest.warns(
        UserWarning, match=r"inputs >= 0, and these layers have negative ones: last\. .*'alpha_beta'"
    ) as seen:
        found = LRP(model, rule="gamma").interpret(images, 1, chunk=2)
    assert [warning.filename for warning in seen] == [__file__]
    assert found.coverage["negative_inputs"] == {"last": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for composite in ({"last": "generalised_gamma", "*": "gamma"}, {"last": "alpha_beta", "*": "gamma"}):
            assert "negative_inputs" not in LRP(model, composite=composite).interpret(images, 1).coverage


def test_layers_with_negative_inputs_are_named_whichever_image_or_copy_has_them() -> None:
    layer = nets.randomised(nn.Sequential(nn.Linear(4, 4)))
    model, images = nets.net(lambda model, x: model.layer(x), layer=layer), nets.uniform(7, 4, low=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        InputNoise(LRP(model, rule="gamma"), sigma=0.0, passes=2, block=2).interpret(images, 1)
    with pytest.warns(UserWarning, match="negative ones: layer"):  # among the copies alone
        found = SmoothGrad(LRP(model, rule="gamma"), sigma=1.0, samples=8).interpret(images, 1)
    assert "negative_inputs" in found.coverage
    images[6] *= -1  # which does not go with the first five
    with pytest.warns(UserWarning, match="negative ones: layer"):
        InputNoise(LRP(model, rule="gamma"), sigma=0.0, passes=50, block=50).interpret(images, 1)


# --- settings ---------------------------------------------------------------------------------------------------------


def test_names_stand_for_rules_with_defaults() -> None:
    for name in ("0", "epsilon", "gamma", "generalised_gamma", "alpha_beta", "z_plus", "z_box"):
        assert linear_rule(name).name == name
    assert linear_rule("z_box").needs_bounds
    assert not linear_rule("gamma").needs_bounds
    assert linear_rule({}) == linear_rule({"rule": "epsilon", "epsilon": {"rms": 0.25}})
    assert linear_rule({"rule": "gamma"}) == linear_rule({"rule": "gamma", "gamma": 0.25})
    assert linear_rule("0", {"rule": "gamma", "bias": "ignore"}) == linear_rule({"rule": "0", "bias": "ignore"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("lrp", r"rule='lrp' is not allowed: choose one of '0', 'epsilon', 'gamma', 'generalised_gamma', 'alpha_beta'"),
        ({"rule": "gamma", "strength": 1}, "A rule has no setting 'strength'. It has: rule, epsilon, gamma"),
        ({"rule": "gamma", "gamma": -0.1}, "gamma=-0.1 is not allowed: give a number >= 0"),
        ({"rule": "gamma", "gamma": "big"}, "gamma='big' is not allowed"),
        ({"rule": "gamma", "gamma": True}, "gamma=True is not allowed"),
        ({"rule": "gamma", "gamma": math.inf}, "gamma=inf is not allowed"),
        ({"rule": "gamma", "gamma": math.nan}, "gamma=nan is not allowed"),
        ({"rule": "alpha_beta", "alpha": 2, "beta": 0}, "alpha=2, beta=0: alpha - beta must be 1"),
        ({"rule": "alpha_beta", "alpha": 0, "beta": -1}, "beta=-1 is not allowed"),
        ({"rule": "0", "bias": "distribute"}, "bias='distribute' is not allowed: choose 'absorb' or 'ignore'"),
        ({"rule": "epsilon", "epsilon": -1}, "absolute=-1.0 is not allowed in a stabilizer: give a number >= 0"),
        ({"rule": "epsilon", "epsilon": {"rms": math.nan}}, "rms=nan is not allowed in a stabilizer"),
        ({"rule": "epsilon", "epsilon": {"relative": 1}}, "A stabilizer has no setting 'relative'"),
        ({"rule": "epsilon", "epsilon": "tiny"}, "'tiny' is not a stabilizer: give a number >= 0, or a mapping"),
        ({"rule": "0", "stabilizer": True}, "True is not a stabilizer"),
    ],
)
def test_settings_that_are_not_allowed(settings: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        linear_rule(settings)


# --- the stabilizer ---------------------------------------------------------------------------------------------------


def test_a_stabilizer_moves_away_from_zero() -> None:
    values = torch.tensor([[3.0, -4.0, 0.0, -0.0]], dtype=torch.float64)
    assert Stabilizer(0.5).addition(values).tolist() == [[0.5, -0.5, 0.5, 0.5]]
    assert Stabilizer(rms=0.2).addition(values).tolist() == [[0.5, -0.5, 0.5, 0.5]]  # rms = 5 / 2
    assert Stabilizer(1.0, 0.2).addition(values).tolist() == [[1.5, -1.5, 1.5, 1.5]]
    assert Stabilizer(0.5, signed=False).addition(values).tolist() == [[0.5, 0.5, 0.5, 0.5]]
    assert Stabilizer().addition(values) is None


def test_a_stabilizer_knows_rows_only() -> None:
    """The result for a picture does not depend on the other pictures of its batch."""
    values = nets.uniform(4, 3, 5, low=-1)
    together = Stabilizer(rms=0.3).addition(values)
    alone = torch.cat([Stabilizer(rms=0.3).addition(row[None]) for row in values])
    assert nets.relative(together, alone) < 1e-15
    assert together[0].abs().unique().numel() == 1
    assert together.abs().flatten(1)[:, 0].unique().numel() == 4


@pytest.mark.parametrize("value", [0.3, {"absolute": 0.3}, Stabilizer(0.3)])
def test_ways_to_give_a_stabilizer(value: Any) -> None:
    assert Stabilizer.of(value) == Stabilizer(absolute=0.3)
    assert Stabilizer.of(value).describe() == {"absolute": 0.3, "rms": 0.0, "signed": True}
    assert Stabilizer.of(None).adds_nothing
