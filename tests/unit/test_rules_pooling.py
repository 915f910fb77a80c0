"""Max-pooling against a literal transcription: the winner takes all, or each value of a window its proportion."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import nets
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability import LRP
from nn_interpretability.errors import ConfigError, CoverageError, CoverageWarning

POOLS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "plain": (nn.MaxPool2d(2), (2, 4, 4)),
    "overlapping": (nn.MaxPool2d(3, stride=1), (1, 5, 4)),
    "padded": (nn.MaxPool2d(3, stride=2, padding=1), (2, 5, 5)),
    "rounded up": (nn.MaxPool2d(2, stride=2, ceil_mode=True), (1, 5, 3)),
    "padded and rounded up": (nn.MaxPool2d((3, 2), stride=(2, 3), padding=(1, 0), ceil_mode=True), (1, 4, 7)),
    "one axis": (nn.MaxPool1d(3, stride=2), (2, 8)),
    "three axes": (nn.MaxPool3d(2), (1, 2, 4, 2)),
    "adaptive": (nn.AdaptiveMaxPool2d((2, 3)), (2, 5, 7)),
    "adaptive, one axis": (nn.AdaptiveMaxPool1d(3), (2, 7)),
}


def windows(name: str) -> list[list[int]]:
    """Flat positions of the values of each window, found by asking the pool: which one value can win it."""
    pool, shape = POOLS[name]
    size = torch.Size(shape).numel()
    lit = torch.full((size, *shape), -1.0, dtype=torch.float64)
    for j in range(size):
        lit[j].view(-1)[j] = 1.0
    wins = pool(lit).flatten(1) > 0
    return [wins[:, k].nonzero().flatten().tolist() for k in range(wins.shape[1])]


def literal(name: str, values: Tensor, start: Tensor, rule: Mapping[str, Any]) -> tuple[Tensor, float, float]:
    """Relevance of one sample's values, and what the stabilizer took and dead windows blocked."""
    a, sent = values.flatten().tolist(), [0.0] * values.numel()
    every = windows(name)
    tops = [max(a[j] for j in window) for window in every]
    winner = rule["pooling"] == "winner"
    denominators = tops if winner else [sum(a[j] for j in window) for window in every]
    stabilized = blocked = 0.0
    for window, top, denominator, share in zip(every, tops, denominators, start.tolist(), strict=True):
        relevance = top * share
        added = rule.get("epsilon", 0.0) * (1 if denominator >= 0 else -1)
        if denominator + added == 0:
            blocked += relevance
            continue
        for j in [next(j for j in window if a[j] == top)] if winner else window:
            sent[j] += a[j] / (denominator + added) * relevance
        stabilized += added / (denominator + added) * relevance
    return torch.tensor(sent, dtype=torch.float64).reshape(values.shape), stabilized, blocked


KINDS = ("positive", "any sign", "many equal")


def some_values(kind: str, shape: tuple[int, ...]) -> Tensor:
    values = nets.uniform(2, *shape, low=0 if kind == "positive" else -1, seed=31)
    return (values * 2).round() / 2 if kind == "many equal" else values


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("pooling", "epsilon"), [("winner", None), ("winner", 0.25), ("proportional", None)])
@pytest.mark.parametrize("name", POOLS)
def test_a_pooling_rule_is_its_formula(name: str, pooling: Any, epsilon: float | None, kind: str) -> None:
    pool, shape = POOLS[name]
    values = some_values(kind, shape)
    rule: dict[str, Any] = {"pooling": pooling}
    if epsilon:
        rule["epsilon"] = epsilon
        pools = {"*max_pool*": {"rule": "epsilon", "epsilon": epsilon}}
    model = nn.Sequential(pool, nn.Flatten())
    start = nets.uniform(2, model(values).shape[1], low=-1, seed=32)
    found = LRP(model, pooling=pooling, composite=pools if epsilon else None, trace=True).interpret(values, start)
    for i in range(2):
        sent, stabilized, blocked = literal(name, values[i], start[i], rule)
        assert (found.values[i] - sent).abs().max() < 1e-12 * max(1.0, sent.abs().max())
        if pooling == "winner" and not epsilon:
            assert found.trace.layers == ()  # nothing that a trace would have to tell
            continue
        assert float(found.trace.sent[0, i]) == pytest.approx(float(sent.sum()), abs=1e-11)
        assert float(found.trace.stabilizer[0, i]) == pytest.approx(stabilized, abs=1e-11)
        assert float(found.trace.blocked[0, i]) == pytest.approx(blocked, abs=1e-11)


def test_windows_are_what_the_test_takes_them_for() -> None:
    assert windows("one axis")[:3] == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    assert windows("plain")[0] == [0, 1, 4, 5]


def test_the_first_of_equals_wins() -> None:
    values = torch.ones(1, 1, 4, 4, dtype=torch.float64)
    found = LRP(nn.Sequential(nn.MaxPool2d(2), nn.Flatten())).interpret(values, torch.ones(1, 4)).values[0, 0]
    expected = torch.zeros(4, 4, dtype=torch.float64)
    for y, x in product((0, 2), (0, 2)):
        expected[y, x] = 1
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: F.max_pool2d(x, 2),
        lambda x: F.max_pool2d(x, kernel_size=2, stride=2),
        lambda x: F.max_pool2d(input=x, kernel_size=(2, 2)),
        lambda x: torch.max_pool2d(x, 2),
        lambda x: torch.max_pool2d(x, [2, 2], [2, 2], [0, 0], [1, 1], False),
        lambda x: F.adaptive_max_pool2d(x, 2),
        lambda x: F.adaptive_max_pool2d(x, output_size=(2, 2)),
    ],
)
@pytest.mark.parametrize("pooling", ["winner", "proportional"])
def test_ways_to_call_a_pool(call: Any, pooling: Any) -> None:
    values, start = nets.uniform(2, 2, 4, 4), nets.uniform(2, 8)
    expected = LRP(nn.Sequential(nn.MaxPool2d(2), nn.Flatten()), pooling=pooling).interpret(values, start).values
    model = nets.Net(lambda _, x: call(x).flatten(1))
    assert torch.equal(LRP(model, pooling=pooling, strict=True).interpret(values, start).values, expected)


POOLS_WITHOUT_A_RULE = {
    "max_pool2d_with_indices with indices": lambda x: F.max_pool2d(x, 2, return_indices=True)[0],
    "adaptive_max_pool2d_with_indices with indices": lambda x: F.adaptive_max_pool2d(x, 2, True)[0],
    "max_pool2d with dilation": lambda x: F.max_pool2d(x, 2, stride=1, dilation=2),
}


@pytest.mark.parametrize("name", POOLS_WITHOUT_A_RULE)
def test_pools_that_cannot_be_proportional_say_so(name: str) -> None:
    values = nets.uniform(2, 2, 4, 4)
    model = nets.Net(lambda _, x: POOLS_WITHOUT_A_RULE[name](x).flatten(1))
    winner = LRP(model, strict=True).interpret(values, 0).values
    with pytest.raises(CoverageError, match=name):
        LRP(model, pooling="proportional", strict=True).interpret(values, 0)
    with pytest.warns(CoverageWarning):
        assert torch.equal(LRP(model, pooling="proportional").interpret(values, 0).values, winner)


def test_pools_are_chosen_by_name_and_kind() -> None:
    def forward(_: Any, x: Tensor) -> Tensor:
        return F.adaptive_max_pool2d(F.max_pool2d(F.max_pool2d(x, 2, 1), 2, 1), 2).flatten(1)

    stabilized = {"rule": "epsilon", "epsilon": 0.1}
    values = nets.uniform(2, 1, 6, 6)
    for composite, layers in [
        ({"max_pool2d_1": stabilized}, ("max_pool2d_1",)),
        ({"max_pool2d": stabilized}, ("max_pool2d_0", "max_pool2d_1")),
        ({"adaptive_max_pool2d": stabilized, "max_pool2d": "0"}, ("adaptive_max_pool2d_0",)),
        ({"max_pool2d": "epsilon"}, ("max_pool2d_0", "max_pool2d_1")),
    ]:
        trace = LRP(nets.Net(forward), composite=composite, trace=True).interpret(values, 0).trace
        assert trace.layers == layers
        assert (trace.stabilizer > 0).all()
        assert set(trace.rules) == {"winner, stabilized"}


def test_rules_for_weights_are_not_for_pools() -> None:
    with pytest.raises(ConfigError, match="Max-pooling has the rules '0' and 'epsilon', not 'z_plus'"):
        LRP(nn.Sequential(nn.MaxPool2d(2), nn.Flatten()), composite={"max_pool2d": "z_plus"}).interpret(
            nets.uniform(1, 1, 4, 4), 0
        )
