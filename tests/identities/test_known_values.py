"""Explanations that can be worked out by hand."""

from __future__ import annotations

import pytest
import torch
from known_values import (
    GRADIENT_VALUES,
    LRP_VALUES,
    RELU_GRADIENT,
    RELU_GRADIENT_FROM_ABOVE,
    RELU_INPUT,
    THRESHOLD,
    Function,
    KnownValue,
)
from torch import Tensor, nn

from nn_interpretability import LRP, Gradient, InputXGradient
from nn_interpretability.attribution import Attribution
from nn_interpretability.methods.base import Method


def explained(known: KnownValue, method: Method) -> Attribution:
    attribution = method.interpret(torch.tensor([known.given], dtype=torch.float64), 0)
    if known.score is not None:
        assert attribution.score.tolist() == pytest.approx([known.score], abs=1e-12)
    return attribution


@pytest.mark.parametrize("name", LRP_VALUES)
def test_lrp(name: str) -> None:
    known = LRP_VALUES[name]
    found = explained(known, LRP(known.model(), **known.settings, strict=True)).values
    assert found[0].tolist() == pytest.approx(list(known.expected), abs=1e-11)


@pytest.mark.parametrize("name", GRADIENT_VALUES)
def test_gradient(name: str) -> None:
    known = GRADIENT_VALUES[name]
    assert explained(known, Gradient(known.model())).values[0].tolist() == list(known.expected)
    products = [g * x for g, x in zip(known.expected, known.given, strict=True)]
    assert explained(known, InputXGradient(known.model())).values[0].tolist() == products


def test_input_x_gradient_jumps_at_a_threshold() -> None:
    model = Function(lambda a, b: torch.relu(a - 10) + 0 * b)
    given = torch.tensor([[x, 0.0] for x in THRESHOLD], dtype=torch.float64)
    assert InputXGradient(model).interpret(given, 0).values[:, 0].tolist() == list(THRESHOLD.values())


def test_the_gradient_of_a_relu() -> None:
    def flat(rows: tuple[tuple[float, ...], ...]) -> Tensor:
        return torch.tensor(rows, dtype=torch.float64).reshape(1, -1)

    found = Gradient(nn.ReLU()).interpret(flat(RELU_INPUT), flat(RELU_GRADIENT_FROM_ABOVE)).values
    assert torch.equal(found, flat(RELU_GRADIENT))
