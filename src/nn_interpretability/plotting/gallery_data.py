"""What a gallery holds: rows of pictures or of signed maps, with words above each.

Row ``n`` is the array ``row_<n>`` with the dimensions ``column_<n>``, ``channel_<n>``, ``y_<n>``, ``x_<n>``: pictures
in [0, 1], or signed maps of one channel.  All words are in the file's ``params``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nn_interpretability.plotting.data import SCHEMA, FloatArray
from nn_interpretability.storage.hdf5 import Array, Product, write_hdf5

KIND = "gallery"


@dataclass(frozen=True)
class GalleryRow:
    """Pictures side by side.

    Attributes
    ----------
    name
        Of the row, for its file and numbers.
    heading, detail
        What stands above the row.
    pictures
        [column, channel, y, x], in [0, 1]; or signed maps, of one channel.
    notes
        A few words above each picture, in one line or more; none: no line for them.
    limit
        For signed maps: their colour scale runs from ``-limit`` to ``limit``. None for pictures.
    """

    name: str
    heading: str
    detail: str
    pictures: FloatArray
    notes: tuple[str, ...] = ()
    limit: float | None = None


@dataclass(frozen=True)
class Gallery:
    """Rows of pictures.

    Attributes
    ----------
    figure
        Name of the figure.
    rows
        From top to bottom.
    facts
        What the caption says of the pictures, as plain data.
    provenance
        What made the data file.
    """

    figure: str
    rows: tuple[GalleryRow, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


def write_gallery(path: Path, gallery: Gallery, *, provenance: Mapping[str, Any]) -> None:
    """Write the figure data file; ``provenance`` says which job made it from what."""
    arrays = {
        f"row_{number}": Array(
            row.pictures.astype(np.float32), tuple(f"{axis}_{number}" for axis in ("column", "channel", "y", "x"))
        )
        for number, row in enumerate(gallery.rows)
    }
    rows = [
        {"name": row.name, "heading": row.heading, "detail": row.detail, "notes": list(row.notes), "limit": row.limit}
        for row in gallery.rows
    ]
    params = {"figure": gallery.figure, "kind": KIND, "rows": rows, "facts": dict(gallery.facts)}
    write_hdf5(path, arrays, schema=SCHEMA, params=params, provenance=provenance)


def gallery_of(product: Product) -> Gallery:
    """The contents of a figure data file of this kind."""
    rows = tuple(
        GalleryRow(**{**words, "notes": tuple(words["notes"])}, pictures=product.arrays[f"row_{number}"].values)
        for number, words in enumerate(product.params["rows"])
    )
    return Gallery(product.params["figure"], rows, product.params["facts"], product.provenance)
