"""Layout of a figure of occlusions: covered pictures with what the model says, and the maps below."""

from __future__ import annotations

from matplotlib.figure import Figure

from nn_interpretability.plotting.heatmaps import draw_map, draw_picture
from nn_interpretability.plotting.panels import (
    BAR_SPACE,
    COLUMN_HEAD,
    GAP,
    MARGIN,
    ROW_HEAD,
    Canvas,
    signed_bar,
)
from nn_interpretability.plotting.strip_data import OcclusionStrip
from nn_interpretability.plotting.style import HEADING_PT, INK, MUTED, SMALL_PT, TEXT_WIDTH_CM, typeset

COLUMNS = 8
MAP = 3.08
MAP_GAP = 0.8


def draw_strip(strip: OcclusionStrip) -> Figure:
    """The whole figure at its size on paper, not attached to pyplot."""
    cell = (TEXT_WIDTH_CM - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
    rows = -(-len(strip.covered) // COLUMNS)
    height = 2 * MARGIN + rows * (COLUMN_HEAD + cell) + 2 * ROW_HEAD + 0.3 + MAP + BAR_SPACE
    canvas = Canvas(TEXT_WIDTH_CM, height)
    for place, picture in enumerate(strip.covered):
        row, column = divmod(place, COLUMNS)
        left = MARGIN + column * (cell + GAP)
        top = MARGIN + row * (COLUMN_HEAD + cell) + COLUMN_HEAD
        wrong = int(strip.seen[place]) != strip.label
        share = rf"$\mathit{{p}}_{{{strip.label}}}$ {percent(strip.probability[place])}"
        canvas.text(left + cell / 2, top - 0.40, share, size=HEADING_PT, align="center")
        if wrong:
            words = rf"$\mathit{{p}}_{{{int(strip.seen[place])}}}$ {percent(strip.seen_share[place])}"
            canvas.text(left + cell / 2, top - 0.10, words, size=SMALL_PT, color=INK, align="center")
        draw_picture(canvas.frame(left, top, cell, cell), picture)
    top = MARGIN + rows * (COLUMN_HEAD + cell) + 0.3 + 2 * ROW_HEAD
    draw_picture(canvas.frame(MARGIN, top, MAP, MAP), strip.picture)
    canvas.text(MARGIN, top - ROW_HEAD - 0.05, "The picture", size=HEADING_PT)
    canvas.text(
        MARGIN, top - 0.12, rf"$\mathit{{p}}_{{{strip.label}}}$ {percent(strip.whole)}", size=SMALL_PT, color=MUTED
    )
    for number, each in enumerate(strip.maps, start=1):
        left = MARGIN + number * (MAP + MAP_GAP)
        canvas.text(left, top - ROW_HEAD - 0.05, typeset(each.heading), size=HEADING_PT)
        canvas.text(left, top - 0.12, typeset(each.detail), size=SMALL_PT, color=MUTED)
        draw_map(canvas.frame(left, top, MAP, MAP), each.values, strip.limit)
    signed_bar(canvas, strip.limit, strip.quantity, top + MAP)
    return canvas.figure


def percent(share: float) -> str:
    """A probability in whole per cent, with its sign of equality; one that is nearly 0 or 1 is not called so."""
    if share < 0.005:
        return typeset("< 1 %")
    return typeset("> 99 %") if share > 0.995 else f"= {100 * share:.0f} %"
