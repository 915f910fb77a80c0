"""How few pixels a map is made of: Gini index and entropy."""

from __future__ import annotations

import torch
from torch import Tensor

from nn_interpretability.metrics.maps import checked_mask, per_pixel, where_defined


def gini(relevance: Tensor, mask: Tensor | None = None, *, undefined: float | None = None) -> Tensor:
    r"""Gini index of the magnitudes of a map: how unevenly they are spread.

    .. math:: G = \frac{\sum_{i=1}^n (2 i - n - 1)\, v_{(i)}}{n \sum_i v_{(i)}}, \qquad v = |R|, \quad
        v_{(1)} \le \dots \le v_{(n)}

    0 where all pixels have the same magnitude, 1 - 1/n where one has everything. The factor of a map and the places of
    its pixels do not matter.

    Parameters
    ----------
    relevance
        Maps ``(N, ..., H, W)``; channels are summed.
    mask
        Pixels to look at, boolean ``(H, W)``, ``(N, H, W)`` or ``(N, 1, H, W)``; None for all.
    undefined
        What stands for the metric of a map of zeros, or of a mask without pixels; None to raise.

    Returns
    -------
    Tensor
        Float64 ``(N,)``, 0 to 1 - 1/n; higher is sparser.

    Raises
    ------
    DataError
        If maps or mask do not fit, or the metric is undefined and ``undefined`` is None.

    References
    ----------
    Hurley and Rickard 2009, Comparing measures of sparsity; for maps Chalasani et al. 2020, Concise explanations of
    neural networks using adversarial training.
    """
    pixels = per_pixel(relevance).abs()
    inside = torch.ones_like(pixels, dtype=torch.bool) if mask is None else checked_mask(mask, pixels)
    # Pixels outside are zeros that come first: they add nothing, and those inside are counted from behind them.
    ordered = torch.where(inside, pixels, 0.0).flatten(1).sort(dim=1).values
    count = inside.flatten(1).sum(dim=1, keepdim=True).double()
    length = ordered.shape[1]
    place = torch.arange(1, length + 1, dtype=torch.float64, device=ordered.device) - (length - count)
    total = ordered.sum(dim=1)
    index = (ordered * (2 * place - count - 1)).sum(dim=1) / (count[:, 0] * total)
    return where_defined(index, total > 0, undefined, "Gini index", "they are zero at all pixels that count")


def entropy_complexity(relevance: Tensor, *, undefined: float | None = None) -> Tensor:
    r"""Entropy of the shares of the magnitudes of a map, in nats.

    .. math:: -\sum_i p_i \ln p_i, \qquad p_i = |R_i| / \sum_j |R_j|

    Parameters
    ----------
    relevance
        Maps ``(N, ..., H, W)``; channels are summed.
    undefined
        What stands for the metric of a map of zeros; None to raise.

    Returns
    -------
    Tensor
        Float64 ``(N,)``, 0 (one pixel has everything) to ln(H W) (all the same); lower is simpler.

    Raises
    ------
    DataError
        If the maps are no finite batch, or one is zero everywhere and ``undefined`` is None.

    References
    ----------
    Bhatt, Weller and Moura 2020, Evaluating and aggregating feature-based model explanations, section 3.3.
    """
    pixels = per_pixel(relevance).abs().flatten(1)
    total = pixels.sum(dim=1)
    shares = pixels / torch.where(total > 0, total, 1.0)[:, None]
    entropy = torch.special.entr(shares).sum(dim=1)
    return where_defined(entropy, total > 0, undefined, "entropy", "they are zero everywhere")
