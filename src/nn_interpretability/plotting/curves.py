"""Layout of a figure of curves: panels side by side, the pictures at both ends of the axis above each."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nn_interpretability.plotting.curves_data import CurvePanel, Curves
from nn_interpretability.plotting.heatmaps import draw_picture
from nn_interpretability.plotting.panels import MARGIN, ROW_HEAD, Canvas
from nn_interpretability.plotting.style import HEADING_PT, INK, MUTED, SMALL_PT, TEXT_PT, TEXT_WIDTH_CM, typeset

PICTURE = 1.12
HEIGHT = 4.2
BESIDE = 1.0  # for the labels of the vertical axis
BELOW = 0.95  # for those of the horizontal one
COLORS = ("#2166ac", "#b2182b", "#4d4d4d")
"""Blue and red as in the maps, and a grey: also told apart by the words at their ends."""


def draw_curves(curves: Curves) -> Figure:
    """The whole figure at its size on paper, not attached to pyplot."""
    count = len(curves.panels)
    width = (TEXT_WIDTH_CM - 2 * MARGIN) / count - BESIDE
    head = 2 * ROW_HEAD + 0.1 + PICTURE + 0.15
    canvas = Canvas(TEXT_WIDTH_CM, MARGIN + head + HEIGHT + BELOW)
    for number, panel in enumerate(curves.panels):
        left = MARGIN + BESIDE + number * (width + BESIDE)
        right = left + width - 0.15
        canvas.text(left, MARGIN + 0.35, typeset(panel.heading), size=HEADING_PT)
        canvas.text(left, MARGIN + 0.35 + 0.36, typeset(panel.detail), size=SMALL_PT, color=MUTED)
        top = MARGIN + 2 * ROW_HEAD + 0.1
        draw_picture(canvas.frame(left, top, PICTURE, PICTURE), panel.ends[0])
        draw_picture(canvas.frame(right - PICTURE, top, PICTURE, PICTURE), panel.ends[1])
        _legend(canvas, panel, (left + right) / 2, top)
        axes = canvas.axes(left, MARGIN + head, right - left, HEIGHT)
        _lines(axes, curves, panel)
        if number == 0:
            axes.set_ylabel(typeset(curves.y_label), fontsize=TEXT_PT, labelpad=3)
        middle = (left + right) / 2
        canvas.text(middle, MARGIN + head + HEIGHT + 0.78, typeset(curves.x_label), size=TEXT_PT, align="center")
    return canvas.figure


def _legend(canvas: Canvas, panel: CurvePanel, middle: float, top: float) -> None:
    """The words for the lines, in their colours, between the pictures."""
    for place, (line, color) in enumerate(zip(panel.lines, COLORS, strict=False)):
        base = top + PICTURE / 2 + 0.1 + 0.36 * (place - (len(panel.lines) - 1) / 2)
        canvas.text(middle, base, typeset(line.label), size=TEXT_PT, color=color, align="center")


def _lines(axes: Axes, curves: Curves, panel: CurvePanel) -> None:
    for line, color in zip(panel.lines, COLORS, strict=False):
        axes.plot(curves.x, line.values, color=color, linewidth=1.0, drawstyle="steps-post", solid_joinstyle="miter")
    axes.set_xlim(float(curves.x[0]), float(curves.x[-1]))
    axes.margins(y=0.06)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: typeset(f"{value:g}".replace("-", "−"))))
    axes.grid(axis="y", linewidth=0.3, color="#e0e0e0")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(pad=2, color=INK)
