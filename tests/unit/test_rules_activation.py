"""Activations pass relevance on unchanged, whatever their derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nets
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability import LRP

VALUES = torch.cat([nets.uniform(1, 40, low=-4, high=4), torch.tensor([[0.5, -0.5, 3.0, -3.0]]).double()], 1)

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "prelu": lambda x: F.prelu(x, torch.tensor([0.2], dtype=x.dtype)),
    "rrelu": F.rrelu,
    "relu6": F.relu6,
    "elu": F.elu,
    "celu": F.celu,
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "hardswish": F.hardswish,
    "hardsigmoid": F.hardsigmoid,
    "hardtanh": F.hardtanh,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "logsigmoid": F.logsigmoid,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "tanhshrink": F.tanhshrink,
    "softshrink": F.softshrink,
    "hardshrink": F.hardshrink,
    "threshold": lambda x: F.threshold(x, 0.1, 0.05),
    "clamp": lambda x: x.clamp(-1, 2),
    "clip": lambda x: torch.clip(x, min=-0.5),
    "method": lambda x: x.sigmoid(),
    "keyword": lambda x: F.silu(input=x),
}
IN_PLACE: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": lambda x: F.relu(x, inplace=True),
    "relu_": torch.relu_,
    "leaky_relu": F.leaky_relu_,
    "relu6": lambda x: F.relu6(x, inplace=True),
    "elu": lambda x: F.elu(x, inplace=True),
    "celu": lambda x: F.celu(x, inplace=True),
    "selu": lambda x: F.selu(x, inplace=True),
    "silu": lambda x: F.silu(x, inplace=True),
    "mish": lambda x: F.mish(x, inplace=True),
    "hardswish": lambda x: F.hardswish(x, inplace=True),
    "hardsigmoid": lambda x: F.hardsigmoid(x, inplace=True),
    "hardtanh": lambda x: F.hardtanh(x, inplace=True),
    "sigmoid": lambda x: x.sigmoid_(),
    "tanh": torch.tanh_,
    "clamp": lambda x: x.clamp_(-1, 2),
    "threshold": lambda x: F.threshold(x, 0.1, 0.05, inplace=True),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_relevance_of_an_output_is_that_of_its_input(name: str) -> None:
    model = nets.Net(lambda _, x: ACTIVATIONS[name](x))
    start = nets.uniform(1, VALUES.shape[1], low=-1, seed=3)
    found = LRP(model, strict=True).interpret(VALUES, start)
    assert (found.values - found.logits * start).abs().max() < 1e-14


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_it_is_the_same(name: str) -> None:
    """Between two layers, of which the first one's output is overwritten."""
    activation = IN_PLACE[name]
    model = nets.net(
        lambda model, x: model.second(activation(model.first(x))), first=nn.Linear(5, 8), second=nn.Linear(8, 3)
    )
    apart = nets.net(
        lambda model, x: model.second(activation(model.first(x).clone())), first=nn.Linear(5, 8), second=nn.Linear(8, 3)
    )
    values = nets.uniform(4, 5, low=-3)
    for settings in ({"rule": "0"}, {"rule": "epsilon"}, {"rule": "alpha_beta", "alpha": 2, "beta": 1}):
        found = LRP(model, **settings, trace=True, strict=True).interpret(values, 1)
        expected = LRP(apart, **settings, trace=True, strict=True).interpret(values, 1)
        assert torch.equal(found.values, expected.values)
        assert torch.equal(found.trace.received, expected.trace.received)
        assert torch.equal(found.logits, model(values))


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_the_result_need_not_be_taken(name: str) -> None:
    def forward(model: Any, x: Tensor) -> Tensor:
        hidden = model.first(x)
        IN_PLACE[name](hidden)
        return model.second(hidden)

    model = nets.net(forward, first=nn.Linear(5, 8), second=nn.Linear(8, 3))
    taken = nets.net(
        lambda model, x: model.second(IN_PLACE[name](model.first(x))), first=nn.Linear(5, 8), second=nn.Linear(8, 3)
    )
    values = nets.uniform(4, 5, low=-3)
    found = LRP(model, rule="0", strict=True).interpret(values, 1)
    assert torch.equal(found.logits, model(values))
    assert torch.equal(found.values, LRP(taken, rule="0").interpret(values, 1).values)


def test_at_zero_there_is_no_slope_to_pass_relevance_by() -> None:
    """sigmoid(0) = 1/2 cannot be written as zero times anything; the map says so by its sum, not by NaN."""
    values = torch.zeros(1, 3, dtype=torch.float64)
    found = LRP(nn.Sigmoid()).interpret(values, 1)
    assert not found.values.any()
    assert found.score.tolist() == [0.5]
    assert found.completeness_error.tolist() == [1]


def test_at_a_zero_that_is_a_difference_nothing_is_passed_on_either() -> None:
    model = nets.Net(lambda _, x: torch.sigmoid(x[:, :1] - x[:, 1:]))
    assert not LRP(model).interpret(torch.ones(1, 2, dtype=torch.float64), 0).values.any()


def test_an_activation_of_something_written_over_later() -> None:
    """The slope belongs to the values at the time of the call."""

    def forward(model: Any, x: Tensor) -> Tensor:
        hidden = model.first(x)
        active = F.silu(hidden + 0)
        hidden *= 3
        return model.second(active) + 0 * hidden[:, :3]

    model = nets.net(forward, first=nn.Linear(5, 8), second=nn.Linear(8, 3))
    plain = nets.net(
        lambda model, x: model.second(F.silu(model.first(x))), first=nn.Linear(5, 8), second=nn.Linear(8, 3)
    )
    values = nets.uniform(4, 5, low=-3)
    found = LRP(model, rule="0").interpret(values, 1).values
    assert nets.relative(found, LRP(plain, rule="0").interpret(values, 1).values) < 1e-12
