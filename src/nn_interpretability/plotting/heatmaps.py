"""One picture or one map in one pair of axes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from nn_interpretability.plotting.style import DIVERGING, OVERLAY, OVERLAY_SHARE, PICTURE

FloatArray = npt.NDArray[np.floating]

MAGNIFICATION = 8
"""Each value becomes this many image dots a side: many PDF viewers blur pictures that have fewer dots than
the screen, and a blurred heat map is another map."""
ENOUGH = 256
"""Dots a side that no screen has more of for one map: larger images are magnified less."""


def magnify(image: FloatArray, factor: int | None = None) -> FloatArray:
    """Repeat each value of an image [y, x] or [y, x, colour] ``factor`` times along y and x."""
    if factor is None:
        factor = max(1, min(MAGNIFICATION, ENOUGH // max(image.shape[:2])))
    return np.repeat(np.repeat(image, factor, axis=0), factor, axis=1)


def draw_picture(axes: Axes, picture: FloatArray) -> None:
    """Draw a picture [channel, y, x] with values in [0, 1]: one channel in grey, three in colour."""
    image = picture[0] if picture.shape[0] == 1 else np.moveaxis(picture, 0, -1)
    axes.imshow(magnify(np.clip(image, 0, 1)), cmap=PICTURE, vmin=0, vmax=1, interpolation="none")
    _bare(axes)


def draw_map(axes: Axes, values: FloatArray, limit: float) -> ScalarMappable:
    """Draw a signed map [y, x] on the diverging scale from ``-limit`` to ``limit``, zero in the middle."""
    image = axes.imshow(magnify(values), cmap=DIVERGING, norm=Normalize(vmin=-limit, vmax=limit), interpolation="none")
    _bare(axes)
    return image


def draw_overlay(axes: Axes, picture: FloatArray, values: FloatArray, limit: float) -> None:
    """Draw the positive part of a map [y, x], from 0 to ``limit``, over a picture [channel, y, x] in [0, 1]."""
    axes.imshow(magnify(overlay(picture.mean(axis=0), values / limit)), interpolation="none")
    _bare(axes)


def overlay(brightness: FloatArray, share: FloatArray) -> npt.NDArray[np.float64]:
    """Colours [y, x, 3] of an overlay: of ``share`` in [0, 1] of the scale, over a ``brightness`` in [0, 1]."""
    colour = colormaps[OVERLAY](np.clip(share, 0, 1))[..., :3]
    grey = np.repeat(np.clip(brightness, 0, 1)[..., None], 3, axis=-1)
    return np.asarray(OVERLAY_SHARE * colour + (1 - OVERLAY_SHARE) * grey)


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
