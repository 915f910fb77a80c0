"""Probes: the pictures to explain, chosen once and kept in a file, so that every method reads the same ones.

Layout (schema ``probe/1``): ``images`` float32 [sample, channel, y, x] in [0, 1], ``labels`` int64 [sample],
``source_index`` int64 [sample].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.data import digits as digits_file
from nn_interpretability.data.splits import Indices
from nn_interpretability.storage.hdf5 import Array, read_hdf5, write_hdf5

SCHEMA = "probe/1"


@dataclass(frozen=True)
class Probe:
    """Content of a probe file.

    Attributes
    ----------
    images
        float32, shape (n, channels, height, width), in [0, 1].
    labels
        int64, the true class of each picture.
    source_index
        int64, position in the source of the data.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    source_index: NDArray[np.int64]


def first_rows(labels: NDArray[np.int64], source_index: NDArray[np.int64]) -> Indices:
    """Row of each class with the smallest source index, the earlier row where two are from the same picture.

    Augmented pictures share the index of the one they were made from and stand after it, so they are never
    chosen.
    """
    order = np.lexsort((np.arange(len(labels)), source_index, labels))
    return order[np.unique(labels[order], return_index=True)[1]]


def select_first_of_class(digits_h5: Path | str, output: Path | str, provenance: Mapping[str, Any]) -> None:
    """Write the first training picture of each class, in the order of the classes: the study's ten digits.

    Parameters
    ----------
    digits_h5
        File of :func:`nn_interpretability.data.digits.prepare`.
    output
        The probe file.
    provenance
        What made the file.
    """
    digits = digits_file.load(digits_h5)
    rows = first_rows(digits.train_labels, digits.train_source_index)
    images = digits.train_images[rows].astype(np.float32)[:, None] / np.float32(255)
    write_hdf5(
        output,
        {
            "images": Array(images, ("sample", "channel", "y", "x")),
            "labels": Array(digits.train_labels[rows], ("sample",)),
            "source_index": Array(digits.train_source_index[rows], ("sample",)),
        },
        schema=SCHEMA,
        params={"kind": "first_of_class", "data": digits.record},
        provenance=provenance,
    )


def load(probe_h5: Path | str) -> Probe:
    """Read a probe file.

    Raises
    ------
    BrokenProductError
        If the file is damaged.
    """
    arrays = read_hdf5(probe_h5, schema=SCHEMA).arrays
    return Probe(arrays["images"].values, arrays["labels"].values, arrays["source_index"].values)
