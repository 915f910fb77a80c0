"""Maps blurred until they are as smooth as others."""

from __future__ import annotations

import torch
from torch import Tensor

from nn_interpretability.metrics.roughness import total_variation

HALVINGS = 40


def blurred_to(maps: Tensor, variation: Tensor) -> tuple[Tensor, Tensor]:
    """Blur each map by the Gaussian that gives it a total variation, found by bisection.

    Parameters
    ----------
    maps
        Shape ``(n, 1, h, w)``.
    variation
        Total variation over L1 norm that each map should have, ``(n,)``. A map that has no more is left as it is; one
        that keeps more under the widest blur (a standard deviation of half the longer side) gets that one.

    Returns
    -------
    blurred, sigma
        Float64 ``(n, 1, h, w)``, and the standard deviations ``(n,)`` in pixels.
    """
    maps = maps.double()
    low = torch.zeros(len(maps), dtype=torch.float64, device=maps.device)
    high = torch.full_like(low, max(maps.shape[-2:]) / 2)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        rough = total_variation(gaussian_blur(maps, middle), undefined=0.0) > variation
        low, high = torch.where(rough, middle, low), torch.where(rough, high, middle)
    smooth = total_variation(maps, undefined=0.0) <= variation
    sigma = torch.where(smooth, 0.0, high)
    return torch.where(smooth[:, None, None, None], maps, gaussian_blur(maps, sigma)), sigma


def gaussian_blur(maps: Tensor, sigma: Tensor) -> Tensor:
    """Blur each map ``(n, 1, h, w)`` by its own standard deviation ``(n,)``; nothing lies beyond the border."""
    rows, columns = (_weights(length, sigma.to(maps)) for length in maps.shape[-2:])
    return rows[:, None] @ maps @ columns[:, None].mT


def _weights(length: int, sigma: Tensor) -> Tensor:
    """Weight of each pixel of a line (last axis) for each pixel (second last), shape ``(n, length, length)``."""
    place = torch.arange(length, dtype=sigma.dtype, device=sigma.device)
    distance = (place[:, None] - place) / sigma.clamp(min=1e-3)[:, None, None]
    offsets = torch.arange(-4 * length, 4 * length + 1, dtype=sigma.dtype, device=sigma.device)
    total = (-(offsets / sigma.clamp(min=1e-3)[:, None]).square() / 2).exp().sum(dim=1)
    return (-distance.square() / 2).exp() / total[:, None, None]
