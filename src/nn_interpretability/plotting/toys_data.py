"""What a figure of toys holds: for each small network and each method the share of every input, along a line of inputs.

===================  ==========================  ===========================================================
array                dimensions                  meaning
===================  ==========================  ===========================================================
``along_<n>``        step_<n>                    places along the axis of network ``n``, from the left one on
``score_<n>``        step_<n>                    its score there, less that at zero
``values_<n>``       method, step_<n>, input_<n> attributions
===================  ==========================  ===========================================================

with the names of the methods as the scale of ``method``; ``params`` has the words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nn_interpretability.plotting.data import SCHEMA, FloatArray
from nn_interpretability.storage.hdf5 import Array, Product, write_hdf5

KIND = "toys"


@dataclass(frozen=True)
class ToyColumn:
    """One network: its formula, what varies, and what the methods say; ``values`` is [method, step, input]."""

    name: str
    formula: str
    axis: str
    along: FloatArray
    score: FloatArray
    values: FloatArray


@dataclass(frozen=True)
class ToyCurves:
    """Networks side by side, methods one below the other (by name: what they are called)."""

    figure: str
    methods: Mapping[str, str]
    columns: tuple[ToyColumn, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)


def write_toy_curves(path: Path, toys: ToyCurves, *, provenance: Mapping[str, Any]) -> None:
    """Write the figure data file; ``provenance`` says which job made it from what."""
    arrays: dict[str, Array] = {}
    for number, column in enumerate(toys.columns):
        step = f"step_{number}"
        arrays |= {
            f"along_{number}": Array(column.along.astype(np.float64), (step,)),
            f"score_{number}": Array(column.score.astype(np.float64), (step,)),
            f"values_{number}": Array(column.values.astype(np.float64), ("method", step, f"input_{number}")),
        }
    params = {
        "figure": toys.figure,
        "kind": KIND,
        "headings": list(toys.methods.values()),
        "columns": [{"name": each.name, "formula": each.formula, "axis": each.axis} for each in toys.columns],
    }
    scales = {"method": list(toys.methods)}
    write_hdf5(path, arrays, schema=SCHEMA, params=params, provenance=provenance, scales=scales)


def toy_curves_of(product: Product) -> ToyCurves:
    """The contents of a figure data file of this kind."""
    arrays = {name: array.values for name, array in product.arrays.items()}
    columns = tuple(
        ToyColumn(
            **words,
            along=arrays[f"along_{number}"],
            score=arrays[f"score_{number}"],
            values=arrays[f"values_{number}"],
        )
        for number, words in enumerate(product.params["columns"])
    )
    names = [str(name) for name in product.scales["method"]]
    return ToyCurves(
        figure=product.params["figure"],
        methods=dict(zip(names, product.params["headings"], strict=True)),
        columns=columns,
        provenance=product.provenance,
    )
