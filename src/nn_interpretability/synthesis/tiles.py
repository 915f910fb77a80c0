"""Cut a picture into tiles of bounded size that lie on the model's own grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

STRIDE = 32
"""Tiles begin at multiples of this, the largest stride among the usual classifiers of pictures, so that a layer's
grid of positions is the same whichever tile a pixel lies in."""


@dataclass(frozen=True)
class Span:
    """One tile along one axis: pixels ``start`` to ``stop`` are seen, ``first`` to ``last`` are its own."""

    start: int
    stop: int
    first: int
    last: int

    @property
    def seen(self) -> slice:
        """What the model is shown, in pixels of the picture."""
        return slice(self.start, self.stop)

    @property
    def own(self) -> slice:
        """What is kept, in pixels of the picture."""
        return slice(self.first, self.last)

    @property
    def own_within(self) -> slice:
        """What is kept, in pixels of the tile."""
        return slice(self.first - self.start, self.last - self.start)


def spans(length: int, tile: int, overlap: int) -> list[Span]:
    """Tiles along one axis of a picture.

    Parameters
    ----------
    length
        Pixels of the picture.
    tile
        Largest number of pixels of a tile, at least ``2 * overlap + STRIDE``, and at least ``2 * STRIDE``, lest the
        last one be too narrow for a deep layer.
    overlap
        Pixels that a tile sees beyond its own, on each side that is not an edge of the picture.

    Returns
    -------
    list of Span
        Each pixel is some tile's own once. A last tile that would be narrow is widened to the left, over pixels that
        stay another tile's own; it has more than ``tile - STRIDE`` pixels.
    """
    if length <= tile:
        return [Span(0, length, 0, length)]
    step = (tile - 2 * overlap) // STRIDE * STRIDE
    assert step > 0, "checked by the caller"
    starts = [0]
    while starts[-1] + tile < length:
        starts.append(starts[-1] + step)
    edges = [0, *(start + overlap for start in starts[1:]), length]
    starts[-1] = -(-(length - tile) // STRIDE) * STRIDE
    return [
        Span(start, min(start + tile, length), first, last)
        for start, first, last in zip(starts, edges[:-1], edges[1:], strict=True)
    ]


def tiles(height: int, width: int, tile: int, overlap: int) -> Iterator[tuple[Span, Span]]:
    """Tiles of a picture, row by row: pairs of spans along y and x; parameters as in :func:`spans`."""
    for rows in spans(height, tile, overlap):
        for columns in spans(width, tile, overlap):
            yield rows, columns


def seams(length: int, tile: int, overlap: int) -> list[int]:
    """First pixel of each tile but the first: where a seam would be."""
    return [span.first for span in spans(length, tile, overlap)[1:]]


def narrowest(length: int, tile: int, overlap: int) -> int:
    """Pixels of the narrowest tile."""
    return min(span.stop - span.start for span in spans(length, tile, overlap))
