"""Which pictures are measured, and the file that holds what was measured of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.storage.hdf5 import Array, read_hdf5, write_hdf5

SCHEMA = "claim/1"

Measured = Mapping[str, Array]
"""Arrays by name; what belongs to pictures has the dimensions ``("seed", "image")`` first."""


def per_image(values: Any) -> Array:
    """Numbers per training seed and picture, shape ``(seed, image)``."""
    return Array(np.asarray(values), ("seed", "image"))


def values_of(measured: Measured, name: str) -> NDArray[np.float64]:
    """One of the arrays, in float64."""
    return np.asarray(measured[name].values, dtype=np.float64)


def stratified(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Places of ``count`` pictures, the first of each class in turn; all places if there are not more.

    Parameters
    ----------
    labels
        Class of each picture, shape ``(n,)``.
    count
        How many to choose.

    Returns
    -------
    ndarray
        In ascending order.
    """
    turn = np.empty(len(labels), dtype=np.int64)
    for kind in np.unique(labels):
        members = np.flatnonzero(labels == kind)
        turn[members] = np.arange(len(members))
    return np.sort(np.lexsort((labels, turn))[:count])


def write_measured(
    path: Path | str,
    measured: Measured | str,
    *,
    claim: str,
    params: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> None:
    """Write what was measured of one assertion.

    Parameters
    ----------
    path
        The file, schema ``claim/1``.
    measured
        The arrays, or the reason why there are none.
    claim, params, provenance
        Its id, what it was measured with, what makes the file.
    """
    reason = measured if isinstance(measured, str) else None
    arrays = {} if isinstance(measured, str) else dict(measured)
    described = {"claim": claim, "not_run": reason, **params}
    write_hdf5(path, arrays, schema=SCHEMA, params=described, provenance=provenance)


def read_measured(path: Path | str) -> tuple[Measured | str, dict[str, Any]]:
    """What was measured of one assertion, or the reason why nothing was; and the parameters of the file."""
    product = read_hdf5(path, schema=SCHEMA)
    reason = product.params["not_run"]
    return (product.arrays if reason is None else str(reason)), product.params
