"""How alike two arrays are: relative error, sign agreement, rank correlation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

__all__ = ["Likeness", "likeness", "rank_correlation", "relative_errors"]

#: A picture fainter than this share of the largest value of its array is measured against this share.
FAINTEST = 1e-3


@dataclass(frozen=True)
class Likeness:
    """What two arrays have in common.

    Attributes
    ----------
    relative_error
        The largest difference as a share of the largest magnitude on either side, 0 to 2; of pictures, in each
        picture by itself.
    sign_agreement
        The share of values of the same sign among those beyond `floor` on both sides; 1 where there is none.
    rank_correlation
        Spearman's, with values within the floor counted as zero; None if one side is constant.
    """

    relative_error: float
    sign_agreement: float
    rank_correlation: float | None


def likeness(a: npt.NDArray[Any], b: npt.NDArray[Any], *, pictures: bool = False, floor: float = 1e-4) -> Likeness:
    """Compare two finite arrays of one shape.

    Parameters
    ----------
    a, b
        Numbers or booleans; the order does not matter.
    pictures
        Whether the last two axes are those of a picture: each is then compared on its own scale, so that a bright
        one does not hide a faint one.
    floor
        Share of the largest magnitude below which a value has no sign and no rank: it may be a rounding error.

    Returns
    -------
    Likeness
        Two empty arrays are the same.

    References
    ----------
    Spearman 1904, The proof and measurement of association between two things.
    """
    one, other = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if one.size == 0:
        return Likeness(0.0, 1.0, None)
    scale = _scale(one, other, pictures)
    one, other = one / scale, other / scale
    both = (np.abs(one) > floor) & (np.abs(other) > floor)
    agreeing = np.sign(one[both]) == np.sign(other[both])
    return Likeness(
        relative_error=float(np.abs(one - other).max()),
        sign_agreement=float(agreeing.mean()) if agreeing.size else 1.0,
        rank_correlation=rank_correlation(_above(one, floor), _above(other, floor)),
    )


def relative_errors(a: npt.NDArray[Any], b: npt.NDArray[Any], *, least: float) -> npt.NDArray[np.float64]:
    """Differences of numbers, each as a share of the larger magnitude of its two, or of `least` if that is more."""
    one, other = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.asarray(np.abs(one - other) / np.maximum(np.maximum(np.abs(one), np.abs(other)), least), np.float64)


def rank_correlation(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float | None:
    """Spearman's rank correlation of all values, equal ones sharing their mean rank; None if one side is constant."""
    one, other = (rankdata(values, axis=None) for values in (a, b))
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sqrt(one @ one) * np.sqrt(other @ other))
    return None if size == 0 else float(np.clip(one @ other / size, -1, 1))


def _scale(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64], pictures: bool) -> npt.NDArray[np.float64]:
    magnitude = np.maximum(np.abs(one), np.abs(other))
    largest = np.asarray(magnitude.max())
    if pictures and one.ndim > 2:
        largest = np.maximum(magnitude.max(axis=(-2, -1), keepdims=True), FAINTEST * largest)
    return np.where(largest > 0, largest, 1.0)


def _above(values: npt.NDArray[np.float64], floor: float) -> npt.NDArray[np.float64]:
    return np.where(np.abs(values) > floor, values, 0.0)
