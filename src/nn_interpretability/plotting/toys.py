"""Layout of a figure of toys: a column per network, a row per method; in each panel the score and the shares of it."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nn_interpretability.plotting.panels import MARGIN, Canvas
from nn_interpretability.plotting.style import FRAME, INK, MUTED, SMALL_PT, TEXT_PT, TEXT_WIDTH_CM, typeset
from nn_interpretability.plotting.toys_data import ToyColumn, ToyCurves

LEGEND = 0.65
HEAD = 0.55
ROW = 1.62
PANEL = 1.34
NAME = 2.15  # for the names of the methods
BESIDE = 0.62  # for the labels of a vertical axis
FOOT = 0.85

SCORE = "#c9c9c9"
INPUTS = ("#b2182b", "#2166ac")
"""Of the first and the second input, red and blue as in the maps."""
STYLES = ((0, (4, 2)), "solid")
"""Where both inputs get the same, the second one is seen between the dashes of the first."""
SUM = "#1a1a1a"


def draw_toy_curves(toys: ToyCurves) -> Figure:
    """The whole figure at its size on paper, not attached to pyplot."""
    count = len(toys.columns)
    width = (TEXT_WIDTH_CM - 2 * MARGIN - NAME) / count - BESIDE
    canvas = Canvas(TEXT_WIDTH_CM, 2 * MARGIN + LEGEND + HEAD + ROW * len(toys.methods) + FOOT)
    _legend(canvas)
    top = MARGIN + LEGEND + HEAD
    for row, heading in enumerate(toys.methods.values()):
        for place, words in enumerate(heading.split(", ")):
            canvas.text(MARGIN, top + row * ROW + 0.55 + 0.34 * place, typeset(words), size=TEXT_PT)
    for number, column in enumerate(toys.columns):
        left = MARGIN + NAME + BESIDE + number * (width + BESIDE)
        canvas.text(left + width / 2, top - 0.16, typeset(column.formula), size=TEXT_PT, align="center")
        for row in range(len(toys.methods)):
            axes = canvas.axes(left, top + row * ROW, width, PANEL)
            _panel(axes, column, row, last=row == len(toys.methods) - 1)
        foot = top + ROW * len(toys.methods) + 0.42
        canvas.text(left + width / 2, foot, typeset(column.axis), size=TEXT_PT, align="center")
    return canvas.figure


def _legend(canvas: Canvas) -> None:
    """One legend for all panels: words behind a short line of each kind."""
    left = MARGIN + NAME + BESIDE
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("score less that at zero", {"color": SCORE, "linewidth": 3.5}),
        ("share of a", {"color": INPUTS[0], "linewidth": 1.1, "linestyle": STYLES[0]}),
        ("share of b", {"color": INPUTS[1], "linewidth": 1.1}),
        ("sum of the shares", {"color": SUM, "linewidth": 0.8, "linestyle": (0, (2, 2))}),
    )
    for (words, look), place in zip(kinds, (0.0, 4.1, 6.5, 8.9), strict=True):
        axes = canvas.axes(left + place, MARGIN + 0.1, 0.7, 0.2)
        axes.plot([0, 1], [0.5, 0.5], solid_capstyle="butt", **look)
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.axis("off")
        canvas.text(left + place + 0.82, MARGIN + 0.28, words, size=TEXT_PT)


def _panel(axes: Axes, column: ToyColumn, method: int, *, last: bool) -> None:
    values = column.values[method]
    axes.axhline(0, color=FRAME, linewidth=0.4, zorder=0)
    axes.plot(column.along, column.score, color=SCORE, linewidth=3.5, solid_capstyle="butt", zorder=1)
    for place in reversed(range(values.shape[1])):
        axes.plot(
            column.along,
            values[:, place],
            color=INPUTS[place],
            linewidth=1.1,
            linestyle=STYLES[place],
            zorder=3 + (place == 0),
        )
    if values.shape[1] > 1:
        axes.plot(column.along, values.sum(axis=1), color=SUM, linewidth=0.8, linestyle=(0, (2, 2)), zorder=2.5)
    axes.set_xlim(float(column.along[0]), float(column.along[-1]))
    low, high = float(column.values.min()), float(column.values.max())
    low, high = min(low, float(column.score.min())), max(high, float(column.score.max()))
    axes.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 5, 10]))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: typeset(f"{value:g}".replace("-", "−"))))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(pad=1.5, color=INK, labelcolor=MUTED, labelsize=SMALL_PT - 0.5)
    if not last:
        axes.tick_params(labelbottom=False)
