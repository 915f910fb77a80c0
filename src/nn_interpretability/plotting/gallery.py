"""Layout of a gallery: rows of pictures at the width of the text.

All lengths are centimetres on paper.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from nn_interpretability.plotting.data import FloatArray
from nn_interpretability.plotting.gallery_data import Gallery, GalleryRow
from nn_interpretability.plotting.heatmaps import Place, draw_map, draw_picture
from nn_interpretability.plotting.panels import GAP, MARGIN, ROW_HEAD, WORD_GAP, Canvas, text_width
from nn_interpretability.plotting.style import HEADING_PT, MUTED, SMALL_PT, TEXT_WIDTH_CM, typeset

NOTE = 0.34
TALLEST = 4.6
PHOTOGRAPH = 64
"""Pictures with a longer side are photographs: drawn as they are, since no pixel of theirs is meant to be seen."""


def draw_gallery(gallery: Gallery) -> Figure:
    """The whole figure at its size on paper, not attached to pyplot."""
    canvas = Canvas(TEXT_WIDTH_CM, 2 * MARGIN + sum(_height(row) for row in gallery.rows))
    top = MARGIN
    for row in gallery.rows:
        _draw_row(canvas, row, top)
        top += _height(row)
    return canvas.figure


def _cell(row: GalleryRow) -> tuple[float, float]:
    """Width and height of a picture on paper."""
    columns, _, y, x = row.pictures.shape
    width = (TEXT_WIDTH_CM - 2 * MARGIN - (columns - 1) * GAP) / columns
    width = min(width, TALLEST * x / y)
    return width, width * y / x


def _height(row: GalleryRow) -> float:
    head = ROW_HEAD if row.heading or row.detail else 0.0
    return head + NOTE * _lines(row) + _cell(row)[1] + GAP


def _lines(row: GalleryRow) -> int:
    """Lines of words above the pictures."""
    return max((note.count("\n") + 1 for note in row.notes), default=0)


def _draw_row(canvas: Canvas, row: GalleryRow, top: float) -> None:
    width, height = _cell(row)
    if row.heading or row.detail:
        top += ROW_HEAD
        canvas.text(MARGIN, top - 0.12, typeset(row.heading), size=HEADING_PT)
        left = MARGIN + text_width(typeset(row.heading), HEADING_PT) + WORD_GAP
        canvas.text(left if row.heading else MARGIN, top - 0.12, typeset(row.detail), size=SMALL_PT, color=MUTED)
    top += NOTE * _lines(row)
    for column, picture in enumerate(row.pictures):
        left = MARGIN + column * (width + GAP)
        if row.notes:
            for line, words in enumerate(reversed(row.notes[column].split("\n"))):
                canvas.text(left + width / 2, top - 0.1 - line * NOTE, typeset(words), size=SMALL_PT, align="center")
        place = canvas.frame(left, top, width, height)
        if row.limit is not None:
            draw_map(place, picture[0], row.limit)
        elif max(picture.shape) > PHOTOGRAPH:
            _draw_photograph(place, picture)
        else:
            draw_picture(place, picture)


def _draw_photograph(place: Place, picture: FloatArray) -> None:
    """Draw a photograph [channel, y, x] in [0, 1] as bytes, one dot for each of its pixels."""
    colours = np.repeat(picture, 3, axis=0) if picture.shape[0] == 1 else picture
    place.imshow(np.round(255 * np.clip(np.moveaxis(colours, 0, -1), 0, 1)).astype(np.uint8), interpolation="none")
