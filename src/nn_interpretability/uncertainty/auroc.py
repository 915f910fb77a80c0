r"""How well a number tells pictures of two kinds apart, and how sure one can be of that; NumPy alone.

The area under the receiver operating characteristic is the chance that a picture asked for has the larger number of two
that are drawn at random, one asked for, one not:

.. math:: A = \frac{1}{m n} \sum_{i \le m} \sum_{j \le n} \left(1[s_i > t_j] + \tfrac12 \, 1[s_i = t_j]\right)

(Hanley and McNeil 1982). 0.5 is what a number without any knowledge has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn_interpretability.errors import ConfigError, DataError

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

RESAMPLES = 1000
LEVEL = 0.95

_CELLS = 1_000_000  # numbers that are held at once


@dataclass(frozen=True)
class Area:
    """An area and its bootstrap interval.

    Attributes
    ----------
    value, low, high
        In [0, 1].
    """

    value: float
    low: float
    high: float


def area(scores: ArrayLike, asked: ArrayLike) -> float | None:
    """The area alone, without its interval.

    Parameters
    ----------
    scores
        Finite, of any shape; ties count one half.
    asked
        Which of them are asked for, bool, of the same shape.

    Returns
    -------
    float or None
        None if all are asked for, or none is.

    Raises
    ------
    DataError
        If the shapes differ, or a score is not finite.
    """
    found, kinds = _checked(scores, asked)
    values, wanted = found.ravel(), kinds.ravel()
    if wanted.all() or not wanted.any():
        return None
    _, place = np.unique(values, return_inverse=True)
    return float(_areas(*_groups(place, wanted))[0])


def auroc(
    scores: ArrayLike, asked: ArrayLike, *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> Area | None:
    """The area under the receiver operating characteristic, with a percentile bootstrap interval.

    Pictures that are asked for and pictures that are not are drawn again, with replacement, each as many as there are
    (Efron and Tibshirani 1993). The interval tells how much another choice of pictures would change the area; that of
    another network, trained from another seed, is not in it.

    Parameters
    ----------
    scores
        Shape ``(n,)``; ties count one half.
    asked
        Which pictures are asked for, bool ``(n,)``.
    seed
        Of the resamples.
    resamples
        How many, at least 2.
    level
        Share of the resamples that lie in the interval, in (0, 1).

    Returns
    -------
    Area or None
        float64; None if all pictures are asked for, or none is.

    Raises
    ------
    DataError
        If the shapes differ, or a score is not finite.
    ConfigError
        If ``resamples`` or ``level`` is not allowed.
    """
    values, wanted = _checked(scores, asked)
    if values.ndim != 1:
        raise DataError(f"There are scores of shape {values.shape}: give (n,).")
    if resamples < 2 or not 0 < level < 1:
        raise ConfigError(
            f"resamples={resamples}, level={level} is not allowed: give at least 2, and a share in (0, 1)."
        )
    if wanted.all() or not wanted.any():
        return None
    _, place = np.unique(values, return_inverse=True)
    found = _areas(*_groups(place, wanted))
    drawn = _resampled(place[wanted], place[~wanted], int(place.max()) + 1, seed, resamples)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Area(float(found[0]), float(low), float(high))


def _checked(scores: ArrayLike, asked: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    values, wanted = np.asarray(scores, dtype=np.float64), np.asarray(asked, dtype=bool)
    if values.shape != wanted.shape:
        raise DataError(f"There are scores of shape {values.shape} for pictures of shape {wanted.shape}.")
    if not np.isfinite(values).all():
        raise DataError("A score is not finite, so that it has no place in the order of scores.")
    return values, wanted


def _groups(place: Counts, wanted: NDArray[np.bool_]) -> Iterator[Counts]:
    """How many asked for, and how many not, are at each place in the order of scores, ``(1, places)`` each."""
    size = int(place.max()) + 1
    return (np.bincount(place[each], minlength=size)[None] for each in (wanted, ~wanted))


def _resampled(positive: Counts, negative: Counts, size: int, seed: int, resamples: int) -> Floats:
    """Areas of resamples of two groups of places in the order of scores, some at a time."""
    generators = np.random.default_rng(seed).spawn(2)  # one each: how many are drawn at a time changes nothing
    together = max(1, _CELLS // (len(positive) + len(negative) + size))
    found = []
    for begin in range(0, resamples, together):
        count = min(together, resamples - begin)
        groups = zip((positive, negative), generators, strict=True)
        found.append(_areas(*(_drawn(group, size, generator, count) for group, generator in groups)))
    return np.concatenate(found)


def _drawn(group: Counts, size: int, generator: np.random.Generator, count: int) -> Counts:
    """How often each place was drawn, ``(count, size)``."""
    chosen = group[generator.integers(len(group), size=(count, len(group)))]
    chosen += size * np.arange(count)[:, None]
    return np.bincount(chosen.ravel(), minlength=count * size).reshape(count, size)


def _areas(positive: Counts, negative: Counts) -> Floats:
    """Areas from the pictures of each kind at each place, ``(resamples, places)``."""
    below = np.cumsum(negative, axis=1) - negative
    pairs = (positive * (below + negative / 2)).sum(axis=1)
    return np.asarray(pairs / (positive.sum(axis=1) * negative.sum(axis=1)), dtype=np.float64)
