"""Intervals over training seeds and pictures, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Statistic = Callable[[FloatArray], float]

DRAWS = 10_000
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A statistic and its bootstrap distribution.

    Attributes
    ----------
    value
        Of the sample.
    draws
        Of resampled samples, shape ``(draws,)``.
    """

    value: float
    draws: FloatArray

    @property
    def interval(self) -> tuple[float, float]:
        """The central 95 % of the distribution."""
        low, high = np.quantile(self.draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(low), float(high)

    def p_above(self, bound: float) -> float:
        """One-sided p-value against "at most ``bound``": share of draws that are, with one added to both counts."""
        return float((1 + np.count_nonzero(self.draws <= bound)) / (1 + len(self.draws)))

    def p_below(self, bound: float) -> float:
        """One-sided p-value against "at least ``bound``"."""
        return float((1 + np.count_nonzero(self.draws >= bound)) / (1 + len(self.draws)))


def mean_estimate(values: ArrayLike, *, seed: int = 0, draws: int = DRAWS) -> Estimate:
    """The mean over seeds and images, resampled both ways.

    All training seeds see the same images, so both are resampled, independently: the pigeonhole bootstrap (Owen 2007),
    which errs on the side of wide intervals. One seed alone is not resampled; the interval then speaks of images only.

    Parameters
    ----------
    values
        Shape ``(seed, image)``, or ``(image,)``.
    seed
        Of the resampling.
    draws
        Number of resampled samples.
    """
    table = _table(values)
    rows, columns = resampling_counts(table.shape, seed, draws)
    means = np.einsum("ds,si,di->d", rows, table, columns, optimize=True) / table.size
    return Estimate(float(table.mean()), means)


def estimate(values: ArrayLike, statistic: Statistic, *, seed: int = 0, draws: int = DRAWS) -> Estimate:
    """Any statistic of seeds and images, resampled both ways as in :func:`mean_estimate`.

    Parameters
    ----------
    values
        Shape ``(seed, image, ...)``: what belongs to one image of one seed stays together.
    statistic
        From an array of this shape to a number.
    seed, draws
        As for :func:`mean_estimate`.
    """
    table = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    seeds, images = table.shape[:2]
    found = np.empty(draws)
    for draw in range(draws):
        chosen = np.ix_(rng.integers(0, seeds, size=seeds), rng.integers(0, images, size=images))
        found[draw] = statistic(table[chosen])
    return Estimate(float(statistic(table)), found)


def holm(p_values: ArrayLike) -> FloatArray:
    """P-values adjusted for their number (Holm 1979), in the order given.

    Parameters
    ----------
    p_values
        Shape ``(n,)``, in [0, 1].
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def _table(values: ArrayLike) -> FloatArray:
    table = np.asarray(values, dtype=np.float64)
    return table[None] if table.ndim == 1 else table


@lru_cache(maxsize=2)
def resampling_counts(shape: tuple[int, ...], seed: int, draws: int) -> tuple[FloatArray, FloatArray]:
    """How often each seed and image is drawn, float64 ``(draws, seed)`` and ``(draws, image)``; not to be changed."""
    rng = np.random.default_rng(seed)
    rows, columns = (rng.multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64) for n in shape)
    for counts in (rows, columns):
        counts.setflags(write=False)
    return rows, columns
