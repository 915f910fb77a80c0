"""Bootstrap distributions of ratios, rank correlations and AUROCs over training seeds and pictures; numpy alone.

What is resampled are seeds and pictures, as in :mod:`.statistics`; a picture may have several values (one for each
angle), which stay together, and some of them may not count.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn_interpretability.claims.statistics import DRAWS, Estimate, resampling_counts

FloatArray = NDArray[np.float64]
_TOGETHER = 500


def ratio_estimate(numerator: ArrayLike, denominator: ArrayLike, *, seed: int = 0, draws: int = DRAWS) -> Estimate:
    """Sum over sum, such as a mean over those that count; 0 where the denominators sum to 0.

    Parameters
    ----------
    numerator, denominator
        Shape ``(seed, image)``; denominators are not negative.
    seed, draws
        As for :func:`~nn_interpretability.claims.statistics.mean_estimate`.
    """
    above, below = (np.asarray(values, dtype=np.float64) for values in (numerator, denominator))
    rows, columns = resampling_counts(above.shape, seed, draws)
    tops, bottoms = (np.einsum("ds,si,di->d", rows, table, columns, optimize=True) for table in (above, below))
    return Estimate(float(_ratio(above.sum(), below.sum())), _ratio(tops, bottoms))


def spearman_estimate(
    a: ArrayLike, b: ArrayLike, counted: ArrayLike | None = None, *, seed: int = 0, draws: int = DRAWS
) -> Estimate:
    """Rank correlation over all values of a training seed, the mean over seeds; 0 where one of both is constant.

    Each resampled sample is ranked anew, its repeated values tied.

    Parameters
    ----------
    a, b
        Shape ``(seed, image, value)``.
    counted
        Which of them count, of the same shape; None for all.
    seed, draws
        As for :func:`~nn_interpretability.claims.statistics.mean_estimate`.
    """
    x, y = (np.asarray(values, dtype=np.float64) for values in (a, b))

    def correlation(s: int, weights: FloatArray) -> FloatArray:
        return _weighted_spearman(x[s].ravel(), y[s].ravel(), weights)

    return _over_seeds(correlation, _counted(counted, x.shape), seed, draws)


def auroc_estimate(
    scores: ArrayLike, positive: ArrayLike, counted: ArrayLike | None = None, *, seed: int = 0, draws: int = DRAWS
) -> Estimate:
    """Chance that a positive value scores above a negative one, in a training seed, the mean over seeds.

    Ties count one half; 0.5 where there are no positives, or no negatives.

    Parameters
    ----------
    scores, positive
        Shape ``(seed, image, value)``.
    counted, seed, draws
        As for :func:`spearman_estimate`.
    """
    x, asked = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=np.float64)

    def area(s: int, weights: FloatArray) -> FloatArray:
        return _weighted_auroc(x[s].ravel(), asked[s].ravel(), weights)

    return _over_seeds(area, _counted(counted, x.shape), seed, draws)


def difference(one: Estimate, other: Estimate) -> Estimate:
    """One estimate less another, of the same resampled samples."""
    return Estimate(one.value - other.value, one.draws - other.draws)


def weighted_ranks(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Mean ranks of values that occur as often as their weights say, equal values sharing one.

    Parameters
    ----------
    values
        Shape ``(n,)``.
    weights
        Shape ``(samples, n)``, not negative.
    """
    unique, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(len(unique)))
    mass = np.add.reduceat(weights[:, order], starts, axis=1)
    ranks = mass.cumsum(axis=1) - mass / 2 + 0.5
    return np.asarray(ranks[:, group])


def _counted(counted: ArrayLike | None, shape: tuple[int, ...]) -> FloatArray:
    return np.ones(shape) if counted is None else np.asarray(counted, dtype=np.float64)


def _over_seeds(
    statistic: Callable[[int, FloatArray], FloatArray], counted: FloatArray, seed: int, draws: int
) -> Estimate:
    """A statistic of the weights of a training seed's values, ``(samples, n)``, the mean over resampled seeds."""
    seeds, images, each = counted.shape
    rows, columns = resampling_counts((seeds, images), seed, draws)
    value, found = 0.0, np.zeros(draws)
    for s in range(seeds):
        value += float(statistic(s, counted[s].reshape(1, -1))[0]) / seeds
        for begin in range(0, draws, _TOGETHER):
            part = slice(begin, begin + _TOGETHER)
            weights = np.repeat(columns[part], each, axis=1) * counted[s].ravel()
            found[part] += rows[part, s] / seeds * statistic(s, weights)
    return Estimate(value, found)


def _weighted_spearman(x: FloatArray, y: FloatArray, weights: FloatArray) -> FloatArray:
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1.0)
    first, second = (weighted_ranks(values, weights) for values in (x, y))
    first, second = (ranks - (weights * ranks).sum(axis=1, keepdims=True) / total for ranks in (first, second))
    size = np.sqrt((weights * first**2).sum(axis=1) * (weights * second**2).sum(axis=1))
    product = (weights * first * second).sum(axis=1)
    return np.asarray(np.where(size > 1e-9, product / np.where(size > 1e-9, size, 1.0), 0.0))


def _weighted_auroc(scores: FloatArray, asked: FloatArray, weights: FloatArray) -> FloatArray:
    positive = (weights * asked).sum(axis=1)
    negative = weights.sum(axis=1) - positive
    pairs = positive * negative
    above = (weights * asked * weighted_ranks(scores, weights)).sum(axis=1) - positive * (positive + 1) / 2
    return np.asarray(np.where(pairs > 0, above / np.where(pairs > 0, pairs, 1.0), 0.5))


def _ratio(above: ArrayLike, below: ArrayLike) -> FloatArray:
    tops, bottoms = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    return np.asarray(np.where(bottoms > 0, tops / np.where(bottoms > 0, bottoms, 1.0), 0.0))
