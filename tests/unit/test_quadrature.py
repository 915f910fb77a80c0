"""Points and weights of integration."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.quadrature import quadrature_points

NAMES = ["midpoint", "trapezoid", "left", "right", "gauss_legendre"]


@pytest.mark.parametrize("name", NAMES)
def test_weights_sum_to_one_exactly(name: Any) -> None:
    for steps in range(2, 300):
        nodes, weights = quadrature_points(name, steps)
        assert math.fsum(weights) == 1.0, steps
        assert len(nodes) == len(weights) == steps
        assert (weights > 0).all()
        assert ((nodes >= 0) & (nodes <= 1)).all()


def test_nodes() -> None:
    assert quadrature_points("left", 4)[0].tolist() == [0, 0.25, 0.5, 0.75]
    assert quadrature_points("right", 4)[0].tolist() == [0.25, 0.5, 0.75, 1]
    assert quadrature_points("midpoint", 4)[0].tolist() == [0.125, 0.375, 0.625, 0.875]
    nodes, weights = quadrature_points("trapezoid", 5)
    assert nodes.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert weights.tolist() == [0.125, 0.25, 0.25, 0.25, 0.125]
    assert quadrature_points("gauss_legendre", 1)[0].tolist() == [0.5]


@pytest.mark.parametrize("steps", [1, 2, 5, 9])
def test_gauss_is_exact_up_to_degree_2n_minus_1_and_no_further(steps: int) -> None:
    nodes, weights = quadrature_points("gauss_legendre", steps)
    errors = [abs(np.sum(weights * nodes**d) - 1 / (d + 1)) for d in range(2 * steps + 1)]
    assert max(errors[:-1]) < 1e-15
    assert errors[-1] > 1e-12


@pytest.mark.parametrize(("name", "order"), [("left", 1), ("right", 1), ("midpoint", 2), ("trapezoid", 2)])
def test_orders_of_convergence(name: Any, order: int) -> None:
    def error(steps: int) -> float:
        nodes, weights = quadrature_points(name, steps)
        return abs(float(np.sum(weights * np.exp(nodes))) - (math.e - 1))

    assert math.log2(error(64) / error(128)) == pytest.approx(order, abs=0.05)


@pytest.mark.parametrize(
    ("name", "steps", "words"),
    [
        ("simpson", 4, "quadrature='simpson' is not allowed: choose one of 'midpoint'"),
        ("midpoint", 0, "steps=0 is not allowed: give an integer >= 1"),
        ("trapezoid", 1, "steps=1 is not allowed: give an integer >= 2"),
        ("left", 2.0, "steps=2.0"),
        ("left", True, "steps=True"),
    ],
)
def test_what_is_refused(name: Any, steps: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        quadrature_points(name, steps)
