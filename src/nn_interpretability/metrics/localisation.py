"""How much of a map lies where it should: share, rank and peak inside a mask, and the ink of digits as a mask."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.metrics.maps import checked_mask, most_first, per_pixel, places, where_defined


def relevance_mass(relevance: Tensor, mask: Tensor, *, undefined: float | None = None) -> Tensor:
    r"""Share of the magnitudes of a map inside a mask, :math:`\sum_{i \in M} |R_i| / \sum_i |R_i|`.

    Parameters
    ----------
    relevance
        Maps ``(N, ..., H, W)``; channels are summed.
    mask
        Where relevance should be, boolean ``(H, W)``, ``(N, H, W)`` or ``(N, 1, H, W)``.
    undefined
        What stands for the metric of a map of zeros, or of a mask without pixels; None to raise.

    Returns
    -------
    Tensor
        Float64 ``(N,)``, 0 to 1; higher is better. An even map has the mask's share of the pixels.

    Raises
    ------
    DataError
        If maps or mask do not fit, or the metric is undefined and ``undefined`` is None.

    References
    ----------
    Arras, Osman and Samek 2022, CLEVR-XAI: a benchmark dataset for the ground truth evaluation of neural network
    explanations, section 3.3 (relevance mass accuracy).
    """
    pixels = per_pixel(relevance).abs()
    inside = checked_mask(mask, pixels)
    total = pixels.sum(dim=(1, 2))
    share = torch.where(inside, pixels, 0.0).sum(dim=(1, 2)) / total
    defined = (total > 0) & inside.flatten(1).any(dim=1)
    return where_defined(share, defined, undefined, "relevance mass", "map or mask is zero everywhere")


def relevance_rank_accuracy(
    relevance: Tensor, mask: Tensor, *, absolute: bool = True, undefined: float | None = None
) -> Tensor:
    r"""Share of the K most relevant pixels that lie inside a mask of K pixels.

    Parameters
    ----------
    relevance
        Maps ``(N, ..., H, W)``; channels are summed. Of equal pixels, the first in reading order is the more relevant.
    mask
        Where relevance should be, boolean ``(H, W)``, ``(N, H, W)`` or ``(N, 1, H, W)``.
    absolute
        Whether pixels are ordered by magnitude, or by their signed value.
    undefined
        What stands for the metric of a constant map, which has no order, or of a mask without pixels; None to raise.

    Returns
    -------
    Tensor
        Float64 ``(N,)``, 0 to 1; higher is better. A random order has the mask's share of the pixels.

    Raises
    ------
    DataError
        If maps or mask do not fit, or the metric is undefined and ``undefined`` is None.

    References
    ----------
    Arras, Osman and Samek 2022, CLEVR-XAI, section 3.3.
    """
    pixels = _strength(relevance, absolute)
    inside = checked_mask(mask, pixels.reshape(len(pixels), *relevance.shape[-2:])).flatten(1)
    count = inside.sum(dim=1)
    first = places(most_first(pixels)) < count[:, None]
    share = (first & inside).sum(dim=1).double() / count
    return where_defined(share, _varies(pixels) & (count > 0), undefined, "relevance rank accuracy", _WHY)


def pointing_game(relevance: Tensor, mask: Tensor, *, absolute: bool = True, undefined: float | None = None) -> Tensor:
    """Whether the most relevant pixel lies inside a mask.

    The paper allows for a distance of 15 pixels; a mask dilated by as much does the same.

    Parameters
    ----------
    relevance
        Maps ``(N, ..., H, W)``; channels are summed. Of equal pixels, the first in reading order counts.
    mask
        Where relevance should be, boolean ``(H, W)``, ``(N, H, W)`` or ``(N, 1, H, W)``.
    absolute
        Whether the most relevant pixel is that of the largest magnitude, or of the largest value.
    undefined
        What stands for the metric of a constant map, which has no peak, or of a mask without pixels; None to raise.

    Returns
    -------
    Tensor
        Float64 ``(N,)``, 1 or 0; higher is better.

    Raises
    ------
    DataError
        If maps or mask do not fit, or the metric is undefined and ``undefined`` is None.

    References
    ----------
    Zhang et al. 2018, Top-down neural attention by excitation backprop, section 4.2.
    """
    pixels = _strength(relevance, absolute)
    inside = checked_mask(mask, pixels.reshape(len(pixels), *relevance.shape[-2:])).flatten(1)
    hit = inside.gather(1, most_first(pixels)[:, :1])[:, 0].double()
    return where_defined(hit, _varies(pixels) & inside.any(dim=1), undefined, "pointing game", _WHY)


def dilated_ink(images: Tensor, threshold: float = 0.0, radius: int = 1) -> Tensor:
    """Where the ink of digits is, and what touches it.

    Parameters
    ----------
    images
        ``(N, C, H, W)``, dark background; ink is what is brighter than the threshold in any channel.
    threshold
        In the units of the images: for normalised images black is ``(0 - mean) / std``.
    radius
        Width of the rim in pixels, along both axes and across: a square of side ``2 radius + 1`` around each pixel.

    Returns
    -------
    Tensor
        Boolean ``(N, H, W)``.

    Raises
    ------
    DataError
        If the images are no finite batch.
    ConfigError
        If the radius is negative, or the threshold no finite number.
    """
    if not isinstance(images, Tensor) or images.dim() != 4 or not bool(torch.isfinite(images).all()):
        found = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise DataError(f"Ink is looked for in finite images (samples, channels, height, width), not in {found}.")
    if not isinstance(radius, int) or isinstance(radius, bool) or radius < 0:
        raise ConfigError(f"radius={radius!r} is not allowed: give a whole number of pixels >= 0.")
    if not abs(threshold) < float("inf"):
        raise ConfigError(f"threshold={threshold!r} is not allowed: give a finite number.")
    ink = (images > threshold).any(dim=1, keepdim=True).float()
    return F.max_pool2d(ink, 2 * radius + 1, stride=1, padding=radius)[:, 0] > 0


_WHY = "the map is constant, or the mask has no pixels"


def _strength(relevance: Tensor, absolute: bool) -> Tensor:
    pixels = per_pixel(relevance).flatten(1)
    return pixels.abs() if absolute else pixels


def _varies(pixels: Tensor) -> Tensor:
    return pixels.amax(dim=1) > pixels.amin(dim=1)
