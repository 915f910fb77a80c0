"""How much two samples overlap, for many pairs of samples at once; numpy alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def histogram_overlap(a: FloatArray, b: FloatArray, bins: int) -> FloatArray:
    r"""Common area of the histograms of two samples, :math:`\sum_j \min(h_j, g_j)`.

    Parameters
    ----------
    a, b
        Shape ``(P, N)``: N pairs of samples of P values.
    bins
        Of equal width, from the smallest to the largest value of both samples together.

    Returns
    -------
    ndarray
        Shape ``(N,)``, 0 (apart) to 1 (the same histogram).
    """
    low = np.minimum(a.min(axis=0), b.min(axis=0))
    width = np.maximum(a.max(axis=0), b.max(axis=0)) - low
    scale = np.where(width > 0, bins / np.where(width > 0, width, 1.0), 0.0)
    shares = [_shares(np.minimum(((x - low) * scale).astype(np.int64), bins - 1), bins) for x in (a, b)]
    return np.asarray(np.minimum(*shares).sum(axis=1))


def distribution_overlap(a: FloatArray, b: FloatArray) -> FloatArray:
    r"""The same without bins: 1 less the largest distance of the distribution functions, :math:`1 - \max |F_a - F_b|`.

    That distance (Kolmogorov and Smirnov) does not change under a growing function of the values. Arguments and result
    as for :func:`histogram_overlap`.
    """
    values = np.concatenate([a, b])
    order = np.argsort(values, axis=0, kind="stable")
    step = np.where(order < len(a), 1 / len(a), -1 / len(b))
    distance = np.abs(step.cumsum(axis=0))
    ordered = np.take_along_axis(values, order, axis=0)
    tied = np.zeros(ordered.shape, dtype=bool)
    tied[:-1] = ordered[:-1] == ordered[1:]
    return np.asarray(1 - np.where(tied, 0.0, distance).max(axis=0))


def _shares(places: NDArray[np.int64], bins: int) -> FloatArray:
    count, samples = places.shape
    flat = np.bincount((places + bins * np.arange(samples)).ravel(), minlength=bins * samples)
    return np.asarray(flat.reshape(samples, bins) / count)
