"""Trends of numbers in a given order; no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def kendall(values: ArrayLike) -> NDArray[np.float64]:
    """Kendall's tau-a of values with their order along the last axis: 1 if they only rise, -1 if they only fall.

    Parameters
    ----------
    values
        Shape ``(..., n)``, n at least 2; pairs of equal values count 0.
    """
    v = np.asarray(values, dtype=np.float64)
    first, second = np.triu_indices(v.shape[-1], k=1)
    tau: NDArray[np.float64] = np.sign(v[..., second] - v[..., first]).mean(axis=-1)
    return tau
