"""How much of a map is negative."""

from __future__ import annotations

import torch
from torch import Tensor

from nn_interpretability.metrics.maps import per_pixel


def negative_share(maps: Tensor) -> Tensor:
    r"""Share of the magnitude of maps that is negative, :math:`\sum_i R_i^- / \sum_i |R_i|`, float64 ``(n,)``.

    0 for a map of zeros.

    Parameters
    ----------
    maps
        Shape ``(n, ..., height, width)``; channels are summed.
    """
    pixels = per_pixel(maps).flatten(1)
    total = pixels.abs().sum(1)
    return (-pixels).clamp(min=0).sum(1) / torch.where(total > 0, total, 1.0)
