"""Numbers that tell good dreams from bad ones: grain, seams, brightness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nn_interpretability.errors import DataError

Floats = npt.NDArray[np.floating[Any]]

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Weights of red, green and blue (ITU-R BT.709)."""


def luminance(pictures: Floats) -> npt.NDArray[np.float64]:
    """Brightness ``(N, H, W)`` of pictures ``(N, C, H, W)``: of three channels as red, green, blue, else their mean."""
    weights = LUMINANCE if pictures.shape[1] == 3 else [1 / pictures.shape[1]] * pictures.shape[1]
    weighted: npt.NDArray[np.float64] = np.einsum("nchw,c->nhw", pictures.astype(np.float64), np.asarray(weights))
    return weighted


def high_frequency_share(change: Floats) -> npt.NDArray[np.float64]:
    """Share of the spectral energy above half the Nyquist frequency, shape ``(N,)``, 0 to 1.

    Parameters
    ----------
    change
        ``(N, H, W)``; its mean does not count, and its edges are faded (Hann window) so that they add no energy. A
        constant has the share 0. White noise has the share 1 - pi / 16, about 0.80.
    """
    height, width = change.shape[1:]
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    centred = change - (change * window).sum(axis=(1, 2), keepdims=True) / window.sum()
    energy = np.abs(np.fft.fft2(centred * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    total = energy.sum(axis=(1, 2))
    rounding = 1e-24 * height * width * ((change * window) ** 2).sum(axis=(1, 2))
    high = energy[:, frequency > 0.25].sum(axis=1)
    share: npt.NDArray[np.float64] = np.divide(high, total, out=np.zeros_like(total), where=total > rounding)
    return share


def seam_energy(change: Floats, rows: Sequence[int], columns: Sequence[int]) -> npt.NDArray[np.float64]:
    """Mean squared jump across the edges of tiles over the mean squared jump elsewhere, shape ``(N,)``.

    Parameters
    ----------
    change
        Dream minus photograph, ``(N, H, W)``.
    rows, columns
        First pixel of each tile but the first, along y and x. 1 means that nothing is to be seen of the tiles.

    Raises
    ------
    DataError
        If there are no seams.
    """
    if not rows and not columns:
        raise DataError("One tile covers the picture: there are no seams to measure.")
    at, elsewhere = [], []
    for axis, places in ((1, rows), (2, columns)):
        jumps = np.diff(change.astype(np.float64), axis=axis) ** 2
        seam = np.zeros(jumps.shape[axis], dtype=bool)
        seam[[place - 1 for place in places]] = True
        at.append(np.compress(seam, jumps, axis=axis).reshape(len(change), -1))
        elsewhere.append(np.compress(~seam, jumps, axis=axis).reshape(len(change), -1))
    there = np.concatenate(elsewhere, axis=1).mean(axis=1)
    here = np.concatenate(at, axis=1).mean(axis=1)
    ratio: npt.NDArray[np.float64] = np.divide(here, there, out=np.ones_like(here), where=there > 0)
    return ratio
