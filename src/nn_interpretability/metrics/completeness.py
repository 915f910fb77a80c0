"""How far a map is from summing to what it explains."""

from __future__ import annotations

import torch
from torch import Tensor

from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.metrics.maps import checked_maps


def completeness_error(relevance: Tensor, score: Tensor, *, floor: float = 1e-12) -> Tensor:
    r"""Distance of the sum of a map from the score, relative to the score.

    .. math:: \frac{|\sum_i R_i - f|}{\max(|f|, \text{floor})}

    Parameters
    ----------
    relevance
        Maps ``(N, ..., H, W)``.
    score
        What each map should sum to, ``(N,)``: the score, or its difference from that of the reference.
    floor
        The smallest magnitude of the score that is divided by, above 0: near 0 the relative error means little.

    Returns
    -------
    Tensor
        Float64 ``(N,)``, 0 upwards; lower is better, 0 is complete.

    Raises
    ------
    DataError
        If the maps are no finite batch, or there is not one finite score for each of them.
    ConfigError
        If the floor is not positive.

    References
    ----------
    Sundararajan, Taly and Yan 2017, Axiomatic attribution for deep networks (completeness); Bach et al. 2015
    (conservation of relevance).
    """
    total = checked_maps(relevance).flatten(1).sum(dim=1)
    if not isinstance(score, Tensor) or score.shape != total.shape or not bool(torch.isfinite(score).all()):
        found = tuple(score.shape) if isinstance(score, Tensor) else type(score).__name__
        raise DataError(f"Give one finite score for each of the {len(total)} maps, not {found}.")
    if not 0 < floor < float("inf"):
        raise ConfigError(f"floor={floor!r} is not allowed: give a number above 0.")
    score = score.detach().to(total)
    return (total - score).abs() / score.abs().clamp(min=floor)
