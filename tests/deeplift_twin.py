"""DeepLIFT written out in NumPy, one unit at a time, straight from the paper: slow, and independent of the package.

A network is a list of layers, each on flat vectors: ``Dense`` (matrix and bias), ``Nonlinear`` (a function and its
derivatives from either side), ``Pool`` (windows of positions). Shrikumar et al. 2017, sections 3.2 to 3.5, and the
supplement for the Linear rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

Vector = np.ndarray[Any, np.dtype[np.float64]]
TINY = 1e-13


@dataclass
class Dense:
    matrix: Vector
    bias: Vector

    def __call__(self, x: Vector) -> Vector:
        return self.matrix @ x + self.bias


@dataclass
class Nonlinear:
    function: Callable[[float], float]
    below: Callable[[float], float]
    above: Callable[[float], float]
    at: Callable[[float], float]
    rule: str = "rescale"

    def __call__(self, x: Vector) -> Vector:
        return np.array([self.function(v) for v in x])


@dataclass
class Pool:
    windows: Sequence[Sequence[int]]

    def __call__(self, x: Vector) -> Vector:
        return np.array([max(x[i] for i in window) for window in self.windows])


def relu(rule: str) -> Nonlinear:
    return Nonlinear(
        lambda v: max(v, 0.0), lambda v: float(v > 0), lambda v: float(v >= 0), lambda v: float(v > 0), rule
    )


def tanh(rule: str) -> Nonlinear:
    slope = lambda v: 1 - np.tanh(v) ** 2  # noqa: E731
    return Nonlinear(np.tanh, slope, slope, slope, rule)


def sigmoid(rule: str) -> Nonlinear:
    def value(v: float) -> float:
        return float(1 / (1 + np.exp(-v)))

    def slope(v: float) -> float:
        return value(v) * (1 - value(v))

    return Nonlinear(value, slope, slope, slope, rule)


def multipliers(layers: Sequence[Any], x: Vector, x0: Vector, output: int, *, linear: bool = True) -> Vector:
    """The multipliers of one output; ``linear`` False splits every difference by its own sign."""
    values, bases = [x], [x0]
    for layer in layers:
        values.append(layer(values[-1]))
        bases.append(layer(bases[-1]))
    plus = minus = np.eye(len(values[-1]))[output]
    for i in reversed(range(len(layers))):
        layer, before, base = layers[i], values[i], bases[i]
        if isinstance(layer, Dense):
            plus = minus = _through_dense(layer, before - base, plus, minus)
        elif isinstance(layer, Pool):
            plus = minus = _through_pool(layer, before, base, plus)
        else:
            split = linear and i > 0 and isinstance(layers[i - 1], Dense)
            parts = _products(layers[i - 1], values[i - 1] - bases[i - 1]) if split else _own_sign(before - base)
            plus, minus = _through_nonlinear(layer, before, base, plus, parts)
            if not split:
                change = before - base
                plus = minus = np.where(change > 0, plus, np.where(change < 0, minus, (plus + minus) / 2))
    return plus


def _products(layer: Dense, change: Vector) -> tuple[Vector, Vector]:
    """What the positive and the negative products of weight and difference sum to, for each unit."""
    products = layer.matrix * change
    return np.where(products > 0, products, 0).sum(axis=1), np.where(products < 0, products, 0).sum(axis=1)


def _own_sign(change: Vector) -> tuple[Vector, Vector]:
    return np.maximum(change, 0), np.minimum(change, 0)


def _through_dense(layer: Dense, change: Vector, plus: Vector, minus: Vector) -> Vector:
    found = np.zeros(len(change))
    for i, dx in enumerate(change):
        for k in range(len(plus)):
            w = layer.matrix[k, i]
            if dx == 0:
                found[i] += 0.5 * w * (plus[k] + minus[k])
            else:
                found[i] += w * (plus[k] if w * dx > 0 else minus[k])
    return found


def _through_pool(layer: Pool, before: Vector, base: Vector, given: Vector) -> Vector:
    credit, slope = np.zeros(len(before)), np.zeros(len(before))
    for window, m in zip(layer.windows, given, strict=True):
        winner = max(window, key=lambda i: before[i])
        base_winner = max(window, key=lambda i: base[i])
        y, y0 = before[winner], base[base_winner]
        top = max(y, y0)
        credit[winner] += m * (top - y0)
        credit[base_winner] += m * (y - top)
        if before[winner] == base[winner] == y == y0:
            slope[winner] += m  # nothing to hand on: the limit
    change = before - base
    return np.array([c / d if d != 0 else s for c, d, s in zip(credit, change, slope, strict=True)])


def _through_nonlinear(
    layer: Nonlinear, before: Vector, base: Vector, given: Vector, parts: tuple[Vector, Vector]
) -> tuple[Vector, Vector]:
    f, pluses, minuses = layer.function, [], []
    for x, x0, m, dp, dn in zip(before, base, given, *parts, strict=True):
        if layer.rule == "gradient":
            mp = mn = layer.at(x)
        elif layer.rule == "rescale":
            mp = mn = (f(x) - f(x0)) / (x - x0) if abs(x - x0) > TINY else layer.at(x0)
        else:
            up = 0.5 * (f(x0 + dp) - f(x0)) + 0.5 * (f(x0 + dn + dp) - f(x0 + dn))
            down = 0.5 * (f(x0 + dn) - f(x0)) + 0.5 * (f(x0 + dp + dn) - f(x0 + dp))
            mp = up / dp if abs(dp) > TINY else 0.5 * (layer.above(x0) + layer.above(x0 + dn))
            mn = down / dn if abs(dn) > TINY else 0.5 * (layer.below(x0) + layer.below(x0 + dp))
        pluses.append(m * mp)
        minuses.append(m * mn)
    return np.array(pluses), np.array(minuses)


def as_matrix(layer: nn.Module, shape: tuple[int, ...]) -> Dense:
    """A linear layer of torch on inputs of this shape (without the batch) as a matrix."""
    size = int(np.prod(shape))
    with torch.no_grad():
        bias = layer(torch.zeros(1, *shape, dtype=torch.float64)).flatten()
        columns = layer(torch.eye(size, dtype=torch.float64).reshape(size, *shape)).flatten(1) - bias
    return Dense(columns.T.numpy().copy(), bias.numpy().copy())


def windows(shape: tuple[int, int, int], size: int, stride: int, padding: int = 0) -> Pool:
    """The windows of a two-dimensional max-pooling."""
    channels, height, width = shape
    rows = range(-padding, height + padding - size + 1, stride)
    columns = range(-padding, width + padding - size + 1, stride)

    def window(c: int, top: int, left: int) -> list[int]:
        ys = range(max(top, 0), min(top + size, height))
        xs = range(max(left, 0), min(left + size, width))
        return [(c * height + y) * width + x for y in ys for x in xs]

    return Pool([window(c, top, left) for c in range(channels) for top in rows for left in columns])
