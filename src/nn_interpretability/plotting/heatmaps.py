"""One picture or one map, in axes of its own or in a frame among others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from nn_interpretability.plotting.style import DIVERGING, FRAME, OVERLAY, OVERLAY_SHARE, PICTURE

FloatArray = npt.NDArray[np.floating]

MAGNIFICATION = 8
"""Each value becomes this many image dots a side: many PDF viewers blur pictures that have fewer dots than
the screen, and a blurred heat map is another map."""
ENOUGH = 256
"""Dots a side that no screen has more of for one map: larger images are magnified less."""


class Place(Protocol):
    """Where an image can be shown: matplotlib's own axes, or a :class:`Frame`."""

    def imshow(self, X: npt.ArrayLike, /, **settings: Any) -> AxesImage:  # noqa: N803 (matplotlib's word)
        """Show an image [y, x] or [y, x, colour]."""
        ...


@dataclass(frozen=True)
class Frame:
    """A framed place in axes that many images share; the image keeps its shape, in the middle.

    Lengths are in the units of the axes, whose vertical axis points downwards.
    """

    axes: Axes
    left: float
    top: float
    width: float
    height: float

    def imshow(self, X: npt.ArrayLike, /, **settings: Any) -> AxesImage:  # noqa: N803 (matplotlib's word)
        """Show an image [y, x] or [y, x, colour]."""
        rows, columns = np.shape(X)[:2]
        unit = min(self.width / columns, self.height / rows)
        width, height = columns * unit, rows * unit
        left, top = self.left + (self.width - width) / 2, self.top + (self.height - height) / 2
        # Above the image, as the frame of axes is.
        frame = Rectangle((left, top), width, height, fill=False, edgecolor=FRAME, linewidth=0.4, zorder=2.5)
        self.axes.add_patch(frame)
        extent = (left, left + width, top + height, top)
        image = self.axes.imshow(X, extent=extent, aspect="auto", **settings)
        image.set_clip_path(frame)  # PDF viewers fill each dot of the screen that an image touches
        return image


def magnify(image: FloatArray, factor: int | None = None) -> FloatArray:
    """Repeat each value of an image [y, x] or [y, x, colour] ``factor`` times along y and x."""
    if factor is None:
        factor = max(1, min(MAGNIFICATION, ENOUGH // max(image.shape[:2])))
    return np.repeat(np.repeat(image, factor, axis=0), factor, axis=1)


def draw_picture(place: Place, picture: FloatArray) -> None:
    """Draw a picture [channel, y, x] with values in [0, 1]: one channel in grey, three in colour."""
    image = picture[0] if picture.shape[0] == 1 else np.moveaxis(picture, 0, -1)
    place.imshow(magnify(np.clip(image, 0, 1)), cmap=PICTURE, vmin=0, vmax=1, interpolation="none")


def draw_map(place: Place, values: FloatArray, limit: float) -> ScalarMappable:
    """Draw a signed map [y, x] on the diverging scale from ``-limit`` to ``limit``, zero in the middle."""
    norm = Normalize(vmin=-limit, vmax=limit)
    return place.imshow(magnify(values), cmap=DIVERGING, norm=norm, interpolation="none")


def draw_overlay(place: Place, picture: FloatArray, values: FloatArray, limit: float) -> None:
    """Draw the positive part of a map [y, x], from 0 to ``limit``, over a picture [channel, y, x] in [0, 1]."""
    place.imshow(magnify(overlay(picture.mean(axis=0), values / limit)), interpolation="none")


def overlay(brightness: FloatArray, share: FloatArray) -> npt.NDArray[np.float64]:
    """Colours [y, x, 3] of an overlay: of ``share`` in [0, 1] of the scale, over a ``brightness`` in [0, 1]."""
    colour = colormaps[OVERLAY](np.clip(share, 0, 1))[..., :3]
    grey = np.repeat(np.clip(brightness, 0, 1)[..., None], 3, axis=-1)
    return np.asarray(OVERLAY_SHARE * colour + (1 - OVERLAY_SHARE) * grey)
