"""What a scatter of passes holds: scores of some classes in every pass, for one picture at several angles.

=============================  ==================  =================================================================
array                          dimensions          meaning
=============================  ==================  =================================================================
``pictures``                   sample, channel...  the pictures, in [0, 1]
``angle``                      sample              degrees
``logit``, ``probability``     pass, sample, shown scores and softmax outputs of the classes shown
``still_logit``                sample, shown       the same without dropout and noise
``still_probability``          sample, shown
``top``, ``top_probability``   sample, rank        the two likeliest classes without dropout and noise
``mutual_information``         sample              what passes disagree on, in nats
=============================  ==================  =================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nn_interpretability.plotting.data import SCHEMA, FloatArray, IntArray
from nn_interpretability.storage.hdf5 import Array, Product, write_hdf5

KIND = "pass_scatter"


@dataclass(frozen=True)
class PassScatter:
    """Scores of passes for a picture at several angles; see the table above.

    Attributes
    ----------
    figure
        Name of the figure.
    classes
        The classes shown.
    turned
        Whether the pictures are one at several angles; if not, ``angle`` counts them from 1.
    names
        Names of the classes; none: classes are numbers.
    """

    figure: str
    classes: tuple[int, ...]
    pictures: FloatArray
    angle: FloatArray
    logit: FloatArray
    probability: FloatArray
    still_logit: FloatArray
    still_probability: FloatArray
    top: IntArray
    top_probability: FloatArray
    mutual_information: FloatArray
    turned: bool = True
    names: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def name(self, label: int, prefix: str = "") -> str:
        """The name of a class, or its number behind a word."""
        return self.names[label] if label < len(self.names) else f"{prefix}{label}"


def write_scatter(path: Path, scatter: PassScatter, *, provenance: Mapping[str, Any]) -> None:
    """Write the figure data file; ``provenance`` says which job made it from what."""
    arrays = {
        "pictures": Array(scatter.pictures.astype(np.float32), ("sample", "channel", "y", "x")),
        "angle": Array(scatter.angle.astype(np.float64), ("sample",)),
        "logit": Array(scatter.logit.astype(np.float32), ("pass", "sample", "shown")),
        "probability": Array(scatter.probability.astype(np.float32), ("pass", "sample", "shown")),
        "still_logit": Array(scatter.still_logit.astype(np.float64), ("sample", "shown")),
        "still_probability": Array(scatter.still_probability.astype(np.float64), ("sample", "shown")),
        "top": Array(scatter.top.astype(np.int64), ("sample", "rank")),
        "top_probability": Array(scatter.top_probability.astype(np.float64), ("sample", "rank")),
        "mutual_information": Array(scatter.mutual_information.astype(np.float64), ("sample",)),
    }
    params = {
        "figure": scatter.figure,
        "kind": KIND,
        "classes": list(scatter.classes),
        "turned": scatter.turned,
        "names": list(scatter.names),
    }
    write_hdf5(
        path, arrays, schema=SCHEMA, params=params, provenance=provenance, scales={"shown": np.array(scatter.classes)}
    )


def scatter_of(product: Product) -> PassScatter:
    """The contents of a figure data file of this kind."""
    arrays = {name: array.values for name, array in product.arrays.items()}
    return PassScatter(
        figure=product.params["figure"],
        classes=tuple(product.params["classes"]),
        turned=product.params.get("turned", True),
        names=tuple(product.params.get("names", ())),
        provenance=product.provenance,
        **arrays,
    )
