"""Layout of figures of uncertainty: curves over the angle of a digit, and reliability diagrams."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from nn_interpretability.plotting.heatmaps import draw_picture
from nn_interpretability.plotting.panels import MARGIN, Canvas
from nn_interpretability.plotting.style import FRAME, HEADING_PT, INK, MUTED, SMALL_PT, TEXT_PT, TEXT_WIDTH_CM, typeset
from nn_interpretability.plotting.uncertainty_data import EvidenceCurve, ReliabilityDiagrams

# Okabe and Ito's palette, which people with the common kinds of colour blindness can tell apart; one colour per class.
CLASSES = (
    "#000000",
    "#009E73",
    "#D55E00",
    "#0072B2",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#8C6BB1",
    "#B22222",
    "#7F7F7F",
)
MARKERS = ("o", "*", "s", "v", "D", "P", "X", "<", "^", ">")
SHOWN_FROM = 0.2
"""A class has a curve if its probability is at least this somewhere."""

AXIS = 0.95  # left of a panel: its ticks and their label
PANEL = 4.6
STRIP = 0.3
GAP = 0.55
HEAD = 0.55
FOOT = 0.95
LEGEND_COLUMNS = 3
LEGEND_ROW = 0.36


def draw_curve(curve: EvidenceCurve) -> Figure:
    """A panel per network with a strip of pictures below, at its size on paper; not attached to pyplot."""
    count = len(curve.headings)
    width = (TEXT_WIDTH_CM - 2 * MARGIN - (count - 1) * GAP) / count - AXIS
    step = width / len(curve.angle)
    entries = 1 + max(len(_shown(curve, number)) for number in range(count))
    legend = LEGEND_ROW * -(-entries // LEGEND_COLUMNS)
    canvas = Canvas(TEXT_WIDTH_CM, 2 * MARGIN + HEAD + legend + PANEL + STRIP + step + FOOT)
    top = MARGIN + HEAD + legend
    for number, heading in enumerate(curve.headings):
        left = MARGIN + AXIS + number * (AXIS + width + GAP)
        canvas.text(left, top - legend - 0.15, typeset(heading), size=HEADING_PT)
        axes = canvas.axes(left, top, width, PANEL)
        _curves(axes, curve, number)
        for place, picture in enumerate(curve.pictures):
            cell = 0.94 * step
            x = left + place * step + (step - cell) / 2
            draw_picture(canvas.frame(x, top + PANEL + STRIP, cell, cell), picture)
            canvas.text(
                x + cell / 2,
                top + PANEL + STRIP + step + 0.28,
                typeset(f"{curve.angle[place]:+.0f}".replace("-", "−") if curve.angle[place] else "0"),
                size=SMALL_PT,
                align="center",
            )
        canvas.text(
            left + width / 2,
            top + PANEL + STRIP + step + 0.68,
            "angle in degrees; negative ones turn clockwise",
            size=SMALL_PT,
            color=MUTED,
            align="center",
        )
    return canvas.figure


def _shown(curve: EvidenceCurve, number: int) -> list[int]:
    """The classes that have a curve in a panel."""
    return [int(label) for label in np.flatnonzero((curve.probability[number] >= SHOWN_FROM).any(axis=0))]


def _curves(axes: Axes, curve: EvidenceCurve, number: int) -> None:
    places = np.arange(len(curve.angle)) + 0.5
    probability = curve.probability[number]
    for label in _shown(curve, number):
        axes.plot(
            places,
            probability[:, label],
            color=CLASSES[label % len(CLASSES)],
            marker=MARKERS[label % len(MARKERS)],
            markersize=5 if MARKERS[label % len(MARKERS)] == "*" else 3.2,
            linewidth=0.9,
            label=f"class {label}",
        )
    name = "uncertainty $\\mathit{u}$" if curve.evidential[number] else "1 less the largest"
    axes.plot(
        places,
        curve.uncertainty[number],
        color=INK,
        linestyle=(0, (1, 1.6)),
        marker="o",
        markersize=2.4,
        linewidth=0.9,
        label=name,
    )
    axes.set_xlim(0, len(places))
    axes.set_ylim(-0.03, 1.03)
    axes.set_xticks([])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}"))
    axes.set_ylabel("per cent", fontsize=TEXT_PT, labelpad=2)
    axes.grid(axis="y", color=FRAME, linewidth=0.3)
    axes.legend(  # above the panel, where no curve is
        fontsize=SMALL_PT,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=LEGEND_COLUMNS,
        frameon=False,
        borderpad=0.2,
        borderaxespad=0.1,
        labelspacing=0.3,
        columnspacing=1.2,
        handlelength=1.8,
    )


SQUARE_GAP = 0.35
SQUARE_HEAD = 0.80
COUNTS = 0.75
ROW_GAP = 1.15
AXIS_FOOT = 0.75
LAST_TICK = 0.12
LABEL_AT = -0.18  # in widths of a panel, left of it
BAR_COLOUR, MISSING, EXCESS = "#7FA7C9", "#E8B4A0", "#C05A3C"


def draw_reliability(diagrams: ReliabilityDiagrams) -> Figure:
    """A row per network, a column per calibration, at its size on paper; not attached to pyplot."""
    columns = len(diagrams.scalings)
    side = (TEXT_WIDTH_CM - 2 * MARGIN - AXIS - LAST_TICK - (columns - 1) * SQUARE_GAP) / columns
    row_height = SQUARE_HEAD + side + 0.12 + COUNTS
    rows = len(diagrams.networks)
    canvas = Canvas(TEXT_WIDTH_CM, 2 * MARGIN + rows * row_height + (rows - 1) * ROW_GAP + AXIS_FOOT)
    for row, network in enumerate(diagrams.networks):
        top = MARGIN + row * (row_height + ROW_GAP) + SQUARE_HEAD
        for column, scaling in enumerate(diagrams.scalings):
            left = MARGIN + AXIS + column * (side + SQUARE_GAP)
            words = f"{network}, {scaling}" if column == 0 else scaling
            canvas.text(left, top - 0.50, typeset(words), size=HEADING_PT)
            error = f"ECE {100 * diagrams.expected_error[row, column]:.2f} %"
            canvas.text(left, top - 0.12, error, size=SMALL_PT, color=MUTED)
            axes = canvas.axes(left, top, side, side)
            _diagram(axes, diagrams, row, column)
            below = canvas.axes(left, top + side + 0.12, side, COUNTS)
            _counts(below, diagrams, row, column)
            if column:
                axes.set_yticklabels([])
                below.set_yticklabels([])
            else:
                for each, words in ((axes, "accuracy"), (below, "pictures")):
                    each.set_ylabel(words, fontsize=TEXT_PT)
                    each.yaxis.set_label_coords(LABEL_AT, 0.5)
    return canvas.figure


def _diagram(axes: Axes, diagrams: ReliabilityDiagrams, row: int, column: int) -> None:
    count, confidence, accuracy = (
        values[row, column] for values in (diagrams.count, diagrams.confidence, diagrams.accuracy)
    )
    bins = len(count)
    centres = (np.arange(bins) + 0.5) / bins
    there = count > 0
    width = 1 / bins
    axes.bar(centres[there], accuracy[there], width=width, color=BAR_COLOUR, edgecolor="white", linewidth=0.3)
    low, high = np.minimum(accuracy, confidence), np.maximum(accuracy, confidence)
    # What accuracy lacks to be as high as confidence stands above the bar, what it has too much within it.
    for lacking, colour in ((accuracy < confidence, MISSING), (accuracy >= confidence, EXCESS)):
        chosen = there & lacking
        axes.bar(
            centres[chosen],
            (high - low)[chosen],
            bottom=low[chosen],
            width=width,
            color=colour,
            alpha=0.8,
            edgecolor="white",
            linewidth=0.3,
        )
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.7, linestyle=(0, (3, 2)))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["", "", ""])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])


def _counts(axes: Axes, diagrams: ReliabilityDiagrams, row: int, column: int) -> None:
    count = diagrams.count[row, column]
    bins = len(count)
    axes.bar((np.arange(bins) + 0.5) / bins, count, width=1 / bins, color=FRAME, edgecolor="white", linewidth=0.3)
    axes.set_yscale("log")
    axes.set_ylim(0.5, 2 * float(diagrams.count.max()))
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([1, 100])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.minorticks_off()
    axes.set_xlabel("confidence", fontsize=TEXT_PT, labelpad=1)
