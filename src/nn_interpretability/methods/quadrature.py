"""Points and weights of integration over [0, 1]."""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from nn_interpretability.errors import ConfigError

Quadrature = Literal["midpoint", "trapezoid", "left", "right", "gauss_legendre"]
Floats = npt.NDArray[np.float64]


def quadrature_points(name: Quadrature, steps: int) -> tuple[Floats, Floats]:
    r"""Nodes in [0, 1] and weights whose sum, rounded once, is exactly 1.

    With n steps and k = 0, ..., n - 1:

    ==================  ===========================  ========================================
    name                nodes                        weights
    ==================  ===========================  ========================================
    ``midpoint``        (k + 1/2) / n                1 / n
    ``left``            k / n                        1 / n
    ``right``           (k + 1) / n                  1 / n
    ``trapezoid``       k / (n - 1)                  1 / (n - 1), half of it at both ends
    ``gauss_legendre``  (1 + xi_k) / 2               w_k / 2; exact for degree 2 n - 1
    ==================  ===========================  ========================================

    Parameters
    ----------
    name
        Which rule.
    steps
        Number of nodes n >= 1 (>= 2 for the trapezoid).

    Raises
    ------
    ConfigError
        If there is no such rule, or the number is too small.
    """
    if name not in get_args(Quadrature):
        allowed = ", ".join(map(repr, get_args(Quadrature)))
        raise ConfigError(f"quadrature={name!r} is not allowed: choose one of {allowed}.")
    least = 2 if name == "trapezoid" else 1
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < least:
        raise ConfigError(f"steps={steps!r} is not allowed: give an integer >= {least} for the {name} rule.")
    nodes, weights = _points(name, steps)
    # Rounding of the single weights is put right at the largest one.
    place = int(np.argmax(weights))
    while (gap := 1.0 - math.fsum(weights)) != 0.0:
        weights[place] += gap
    return nodes, weights


def _points(name: Quadrature, n: int) -> tuple[Floats, Floats]:
    k = np.arange(n, dtype=np.float64)
    if name == "gauss_legendre":
        nodes, weights = np.polynomial.legendre.leggauss(n)
        return (1 + nodes) / 2, weights / 2
    if name == "trapezoid":
        weights = np.full(n, 1 / (n - 1))
        weights[[0, -1]] /= 2
        return k / (n - 1), weights
    offset = {"midpoint": 0.5, "left": 0.0, "right": 1.0}[name]
    return (k + offset) / n, np.full(n, 1 / n)
