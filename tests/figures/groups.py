"""Frozen arrays, and the groups of panels that the drawing code is tested with."""

from __future__ import annotations

import numpy as np
from figures.synthetic import pictures, waves

from nn_interpretability.plotting.curves_data import CurvePanel, Curves, Line
from nn_interpretability.plotting.data import Block, MapRow, PanelGroup
from nn_interpretability.plotting.toys_data import ToyColumn, ToyCurves


def row(name: str, heading: str, detail: str, *, phase: float, target: tuple[int, ...] = (0, 1, 7)) -> MapRow:
    """A row of smooth maps whose values beyond 0.8 leave the scale."""
    values = waves(phase=phase)
    return MapRow(
        name=name,
        heading=heading,
        detail=detail,
        values=values,
        score=np.array([12.34, -0.56, 3.0]),
        target=np.array(target),
        probability=np.array([0.99, 0.02, 0.61]),
        limit=0.8,
        beyond=float(np.mean(np.abs(values) > 0.8)),
    )


def two_blocks() -> PanelGroup:
    """Two methods, each with published settings; the third picture is explained for another class than its own."""
    return PanelGroup(
        figure="fig12",
        pictures=pictures(),
        label=np.array([0, 1, 2]),
        blocks=(
            Block(
                "Corrected settings",
                (row("lrp_0", "LRP-0", "zᴮ on [0, 1]", phase=0.0), row("lrp_gamma", "LRP-γ", "γ = 0.25", phase=1.0)),
            ),
            Block(
                "Settings as published",
                (
                    row("lrp_0_published", "LRP-0", "zᴮ on [−1, 1]", phase=2.0),
                    row("lrp_gamma_published", "LRP-γ", "", phase=3.0),
                ),
            ),
        ),
        quantity="relevance (logits)",
        quantile=0.995,
        scale_rule="the rule in words",
    )


def one_row_in_colour() -> PanelGroup:
    """One method on colour pictures, without a heading for the block."""
    images = np.concatenate([pictures(), pictures()[:, :, ::-1], pictures()[:, :, :, ::-1]], axis=1)
    return PanelGroup(
        figure="fig06",
        pictures=images,
        label=np.array([0, 1, 7]),
        blocks=(Block("", (row("gradient", "Gradient", "", phase=0.5),)),),
        quantity="gradient (logits per unit of brightness)",
        quantile=0.995,
        scale_rule="the rule in words",
    )


def two_panels_of_curves() -> Curves:
    """Steps up and down over two panels with their own heights."""
    x = np.linspace(0, 1, 21)
    names = ("largest entry", "change of the map")

    def panel(name: str, heading: str, size: float) -> CurvePanel:
        heights = (1 + size * np.round(np.sin(6 * x), 1), size * np.round(3 * x) / 3)
        lines = tuple(Line(label, values) for label, values in zip(names, heights, strict=True))
        return CurvePanel(name, heading, f"noise of deviation {size:g}", lines, pictures()[:2])

    return Curves(
        figure="fluctuation",
        x=x,
        x_label="share of the noise",
        y_label="relative to the gradient",
        panels=(panel("g_published", "Settings as published", 0.05), panel("g", "Corrected settings", 0.8)),
    )


def two_toys() -> ToyCurves:
    """A network of one input and one of two, by a complete method and by one that is not."""
    along = np.linspace(0, 2, 21)
    score = np.maximum(along - 1, 0)
    one = np.stack([score, along * (along > 1)])[:, :, None]
    two = np.stack([np.stack([2 * score, -score], 1), np.stack([score, score], 1)])
    columns = (
        ToyColumn("threshold", "relu(a − 1)", "a", along, score, one),
        ToyColumn("two", "relu(a − b)", "a, with b = 1", along, score, two),
    )
    return ToyCurves("toys", {"complete": "DeepLIFT, Rescale", "other": "input × gradient"}, columns)
