"""Layout of a scatter of passes: logits above, softmax outputs below, and a strip of the pictures."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from nn_interpretability.plotting.heatmaps import draw_picture
from nn_interpretability.plotting.panels import MARGIN, Canvas, fitted, text_width
from nn_interpretability.plotting.scatter_data import PassScatter
from nn_interpretability.plotting.style import (
    FRAME,
    HEADING_PT,
    INK,
    MUTED,
    SMALL_PT,
    TEXT_PT,
    TEXT_WIDTH_CM,
    typeset,
)
from nn_interpretability.plotting.uncertainty import CLASSES

AXIS = 0.95
PANEL = 4.4
HEAD = 0.62
GAP = 0.35
PICTURE = 1.3
LINE = 0.34
STRENGTH = 25.0
"""Passes that must fall together for a mark to be opaque."""


def draw_scatter(scatter: PassScatter) -> Figure:
    """The whole figure at its size on paper, not attached to pyplot."""
    samples = len(scatter.angle)
    width = TEXT_WIDTH_CM - 2 * MARGIN - AXIS
    step = width / samples
    picture = min(PICTURE, 0.9 * step)
    canvas = Canvas(TEXT_WIDTH_CM, 2 * MARGIN + 2 * (HEAD + PANEL) + GAP + picture + 5 * LINE)
    left, top = MARGIN + AXIS, MARGIN + HEAD
    for heading, values, still, label in (
        ("Logits", scatter.logit, scatter.still_logit, "logit"),
        ("Softmax outputs", scatter.probability, scatter.still_probability, "probability"),
    ):
        canvas.text(left, top - 0.14, heading, size=HEADING_PT)
        axes = canvas.axes(left, top, width, PANEL)
        _marks(axes, scatter, values, still)
        axes.set_ylabel(label, fontsize=TEXT_PT, labelpad=2)
        if label == "logit":
            axes.axhline(0, color=MUTED, linewidth=0.4)
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: typeset(f"{value:g}".replace("-", "−"))))
            _legend(axes, scatter)
        else:
            axes.set_ylim(-0.04, 1.04)
            axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
        top += PANEL + HEAD
    top += GAP - HEAD
    for sample in range(samples):
        middle = left + (sample + 0.5) * step
        draw_picture(canvas.frame(middle - picture / 2, top, picture, picture), scatter.pictures[sample])
        _words(canvas, scatter, sample, (middle, step), top + picture)
    for number, words in enumerate(("angle" if scatter.turned else "picture", "seen", "second", "disagree")):
        canvas.text(MARGIN, top + picture + (number + 1) * LINE + 0.04, words, size=SMALL_PT, color=MUTED)
    return canvas.figure


def _words(canvas: Canvas, scatter: PassScatter, sample: int, slot: tuple[float, float], top: float) -> None:
    """Below a picture: its angle, the two likeliest classes without dropout, and the mutual information."""
    middle, room = slot
    first, second = (
        fitted(scatter.name(k), room - text_width(typeset(f": {_percent(p)}"), SMALL_PT), SMALL_PT) + f": {_percent(p)}"
        for k, p in zip(scatter.top[sample], scatter.top_probability[sample], strict=True)
    )
    angle = f"{scatter.angle[sample]:g}{'°' if scatter.turned else ''}".replace("-", "−")
    for number, words in enumerate((angle, first, second, f"{scatter.mutual_information[sample]:.2f} nat")):
        base = top + (number + 1) * LINE + 0.04
        canvas.text(middle, base, typeset(words), size=SMALL_PT, color=MUTED if number % 3 else INK, align="center")


def _percent(share: float) -> str:
    if share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.1f} %" if share < 0.9995 else "> 99.9 %"


def _marks(axes: Axes, scatter: PassScatter, values: np.ndarray, still: np.ndarray) -> None:
    passes, samples, shown = values.shape
    slot = 0.86 / shown
    opacity = float(np.clip(STRENGTH / passes, 0.02, 1))
    for number, label in enumerate(scatter.classes):
        colour = CLASSES[label % len(CLASSES)]
        for sample in range(samples):
            centre = sample + 0.5 + (number - (shown - 1) / 2) * slot
            ends = centre - 0.44 * slot, centre + 0.44 * slot
            # Thousands of marks as vectors would make a page of the report slow.
            axes.hlines(values[:, sample, number], *ends, color=colour, alpha=opacity, linewidth=0.6, rasterized=True)
            axes.plot(
                [centre],
                [still[sample, number]],
                marker="D",
                markersize=2.6,
                markerfacecolor="white",
                markeredgecolor=colour,
                markeredgewidth=0.8,
                linestyle="none",
            )
    for border in range(1, samples):
        axes.axvline(border, color=FRAME, linewidth=0.3)
    axes.set_xlim(0, samples)
    axes.set_xticks([])


def _legend(axes: Axes, scatter: PassScatter) -> None:
    handles = [
        Line2D([], [], color=CLASSES[label % len(CLASSES)], linewidth=1.6, label=typeset(scatter.name(label, "class ")))
        for label in scatter.classes
    ]
    handles.append(
        Line2D(
            [],
            [],
            marker="D",
            markersize=2.6,
            markerfacecolor="white",
            markeredgecolor=INK,
            markeredgewidth=0.8,
            linestyle="none",
            label="dropout off",
        )
    )
    axes.legend(
        handles=handles,
        fontsize=SMALL_PT,
        loc="upper right",
        ncols=len(handles),
        frameon=True,
        framealpha=0.85,
        edgecolor="none",
        handlelength=1.2,
        columnspacing=1.2,
        borderpad=0.3,
    )
