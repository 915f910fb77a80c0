"""The stroke of a 1: its slant, its ends, and pieces of it that are deleted; numpy alone.

A stroke runs along the principal axis of its ink, the direction in which the ink is spread most. Its ends are the first
and the last ink along this axis: for a 1, which is long and hardly bent, the ends of the skeleton, without its spurs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.data.rotations import rotated

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def upright_angles(pictures: FloatArray) -> FloatArray:
    r"""How far to turn pictures until the principal axis of their ink is upright.

    With the ink as weights, rows :math:`y` downwards and columns :math:`x`, the axis is inclined to the vertical by

    .. math:: \theta = \tfrac12 \operatorname{atan2}(2 \operatorname{cov}(x, y),
        \operatorname{var} y - \operatorname{var} x)

    Parameters
    ----------
    pictures
        Shape ``(n, height, width)``, the brightness is the ink.

    Returns
    -------
    ndarray
        Degrees in (-90, 90], shape ``(n,)``, as :func:`~nn_interpretability.data.rotations.rotated` takes them: above 0
        for a digit that leans to the right. 0 for a picture without ink.
    """
    return -np.rad2deg(_inclination(pictures))


def turned_from_upright(pictures: FloatArray, angles: Sequence[float]) -> NDArray[np.float32]:
    """Pictures with their axis upright, turned from there, by one interpolation; ``(angles, n, height, width)``."""
    found = [
        rotated(picture.astype(np.float32), [upright + angle for angle in angles])
        for picture, upright in zip(pictures, upright_angles(pictures), strict=True)
    ]
    return np.stack(found, axis=1)


@dataclass(frozen=True)
class Strokes:
    """Pictures of one stroke each, ``(n, height, width)``, and where the pixels lie on it.

    Attributes
    ----------
    pictures
        Brightness, float64.
    ink
        What belongs to the stroke.
    place
        Distance of each pixel along the axis from the centre of the ink, in pixels; the upper end is negative.
    ends
        Ink near the upper and the lower end, ``(n, 2, height, width)``.
    """

    pictures: FloatArray
    ink: BoolArray
    place: FloatArray
    ends: BoolArray

    @property
    def near(self) -> BoolArray:
        """Ink near one of the ends."""
        return np.asarray(self.ends.any(axis=1))

    @property
    def elsewhere(self) -> BoolArray:
        """Ink near none of the ends."""
        return self.ink & ~self.near

    @property
    def long_enough(self) -> BoolArray:
        """Whether there is at least as much ink elsewhere as near the ends, and some of both; shape ``(n,)``."""
        near, elsewhere = (_total(self.pictures, where) for where in (self.near, self.elsewhere))
        return np.asarray((near > 0) & (elsewhere >= near))

    def chosen(self, which: BoolArray) -> Strokes:
        """Some of the strokes."""
        return Strokes(self.pictures[which], self.ink[which], self.place[which], self.ends[which])

    def without_ends(self) -> FloatArray:
        """The pictures with black in place of the ink near the ends."""
        return np.where(self.near, 0.0, self.pictures)

    def without_pieces(self, pieces: int) -> FloatArray:
        """The pictures with as much ink deleted elsewhere as there is near the ends.

        Parameters
        ----------
        pieces
            How many ways; a piece is a slice across the axis, and the pieces are spread evenly from the upper to the
            lower end of what is elsewhere. A pixel at the border of a piece keeps a part of its brightness, so that
            the amounts are equal.

        Returns
        -------
        ndarray
            Shape ``(pieces, n, height, width)``; only for strokes that are :attr:`long_enough`.
        """
        count = len(self.pictures)
        amount = _total(self.pictures, self.near)
        weight = np.where(self.elsewhere, self.pictures, 0.0).reshape(count, -1)
        order = np.argsort(self.place.reshape(count, -1), axis=1, kind="stable")
        ordered = np.take_along_axis(weight, order, axis=1)
        until = ordered.cumsum(axis=1)
        found = np.empty((pieces, *self.pictures.shape))
        for piece in range(pieces):
            start = (until[:, -1] - amount) * (piece / max(1, pieces - 1))
            inside = np.minimum(until, (start + amount)[:, None]) - np.maximum(until - ordered, start[:, None])
            gone = np.empty_like(weight)
            np.put_along_axis(gone, order, inside.clip(0, None), axis=1)
            found[piece] = self.pictures - gone.reshape(self.pictures.shape)
        return found.clip(0, None)


def strokes_of(pictures: FloatArray, *, ink: float, radius: float) -> Strokes:
    """Find the ends of strokes.

    Parameters
    ----------
    pictures
        Shape ``(n, height, width)``.
    ink
        What is brighter belongs to the stroke.
    radius
        How far along the axis the neighbourhood of an end reaches, in pixels.
    """
    pictures = np.asarray(pictures, dtype=np.float64)
    inked = pictures > ink
    place = _places(pictures)
    first = np.where(inked, place, np.inf).min(axis=(1, 2), keepdims=True)
    last = np.where(inked, place, -np.inf).max(axis=(1, 2), keepdims=True)
    ends = np.stack([inked & (place <= first + radius), inked & (place >= last - radius)], axis=1)
    return Strokes(pictures, inked, place, ends)


def mean_where(values: FloatArray, where: BoolArray) -> FloatArray:
    """Mean over the chosen pixels of each picture, shape ``(n,)``; 0 where none is chosen."""
    return np.asarray(_total(values, where) / np.maximum(where.sum(axis=(1, 2)), 1))


def _total(values: FloatArray, where: BoolArray) -> FloatArray:
    return np.asarray(np.where(where, values, 0.0).sum(axis=(1, 2)))


def _centred(pictures: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Ink as weights that sum to 1 (or 0), and rows and columns from its centre, ``(n, height, width)``."""
    total = pictures.sum(axis=(1, 2), keepdims=True)
    weight = pictures / np.where(total > 0, total, 1.0)
    y, x = np.mgrid[: pictures.shape[1], : pictures.shape[2]]
    from_centre = (axis - (weight * axis).sum(axis=(1, 2), keepdims=True) for axis in (y, x))
    return weight, *from_centre


def _inclination(pictures: FloatArray) -> FloatArray:
    weight, y, x = _centred(np.asarray(pictures, dtype=np.float64))
    yy, xx, xy = ((weight * a * b).sum(axis=(1, 2)) for a, b in ((y, y), (x, x), (x, y)))
    return np.asarray(np.arctan2(2 * xy, yy - xx) / 2)


def _places(pictures: FloatArray) -> FloatArray:
    _, y, x = _centred(pictures)
    angle = _inclination(pictures)[:, None, None]
    return np.asarray(y * np.cos(angle) + x * np.sin(angle))
