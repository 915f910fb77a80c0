"""Layout of a group of panels: one column per picture, one row per method, one colour bar.

The original shows each method as a grid of five rows by two columns, methods side by side.  Here a method
is a row: all maps of a digit stand below each other, so that methods can be compared digit by digit, and a
figure fits the text column at a size at which single pixels can be seen.

All lengths are centimetres on paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nn_interpretability.plotting.data import PREDICTED, Block, FloatArray, MapRow, PanelGroup
from nn_interpretability.plotting.heatmaps import Frame, Place, draw_map, draw_overlay, draw_picture, overlay
from nn_interpretability.plotting.style import (
    BAND,
    DIVERGING,
    FRAME,
    HEADING_PT,
    INK,
    MUTED,
    PNG_DPI,
    SMALL_PT,
    TEXT_PT,
    TEXT_WIDTH_CM,
    inches,
    typeset,
)

HorizontalAlignment = Literal["left", "center", "right"]

MAX_CELL = 1.40
WIDE_CELL = 2.24  # for up to four columns with words of their own above
GAP = 0.12
MARGIN = 0.05
COLUMN_HEAD = 0.72
ROW_HEAD = 0.44
NOTES = 0.30
BLOCK_HEAD = 0.66
BLOCK_GAP = 0.30
BAR_SPACE = 0.88
BAR_HEIGHT = 0.22
BAR_WIDTH = 5.2
BAR_GAP = 0.3
WORD_GAP = 0.2
BAR_INSET = 0.25  # room for the last tick label
GREY = "black 0, white 1"


class Canvas:
    """A figure with a coordinate system in centimetres, its origin at the top left."""

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height
        self.figure = Figure(figsize=(inches(width), inches(height)), dpi=PNG_DPI)

    @cached_property
    def _pictures(self) -> Axes:
        """Axes over the whole figure, in centimetres, for all pictures: axes for each of them take most of the time."""
        axes = self.figure.add_axes((0, 0, 1, 1), autoscale_on=False, xticks=[], yticks=[])
        axes.set_axis_off()
        axes.set_xlim(0, self.width)
        axes.set_ylim(self.height, 0)
        return axes

    def frame(self, left: float, top: float, width: float, height: float) -> Frame:
        """A place for a picture with its top left corner at (left, top)."""
        return Frame(self._pictures, left, top, width, height)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes with their top left corner at (left, top)."""
        bottom = self.height - top - height
        return self.figure.add_axes((left / self.width, bottom / self.height, width / self.width, height / self.height))

    def text(
        self,
        left: float,
        top: float,
        words: str,
        *,
        size: float,
        color: str = INK,
        align: HorizontalAlignment = "left",
    ) -> None:
        """Words whose base line is at ``top``, aligned at ``left``."""
        x, y = left / self.width, 1 - top / self.height
        self.figure.text(x, y, words, fontsize=size, color=color, ha=align, va="baseline")

    def band(self, left: float, right: float, top: float, bottom: float) -> None:
        """A pale band for a heading to stand on."""
        corner = (left / self.width, 1 - bottom / self.height)
        size = ((right - left) / self.width, (bottom - top) / self.height)
        self.figure.add_artist(Rectangle(corner, *size, facecolor=BAND, edgecolor="none"))


def text_width(words: str, size: float) -> float:
    """Width of typeset words in centimetres, with the fonts that are set now."""
    return _measured_width(words, size, (*rcParams["font.family"], rcParams["mathtext.fontset"]))


@lru_cache(maxsize=10_000)
def _measured_width(words: str, size: float, _fonts: tuple[str, ...]) -> float:
    drawn = Figure(dpi=PNG_DPI).text(0, 0, words, fontsize=size)
    return float(drawn.get_window_extent().width) / PNG_DPI * 2.54


def draw_panel_group(group: PanelGroup) -> Figure:
    """The whole group as a matplotlib figure, at its size on paper.

    Parameters
    ----------
    group
        What a figure data file holds; at most a dozen pictures fit the text width at a readable size.

    Returns
    -------
    matplotlib.figure.Figure
        Not attached to pyplot.  Draw it under :func:`nn_interpretability.plotting.style.figure_style`.
    """
    lead = _leads(group)
    columns = len(group.rows[0].target) + lead
    most = WIDE_CELL if group.heads and columns <= 4 else MAX_CELL
    cell = min(most, (TEXT_WIDTH_CM - 2 * MARGIN - (columns - 1) * GAP) / columns)
    lefts = [MARGIN + column * (cell + GAP) for column in range(columns)]
    width = max(lefts[-1] + cell + MARGIN, min(_width_of_words(group), TEXT_WIDTH_CM))
    canvas = Canvas(width, _height(group, cell))
    right = width - MARGIN

    top = MARGIN + _column_head(group)
    _column_heads(canvas, group, lefts[lead:], cell, top)
    if not lead and group.blocks[0].pictures is None:
        top = _pictures(canvas, group.pictures, lefts, cell, top)
    for number, block in enumerate(group.blocks):
        top += BLOCK_GAP if number else 0
        top = _block_head(canvas, block, right, top)
        if block.pictures is not None and not lead:
            top = _pictures(canvas, block.pictures, lefts, cell, top)
        for row in block.rows:
            top += ROW_HEAD
            _row_head(canvas, row, right, top, GREY if block.grey else _beyond(row))
            if row.notes:
                top += NOTES
                _notes(canvas, row, lefts[lead:], cell, top, bool(group.classes))
            if lead and row is block.rows[0]:
                pictures = group.pictures if block.pictures is None else block.pictures
                draw_picture(canvas.frame(lefts[0], top, cell, cell), pictures[0])
            for column, left in enumerate(lefts[lead:]):
                _panel(canvas.frame(left, top, cell, cell), group, block, row, column)
            top += cell
    if group.scale == "overlay":
        _overlay_bar(canvas, group, top)
    else:
        signed_bar(canvas, group.rows[0].limit, group.quantity, top)
    return canvas.figure


def _panel(place: Place, group: PanelGroup, block: Block, row: MapRow, column: int) -> None:
    """One map of a row."""
    if block.grey:
        draw_picture(place, row.values[column][None])
    elif group.scale == "overlay":
        draw_overlay(place, group.pictures[column], row.values[column], row.limit)
    else:
        draw_map(place, row.values[column], row.limit)


def _leads(group: PanelGroup) -> bool:
    """Whether the columns are filters, and the one picture that they see stands at their left."""
    return len(group.pictures) == 1 < len(group.rows[0].target)


def _pictures(canvas: Canvas, pictures: FloatArray, lefts: Sequence[float], cell: float, top: float) -> float:
    """A row of pictures; returns where it ends."""
    for left, picture in zip(lefts, pictures, strict=True):
        draw_picture(canvas.frame(left, top, cell, cell), picture)
    return top + cell


def _column_head(group: PanelGroup) -> float:
    """Height of the words above the columns: two lines, or one."""
    one_line = group.heads and not any("\n" in head for head in group.heads)
    return COLUMN_HEAD - ROW_HEAD + 0.14 if one_line else COLUMN_HEAD


def _width_of_words(group: PanelGroup) -> float:
    """Width that the words above the rows and beside the colour bar need."""
    needed = [
        2 * MARGIN
        + text_width(typeset(row.heading), HEADING_PT)
        + (WORD_GAP + text_width(typeset(row.detail), SMALL_PT) if row.detail else 0)
        + 2 * WORD_GAP
        + text_width(_beyond(row), SMALL_PT)
        for row in group.rows
    ]
    bar = text_width(typeset(_bar_words(group)), TEXT_PT) + BAR_GAP + BAR_WIDTH + BAR_INSET + 2 * MARGIN
    heads = [text_width(typeset(block.heading), HEADING_PT) + 2 * MARGIN + 0.24 for block in group.blocks]
    return max(bar, *needed, *heads)


def _height(group: PanelGroup, cell: float) -> float:
    heads = sum(BLOCK_HEAD for block in group.blocks if block.heading) + BLOCK_GAP * (len(group.blocks) - 1)
    own = sum(block.pictures is not None for block in group.blocks)
    pictures = 0 if _leads(group) else cell * (own + (group.blocks[0].pictures is None))
    rows = sum(ROW_HEAD + cell + (NOTES if row.notes else 0) for row in group.rows)
    return 2 * MARGIN + _column_head(group) + pictures + heads + rows + BAR_SPACE


def _column_heads(canvas: Canvas, group: PanelGroup, lefts: Sequence[float], cell: float, top: float) -> None:
    """Words above the columns: those given, or the class and its score, the same for all rows."""
    first = group.rows[0]
    for column, left in enumerate(lefts):
        middle = left + cell / 2
        if group.heads:
            head, _, below = group.heads[column].partition("\n")
            head = fitted(head, cell + GAP / 2, HEADING_PT) if group.classes else head
            canvas.text(middle, top - (0.40 if below else 0.10), typeset(head), size=HEADING_PT, align="center")
            canvas.text(middle, top - 0.10, typeset(below), size=SMALL_PT, color=MUTED, align="center")
            continue
        target, label = int(first.target[column]), int(group.label[column])
        name = fitted(_class(group, target, label), cell + GAP / 2, HEADING_PT)
        score = rf"$\mathit{{f}}_{{{target}}}$ = {first.score[column]:.1f}".replace("-", "$-$")
        canvas.text(middle, top - 0.40, typeset(name), size=HEADING_PT, align="center")
        canvas.text(middle, top - 0.10, score, size=SMALL_PT, color=MUTED, align="center")


def _class(group: PanelGroup, target: int, label: int) -> str:
    """The explained class, and the true one if it is another."""
    if not group.classes:
        return f"class {target}" if target == label else f"{target}, not {label}"
    name = group.classes[target]
    if label < 0:
        return f"{name} ({PREDICTED})"
    return name if target == label else f"{name}, not {group.classes[label]}"


def fitted(words: str, room: float, size: float) -> str:
    """The words, or as many of their letters as there is room for; the figure's sidecar has them all."""
    kept = words
    while len(kept) > 1 and text_width(typeset(kept if kept == words else f"{kept}..."), size) > room:
        kept = kept[:-1].rstrip()
    return kept if kept == words else f"{kept}..."


def _notes(canvas: Canvas, row: MapRow, lefts: Sequence[float], cell: float, top: float, named: bool) -> None:
    for left, note in zip(lefts, row.notes, strict=True):
        words = fitted(note, cell + GAP / 2, SMALL_PT) if named else note
        canvas.text(left + cell / 2, top - 0.08, typeset(words), size=SMALL_PT, color=MUTED, align="center")


def _block_head(canvas: Canvas, block: Block, right: float, top: float) -> float:
    if not block.heading:
        return top
    canvas.band(MARGIN, right, top + BLOCK_HEAD - 0.52, top + BLOCK_HEAD - 0.04)
    words = fitted(block.heading, right - MARGIN - 0.24, HEADING_PT)
    canvas.text(MARGIN + 0.12, top + BLOCK_HEAD - 0.19, typeset(words), size=HEADING_PT)
    return top + BLOCK_HEAD


def _row_head(canvas: Canvas, row: MapRow, right: float, top: float, at_right: str) -> None:
    base = top - 0.10
    canvas.text(MARGIN, base, typeset(row.heading), size=HEADING_PT)
    canvas.text(right, base, at_right, size=SMALL_PT, color=MUTED, align="right")
    left = MARGIN + text_width(typeset(row.heading), HEADING_PT) + WORD_GAP
    room = right - text_width(at_right, SMALL_PT) - WORD_GAP - left
    canvas.text(left, base, _shortened(row.detail, room), size=SMALL_PT, color=MUTED)


def _beyond(row: MapRow) -> str:
    return f"{100 * row.beyond:.1f} % beyond the scale"


def _shortened(words: str, room: float) -> str:
    """The words, or as many of them as there is room for; the report's tables have them all."""
    if text_width(typeset(words), SMALL_PT) <= room:
        return typeset(words)
    kept = words.split(" ")
    while kept and text_width(typeset(" ".join([*kept, "..."])), SMALL_PT) > room:
        kept.pop()
    return typeset(" ".join([*kept, "..."]))


def _bar_words(group: PanelGroup) -> str:
    """What the colour bar says at its left; an overlay has two rows of colours."""
    return f"{group.quantity}, on white and on black" if group.scale == "overlay" else group.quantity


def _overlay_bar(canvas: Canvas, group: PanelGroup, top: float) -> None:
    """The colours over a white stroke, and below over the black ground."""
    left = canvas.width - MARGIN - BAR_INSET - BAR_WIDTH
    axes = canvas.axes(left, top + 0.30, BAR_WIDTH, BAR_HEIGHT)
    share = np.linspace(0, 1, 256)[None].repeat(2, axis=0)
    brightness = np.array([[1.0], [0.0]]).repeat(256, axis=1)
    limit = group.rows[0].limit
    axes.imshow(overlay(brightness, share), extent=(0, limit, 0, 1), aspect="auto", interpolation="none")
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: typeset(f"{value:g}")))
    axes.tick_params(pad=1.5)
    words = typeset(_bar_words(group))
    canvas.text(left - BAR_GAP, top + 0.30 + BAR_HEIGHT - 0.03, words, size=TEXT_PT, align="right")


def signed_bar(canvas: Canvas, limit: float, quantity: str, top: float) -> None:
    """The colour bar of signed maps, at the right below ``top``."""
    left = canvas.width - MARGIN - BAR_INSET - BAR_WIDTH
    axes = canvas.axes(left, top + 0.30, BAR_WIDTH, BAR_HEIGHT)
    mappable = ScalarMappable(norm=Normalize(vmin=-limit, vmax=limit), cmap=DIVERGING)
    bar = canvas.figure.colorbar(
        mappable, cax=axes, orientation="horizontal", extend="both", extendfrac=0.04, drawedges=False
    )
    bar.outline.set_linewidth(0.4)
    bar.outline.set_edgecolor(FRAME)
    bar.ax.xaxis.set_major_locator(MaxNLocator(nbins=6, symmetric=True, steps=[1, 2, 5, 10]))
    bar.ax.xaxis.set_major_formatter(FuncFormatter(_signed))
    bar.ax.tick_params(pad=1.5)
    canvas.text(left - BAR_GAP, top + 0.30 + BAR_HEIGHT - 0.03, typeset(quantity), size=TEXT_PT, align="right")


def _signed(value: float, _: int | None = None) -> str:
    """Tick label: a sign on both sides of zero, the minus as wide as the plus."""
    return typeset(f"{value:+g}".replace("-", "−")) if value else "0"
