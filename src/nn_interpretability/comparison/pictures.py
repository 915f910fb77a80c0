"""Drawn figures, pixel by pixel."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import maximum_filter

from nn_interpretability.comparison.outcome import Outcome
from nn_interpretability.comparison.tolerances import PICTURE
from nn_interpretability.errors import DataError

__all__ = ["compare_pictures", "difference_map"]

#: On a map of differences one of a single dot is as wide as this part of the picture.
WIDTHS = 120


def compare_pictures(group: str, a: Path, b: Path) -> Outcome:
    """Compare two PNG files by the root mean square difference of their grey levels.

    Raises
    ------
    DataError
        One cannot be read.
    """
    if a.read_bytes() == b.read_bytes():
        return Outcome("picture", group, a.name, PICTURE, same=True, relative_error=0.0)
    one, other = _pixels(a), _pixels(b)
    if one.shape != other.shape:
        sizes = " against ".join(f"{width} × {height} dots" for height, width, _ in (one.shape, other.shape))
        return Outcome("picture", group, a.name, PICTURE, same=False, words=sizes, unlike=True)
    error = float(np.sqrt(np.mean(np.square(one - other)))) / 255
    same = error <= PICTURE.relative_error
    return Outcome("picture", group, a.name, PICTURE, same=same, relative_error=error)


def difference_map(a: Path, b: Path) -> bytes:
    """Draw where two pictures differ.

    Returns
    -------
    bytes
        A PNG as large as the larger one; white where they are equal, dark red where they differ most. What one
        lacks, because it is smaller, is taken to be white. Each difference is widened, so that a single value is seen.
    """
    one, other = _pixels(a), _pixels(b)
    height, width = (max(sizes) for sizes in zip(one.shape[:2], other.shape[:2], strict=True))
    apart = np.abs(_padded(one, height, width) - _padded(other, height, width)).max(axis=-1)
    apart = maximum_filter(apart, size=max(1, width // WIDTHS))
    share = np.sqrt(apart / max(float(apart.max()), 1.0))  # the root shows faint differences, too
    white, red = np.array([255.0, 255.0, 255.0]), np.array([140.0, 0.0, 20.0])
    drawn = white + share[..., None] * (red - white)
    held = io.BytesIO()
    Image.fromarray(drawn.round().astype(np.uint8)).save(held, format="PNG")
    return held.getvalue()


def _pixels(path: Path) -> npt.NDArray[np.float64]:
    try:
        with Image.open(path) as opened:
            return np.asarray(opened.convert("RGB"), np.float64)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as a picture ({error}); make it again, or leave it out.") from error


def _padded(pixels: npt.NDArray[np.float64], height: int, width: int) -> npt.NDArray[np.float64]:
    missing = ((0, height - pixels.shape[0]), (0, width - pixels.shape[1]), (0, 0))
    return np.pad(pixels, missing, constant_values=255.0)
