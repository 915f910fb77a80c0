"""What a figure of curves holds: panels side by side, each with lines over one axis and the pictures at its ends.

===============  ================================  ======================================
array            dimensions                        meaning
===============  ================================  ======================================
``along``        step                              places along the axis
``values``       line, step                        height of each line
``pictures``     panel, end, channel, y, x         pictures at both ends of each panel's axis
===============  ================================  ======================================

with the names of the lines as the scale of ``line``; ``params`` has the words, and which line belongs to which panel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nn_interpretability.plotting.data import SCHEMA, FloatArray
from nn_interpretability.storage.hdf5 import Array, Product, write_hdf5

KIND = "curves"


@dataclass(frozen=True)
class Line:
    """One line: what it is called at its end, and its values [step]."""

    label: str
    values: FloatArray


@dataclass(frozen=True)
class CurvePanel:
    """Lines over one pair of axes.

    Attributes
    ----------
    name
        Name of the attribution that the lines were computed from.
    heading, detail
        What stands above the panel: what it is, and its settings in a few words.
    lines
        Drawn in this order.
    ends
        The pictures at the left and the right end of the axis, [end, channel, y, x].
    """

    name: str
    heading: str
    detail: str
    lines: tuple[Line, ...]
    ends: FloatArray


@dataclass(frozen=True)
class Curves:
    """Panels side by side over the same axis.

    Attributes
    ----------
    figure
        Name of the figure.
    x, x_label, y_label
        The axis, and what both axes measure.
    panels
        From left to right.
    facts
        Numbers of each panel that a caption may state, by the name of the panel.
    """

    figure: str
    x: FloatArray
    x_label: str
    y_label: str
    panels: tuple[CurvePanel, ...]
    facts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


def write_curves(path: Path, curves: Curves, *, provenance: Mapping[str, Any]) -> None:
    """Write the figure data file; ``provenance`` says which job made it from what."""
    lines = [(panel, line) for panel in curves.panels for line in panel.lines]
    arrays = {
        "along": Array(curves.x.astype(np.float64), ("step",)),
        "values": Array(np.stack([line.values for _, line in lines]).astype(np.float64), ("line", "step")),
        "pictures": Array(
            np.stack([panel.ends for panel in curves.panels]).astype(np.float32), ("panel", "end", "channel", "y", "x")
        ),
    }
    params = {
        "figure": curves.figure,
        "kind": KIND,
        "x_label": curves.x_label,
        "y_label": curves.y_label,
        "panels": [
            {
                "name": panel.name,
                "heading": panel.heading,
                "detail": panel.detail,
                "lines": [line.label for line in panel.lines],
            }
            for panel in curves.panels
        ],
        "facts": {name: dict(facts) for name, facts in curves.facts.items()},
    }
    names = [f"{panel.name}: {line.label}" for panel, line in lines]
    write_hdf5(path, arrays, schema=SCHEMA, params=params, provenance=provenance, scales={"line": names})


def curves_of(product: Product) -> Curves:
    """The contents of a figure data file of this kind."""
    arrays = {name: array.values for name, array in product.arrays.items()}
    params = product.params
    values = iter(arrays["values"])
    panels = tuple(
        CurvePanel(
            name=words["name"],
            heading=words["heading"],
            detail=words["detail"],
            lines=tuple(Line(label, next(values)) for label in words["lines"]),
            ends=arrays["pictures"][number],
        )
        for number, words in enumerate(params["panels"])
    )
    return Curves(
        figure=params["figure"],
        x=arrays["along"],
        x_label=params["x_label"],
        y_label=params["y_label"],
        panels=panels,
        facts=params["facts"],
        provenance=product.provenance,
    )
