"""Rank correlations of many small samples at once."""

from __future__ import annotations

import torch
from torch import Tensor

from nn_interpretability.metrics.similarity import average_ranks, pearson


def rank_correlations(a: Tensor, b: Tensor) -> Tensor:
    """Spearman's correlation of each row of ``a`` with the row of ``b``, float64; 0 where one of them is constant.

    Parameters
    ----------
    a, b
        Shape ``(n, places)``.
    """
    return pearson(_centred_ranks(a), _centred_ranks(b), undefined=0.0)


def partial_rank_correlations(a: Tensor, b: Tensor, given: Tensor) -> Tensor:
    r"""Spearman's correlation of ``a`` and ``b`` at fixed ``given``, for each row, float64.

    .. math:: r_{ab \cdot g} = \frac{r_{ab} - r_{ag} r_{bg}}{\sqrt{(1 - r_{ag}^2)(1 - r_{bg}^2)}}

    0 where nothing is left to correlate: one of them is constant, or given with the third.

    Parameters
    ----------
    a, b, given
        Shape ``(n, places)``.
    """
    ab, ag, bg = rank_correlations(a, b), rank_correlations(a, given), rank_correlations(b, given)
    left = (1 - ag**2) * (1 - bg**2)
    decided = left > 1e-12
    return torch.where(decided, (ab - ag * bg) / torch.where(decided, left, 1.0).sqrt(), 0.0)


def _centred_ranks(values: Tensor) -> Tensor:
    ranks = average_ranks(values.double())
    return ranks - ranks.mean(dim=-1, keepdim=True)
