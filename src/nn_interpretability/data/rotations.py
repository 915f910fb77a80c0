"""Pictures at many angles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def rotated(picture: NDArray[np.float32], angles: Sequence[float], *, clip: bool = True) -> NDArray[np.float32]:
    """Turn a picture, or several alike, about their centre, by cubic splines, black outside.

    Parameters
    ----------
    picture
        Shape (..., height, width), in [0, 1].
    angles
        Degrees; negative ones turn clockwise.
    clip
        Keep values in [0, 1]. Splines overshoot at sharp edges, by up to 0.2 for digits; the study did not clip.

    Returns
    -------
    ndarray
        float32, shape (angles, ..., height, width).
    """
    turned = np.stack([ndimage.rotate(picture, angle, axes=(-1, -2), reshape=False, order=3) for angle in angles])
    return np.asarray(turned.clip(0, 1) if clip else turned, dtype=np.float32)
