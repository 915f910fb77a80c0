"""Where relevance goes: nothing is lost without an account, and with the right rules nothing is lost at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nets
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability import LRP
from nn_interpretability.attribution import Attribution

RULES: dict[str, dict[str, Any]] = {
    "0": {"rule": "0"},
    "epsilon": {"rule": "epsilon"},
    "epsilon unsigned": {"rule": "epsilon", "epsilon": {"absolute": 0.01, "signed": False}},
    "gamma": {"rule": "gamma", "stabilizer": 1e-6},
    "alpha2 beta1": {"rule": "alpha_beta", "alpha": 2, "beta": 1},
    "z_plus": {"rule": "z_plus"},
    "ignoring the bias": {"rule": "gamma", "bias": "ignore"},
    "proportional": {"rule": "epsilon", "pooling": "proportional"},
    "pooling stabilized": {"rule": "epsilon", "composite": {"max_pool2d": "epsilon", "linear": "gamma"}},
    "z_box": {"rule": "epsilon", "input_rule": "z_box", "input_bounds": (-1, 1)},
    "montavon2019": {"composite": "montavon2019", "input_bounds": (-1, 1)},
}


def balanced(found: Attribution, tolerance: float = 1e-12) -> None:
    """Check the accounts of a trace: per layer, and from the score to the pixels."""
    trace = found.trace
    assert trace is not None
    parts = torch.stack([trace.received, trace.sent, trace.bias, trace.stabilizer, trace.blocked])
    size = float(parts.abs().max())
    gap = trace.received - trace.sent - trace.bias - trace.stabilizer - trace.blocked
    assert gap.abs().max() < tolerance * size
    assert torch.equal(trace.absorbed, trace.bias + trace.stabilizer + trace.blocked)
    assert nets.relative(found.total + trace.absorbed.sum(0) + trace.unaccounted, found.score) < tolerance * max(
        1.0, size / float(found.score.abs().max())
    )


# --- the study's net, on digits that are mostly black -----------------------------------------------------------------

EXACT: dict[str, dict[str, Any]] = {
    "0": {"rule": "0"},
    "gamma": {"rule": "gamma", "gamma": 0.25},
    "gamma 1000": {"rule": "gamma", "gamma": 1000.0},
    "alpha1 beta0": {"rule": "alpha_beta", "alpha": 1, "beta": 0},
    "alpha2 beta1": {"rule": "alpha_beta", "alpha": 2, "beta": 1},
    "z_plus": {"rule": "z_plus"},
}


@pytest.mark.parametrize("rule", EXACT)
@pytest.mark.parametrize("study", [True, False])
def test_nothing_is_lost_without_biases_and_with_the_z_box_at_the_input(rule: str, study: bool) -> None:
    """Ignoring the bias alone is not enough: windows of black pixels would have nowhere to send relevance to."""
    found = LRP(
        nets.small_cnn(study=study), **EXACT[rule], bias="ignore", input_rule="z_box", input_bounds=(0, 1), trace=True
    ).interpret(nets.digits(8), None)
    balanced(found)
    assert found.completeness_error.max() < 1e-12
    assert nets.relative(found.total, found.score) < 1e-12


@pytest.mark.parametrize("rule", ["0", "gamma", "alpha2 beta1"])
def test_something_is_lost_in_black_windows_without_the_z_box(rule: str) -> None:
    found = LRP(nets.small_cnn(), **EXACT[rule], bias="ignore", trace=True).interpret(nets.digits(8))
    balanced(found)
    assert found.trace.layers[0] == "features.conv1"
    assert (found.trace.blocked[0].abs() > 1e-3 * found.score.abs()).any()
    assert not found.trace.blocked[1:].any() or rule == "alpha2 beta1"
    assert found.completeness_error.max() > 1e-3


def test_epsilon_always_takes_its_share() -> None:
    found = LRP(
        nets.small_cnn(), rule="epsilon", bias="ignore", input_rule="z_box", input_bounds=(0, 1), trace=True
    ).interpret(nets.digits(8))
    balanced(found)
    assert not found.trace.bias.any()
    assert (found.trace.stabilizer[1:].abs() > 1e-3 * found.score.abs()).all()
    assert found.completeness_error.min() > 1e-3


def test_a_black_picture_gets_nothing_unless_black_says_something() -> None:
    black = torch.zeros(2, 1, 28, 28, dtype=torch.float64)
    for rule in RULES.values():
        if "input_bounds" in rule:
            continue
        found = LRP(nets.small_cnn(), **rule, trace=True).interpret(black, 3)
        balanced(found)
        assert not found.values.any()
        assert found.completeness_error.tolist() == [1, 1]
    boxed = LRP(nets.small_cnn(), **EXACT["gamma"], bias="ignore", input_rule="z_box", input_bounds=(0, 1))
    assert boxed.interpret(black, 3).completeness_error.max() < 1e-12


# --- the account ------------------------------------------------------------------------------------------------------


def sequential() -> nn.Module:
    return nets.randomised(
        nn.Sequential(
            nn.Conv2d(2, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 4, 3),
            nn.LeakyReLU(0.1),
            nn.AvgPool2d(2),
            nn.SiLU(inplace=True),
            nn.Dropout2d(0.5),
            nn.Flatten(),
            nn.Linear(4, 6),
            nn.ReLU(),
            nn.Linear(6, 3),
        ),
        seed=21,
    )


def branched() -> nn.Module:
    """The input goes two ways, a layer is used twice, sums are in place, and one branch is not used at all."""

    def forward(model: Any, x: Tensor) -> Tensor:
        hidden = F.relu_(model.stem(x))
        hidden = F.relu(model.again(hidden))
        hidden = F.relu(model.again(hidden))
        out = model.side(x)
        out += hidden
        model.unused(out)
        pooled = torch.cat([F.max_pool2d(out, 2), F.avg_pool2d(out, 2)], 1)
        return model.head(pooled.flatten(1))

    return nets.net(
        forward,
        stem=nn.Conv2d(2, 4, 3),
        again=nn.Conv2d(4, 4, 3, padding=1),
        side=nn.Conv2d(2, 4, 3),
        unused=nn.Conv2d(4, 4, 1),
        head=nn.Linear(72, 3),
    )


MODELS: dict[str, Callable[[], nn.Module]] = {"sequential": sequential, "branched": branched}
IMAGES = nets.uniform(4, 2, 8, 8, low=-1)


@pytest.mark.parametrize("target", [1, "all", nets.uniform(4, 3, low=-1)], ids=["one", "all", "weights"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("model", MODELS)
def test_the_account_is_balanced(model: str, rule: str, target: Any) -> None:
    found = LRP(MODELS[model](), **RULES[rule], trace=True, strict=True).interpret(IMAGES, target)
    balanced(found)
    trace = found.trace
    shape = (len(trace.layers), 4, 3) if isinstance(target, str) else (len(trace.layers), 4)
    assert trace.received.shape == shape
    assert trace.received.dtype == torch.float64
    assert trace.unaccounted.shape == shape[1:]
    size = max(float(trace.received.abs().max()), float(trace.absorbed.abs().max()))
    assert trace.unaccounted.abs().max() < 1e-12 * size


@pytest.mark.parametrize("rule", RULES)
def test_in_a_chain_each_layer_receives_what_the_next_one_sent(rule: str) -> None:
    found = LRP(sequential(), **RULES[rule], trace=True).interpret(IMAGES, 1)
    trace = found.trace
    size = float(trace.received.abs().max())
    assert [name for name in trace.layers if not name.startswith("max")] == ["0", "4", "10", "12"]
    assert nets.relative(trace.received[-1], found.score) < 1e-12
    assert (trace.received[:-1] - trace.sent[1:]).abs().max() < 1e-12 * size
    assert (trace.sent[0] - found.total).abs().max() < 1e-12 * size


def test_layers_are_named_in_order_of_execution_and_by_use() -> None:
    found = LRP(branched(), rule="epsilon", pooling="proportional", trace=True).interpret(IMAGES, 1)
    assert found.trace.layers == ("stem", "again", "again#2", "side", "max_pool2d_0", "head")
    assert found.trace.rules == ("epsilon", "epsilon", "epsilon", "epsilon", "proportional", "epsilon")


def test_a_constant_between_layers_is_not_accounted_for_by_any_of_them() -> None:
    model = nets.net(
        lambda model, x: model.head((model.stem(x) + 0.25).flatten(1)), stem=nn.Conv2d(2, 4, 3), head=nn.Linear(144, 3)
    )
    found = LRP(model, rule="0", trace=True).interpret(IMAGES, 1)
    constant = 0.25 * model.head.weight[1].sum().detach()
    assert nets.relative(found.trace.unaccounted, constant.expand(4)) < 1e-11


def test_no_trace_unless_asked_for() -> None:
    assert LRP(sequential()).interpret(IMAGES, 1).trace is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_account_is_kept_in_double_precision(dtype: torch.dtype) -> None:
    model, images = nets.small_cnn().to(dtype), nets.digits(4).to(dtype)
    trace = LRP(model, rule="epsilon", trace=True).interpret(images, 3).trace
    assert trace.received.dtype == torch.float64
    tolerance = 1e-5 if dtype == torch.float32 else 0.1
    assert (trace.received - trace.sent - trace.absorbed).abs().max() < tolerance * trace.received.abs().max()
