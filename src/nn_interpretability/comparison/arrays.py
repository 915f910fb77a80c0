"""The arrays behind a figure, compared name by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nn_interpretability.comparison.measures import likeness
from nn_interpretability.comparison.outcome import Outcome, only_in
from nn_interpretability.comparison.tolerances import EXACT, FLOAT, Tolerance
from nn_interpretability.storage.hdf5 import Product

__all__ = ["NamedArray", "compare_arrays", "named_arrays"]


@dataclass(frozen=True)
class NamedArray:
    """Values, and whether their last two axes are those of a picture."""

    values: npt.NDArray[Any]
    pictures: bool = False


def named_arrays(product: Product) -> dict[str, NamedArray]:
    """Return what a figure data file holds, by name.

    An array whose first dimension has words as coordinates is taken apart: each map is then compared by its own name
    (``maps[lrp_0]``) and on its own scale, wherever it stands. Coordinates that only count are left out.
    """
    found: dict[str, NamedArray] = {}
    for name, array in product.arrays.items():
        pictures = [dim.partition("_")[0] for dim in array.dims[-2:]] == ["y", "x"]
        words = _names(product.scales.get(array.dims[0])) if array.dims else None
        if words is None:
            found[name] = NamedArray(array.values, pictures)
        else:
            for word, values in zip(words, array.values, strict=True):
                found[f"{name}[{word}]"] = NamedArray(np.asarray(values), pictures)
    for name, values in product.scales.items():
        if values.dtype.kind in "fU" or not np.array_equal(values, np.arange(len(values))):
            found[name] = NamedArray(values)
    return found


def compare_arrays(
    group: str,
    a: Mapping[str, NamedArray],
    b: Mapping[str, NamedArray],
    *,
    sides: tuple[str, str] = ("A", "B"),
    floats: Tolerance = FLOAT,
) -> list[Outcome]:
    """Compare the arrays of one figure of two runs.

    Parameters
    ----------
    group
        The figure.
    a, b
        Its arrays, from :func:`named_arrays`.
    sides
        How the two runs are called in words.
    floats
        The tolerance for floating-point numbers; all else must be equal.

    Returns
    -------
    list of Outcome
        One per name.
    """
    outcomes = []
    for name in sorted(a.keys() | b.keys()):
        if name not in a or name not in b:
            one = a.get(name) or b[name]
            outcomes.append(only_in(sides[name not in a], "array", group, name, _tolerance(one, one, floats)))
        else:
            outcomes.append(_compare(group, name, a[name], b[name], floats))
    return outcomes


def _compare(group: str, name: str, a: NamedArray, b: NamedArray, floats: Tolerance) -> Outcome:
    one, other, tolerance = a.values, b.values, _tolerance(a, b, floats)
    if one.shape != other.shape:
        words = f"shape {one.shape} against {other.shape}"
        return Outcome("array", group, name, tolerance, same=False, words=words, unlike=True)
    if not (_numeric(one) and _numeric(other)):
        return _compare_words(group, name, one, other)
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return Outcome("array", group, name, tolerance, same=False, words="NaN or infinity")
    found = likeness(one, other, pictures=a.pictures, floor=tolerance.relative_error)
    rank = found.rank_correlation
    return Outcome(
        "array", group, name, tolerance,
        same=found.relative_error <= tolerance.relative_error
        and found.sign_agreement >= tolerance.sign_agreement
        and (tolerance is EXACT or rank is None or rank >= tolerance.rank_correlation),
        relative_error=found.relative_error,
        sign_agreement=found.sign_agreement,
        rank_correlation=rank,
    )  # fmt: skip


def _compare_words(group: str, name: str, one: npt.NDArray[Any], other: npt.NDArray[Any]) -> Outcome:
    unequal = np.argwhere(np.asarray(one.astype(str) != other.astype(str)))
    if len(unequal) == 0:
        return Outcome("array", group, name, EXACT, same=True)
    place = tuple(unequal[0])
    words = f"{len(unequal)} of {one.size} differ, first {str(one[place])!r} against {str(other[place])!r}"
    return Outcome("array", group, name, EXACT, same=False, words=words)


def _tolerance(a: NamedArray, b: NamedArray, floats: Tolerance) -> Tolerance:
    return floats if "f" in (a.values.dtype.kind, b.values.dtype.kind) else EXACT


def _numeric(values: npt.NDArray[Any]) -> bool:
    return values.dtype.kind in "fiub"


def _names(scale: npt.NDArray[Any] | None) -> list[str] | None:
    """Words that name the places along a dimension, each once."""
    if scale is None or scale.dtype.kind != "U" or len(set(scale.tolist())) < len(scale):
        return None
    return [str(word) for word in scale]
