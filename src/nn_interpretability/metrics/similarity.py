"""How alike two maps are: rank correlation, cosine, structural similarity, common top pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.metrics.maps import most_first, paired_maps, places, where_defined

_SIGMA, _RADIUS = 1.5, 5  # the window of 11 x 11 pixels of the paper
_K1, _K2 = 0.01, 0.03


def spearman(a: Tensor, b: Tensor, *, absolute: bool = False, undefined: float | None = None) -> Tensor:
    """Spearman's rank correlation of two maps; equal values share the mean of their ranks.

    Parameters
    ----------
    a, b
        Maps ``(N, ..., H, W)`` of one shape; each value counts, channels are not summed.
    absolute
        Whether magnitudes are ranked, or signed values.
    undefined
        What stands for the correlation with a constant map; None to raise.

    Returns
    -------
    Tensor
        Float64 ``(N,)``, -1 to 1; 1 is the same order.

    Raises
    ------
    DataError
        If the maps do not fit, or one is constant and ``undefined`` is None.

    References
    ----------
    Spearman 1904, The proof and measurement of association between two things; for maps Adebayo et al. 2018, Sanity
    checks for saliency maps.
    """
    one, other = _sized(a, b, absolute)
    return pearson(average_ranks(one), average_ranks(other), undefined=undefined, metric="rank correlation")


def pearson(x: Tensor, y: Tensor, *, undefined: float | None = None, metric: str = "correlation") -> Tensor:
    """Pearson's correlation along the last axis of two float64 tensors ``(N, ..., D)``; undefined for a constant."""
    x, y = _centred(x), _centred(y)
    size = x.norm(dim=-1) * y.norm(dim=-1)
    found = ((x * y).sum(dim=-1) / size).clamp(-1, 1)
    return where_defined(found, size > 0, undefined, metric, "one of the two is constant")


def average_ranks(values: Tensor) -> Tensor:
    """Ranks from 1 along the last axis, float64; equal values share the mean of their ranks."""
    ordered = values.sort(dim=-1).values
    below = torch.searchsorted(ordered, values.contiguous(), right=False)
    upto = torch.searchsorted(ordered, values.contiguous(), right=True)
    return (below + upto + 1).double() / 2


def cosine(a: Tensor, b: Tensor, *, absolute: bool = False, undefined: float | None = None) -> Tensor:
    """Cosine of the angle between two maps.

    Parameters
    ----------
    a, b
        Maps ``(N, ..., H, W)`` of one shape; each value counts, channels are not summed.
    absolute
        Whether magnitudes are compared, or signed values.
    undefined
        What stands for the cosine with a map of zeros; None to raise.

    Returns
    -------
    Tensor
        Float64 ``(N,)``, -1 to 1; 1 is the same up to a positive factor.

    Raises
    ------
    DataError
        If the maps do not fit, or one is zero everywhere and ``undefined`` is None.
    """
    one, other = (_unit(maps) for maps in _sized(a, b, absolute))
    size = one.norm(dim=1) * other.norm(dim=1)
    found = ((one * other).sum(dim=1) / size).clamp(-1, 1)
    return where_defined(found, size > 0, undefined, "cosine", "one of the two is zero everywhere")


def ssim(
    a: Tensor,
    b: Tensor,
    *,
    absolute: bool = False,
    data_range: float | None = None,
    undefined: float | None = None,
) -> Tensor:
    r"""Mean structural similarity of two maps.

    .. math:: \frac{(2 \mu_a \mu_b + c_1)(2 \sigma_{ab} + c_2)}
        {(\mu_a^2 + \mu_b^2 + c_1)(\sigma_a^2 + \sigma_b^2 + c_2)}, \qquad c_1 = (0.01 L)^2, \quad c_2 = (0.03 L)^2

    averaged over all places of a window of 11 x 11 pixels (Gaussian weights, standard deviation 1.5) that lies inside
    the map, and over channels.

    Parameters
    ----------
    a, b
        Maps ``(N, ..., H, W)`` of one shape, at least 11 x 11 pixels; channels are not summed.
    absolute
        Whether magnitudes are compared, or signed values.
    data_range
        The range L of the values. None: each map is divided by its largest magnitude first, so that factors do not
        matter, and L is 2 (1 for magnitudes).
    undefined
        What stands for the metric where a map is zero everywhere and cannot be divided; None to raise.

    Returns
    -------
    Tensor
        Float64 ``(N,)``, -1 to 1; 1 is the same map.

    Raises
    ------
    DataError
        If the maps do not fit, or one is zero everywhere and ``data_range`` and ``undefined`` are None.
    ConfigError
        If the range is not positive.

    References
    ----------
    Wang et al. 2004, Image quality assessment: from error visibility to structural similarity.
    """
    one, other = paired_maps(a, b)
    if min(one.shape[-2:]) < 2 * _RADIUS + 1:
        raise DataError(f"Structural similarity needs maps of at least 11 x 11 pixels, not {tuple(one.shape[-2:])}.")
    if absolute:
        one, other = one.abs(), other.abs()
    if data_range is not None:
        if not 0 < data_range < float("inf"):
            raise ConfigError(f"data_range={data_range!r} is not allowed: give the positive range of the values.")
        return _mean_similarity(one, other, data_range)
    peaks = torch.stack([maps.abs().flatten(1).amax(dim=1) for maps in (one, other)])
    divided = [
        maps / torch.where(peak > 0, peak, 1.0).reshape(-1, *[1] * (maps.dim() - 1))
        for maps, peak in zip((one, other), peaks, strict=True)
    ]
    found = _mean_similarity(divided[0], divided[1], 1.0 if absolute else 2.0)
    return where_defined(
        found, (peaks > 0).all(dim=0), undefined, "structural similarity", "one of the two is zero everywhere"
    )


def top_k_intersection(a: Tensor, b: Tensor, k: int, *, absolute: bool = True) -> Tensor:
    """Share of the k largest values of two maps that are at the same places.

    Parameters
    ----------
    a, b
        Maps ``(N, ..., H, W)`` of one shape; channels are not summed. Of equal values, the first in reading order is
        the larger.
    k
        How many, 1 to the number of values of a map.
    absolute
        Whether the largest magnitudes are meant, or the largest signed values.

    Returns
    -------
    Tensor
        Float64 ``(N,)``, 0 to 1; 1 is the same places. Two random maps of D values have k / D.

    Raises
    ------
    DataError
        If the maps do not fit.
    ConfigError
        If k is not allowed.

    References
    ----------
    Ghorbani, Abid and Zou 2019, Interpretation of neural networks is fragile.
    """
    one, other = _sized(a, b, absolute)
    if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= one.shape[1]:
        raise ConfigError(f"k={k!r} is not allowed: give a whole number from 1 to {one.shape[1]}, the size of a map.")
    first = [places(most_first(maps)) < k for maps in (one, other)]
    return (first[0] & first[1]).sum(dim=1).double() / k


def _sized(a: Tensor, b: Tensor, absolute: bool) -> tuple[Tensor, Tensor]:
    """Both as ``(N, D)``."""
    one, other = (maps.flatten(1) for maps in paired_maps(a, b))
    return (one.abs(), other.abs()) if absolute else (one, other)


def _centred(values: Tensor) -> Tensor:
    """Deviations from the mean; exactly zero for a constant, whose mean may be rounded."""
    constant = values.amax(dim=-1, keepdim=True) == values.amin(dim=-1, keepdim=True)
    return torch.where(constant, 0.0, _unit(values - values.mean(dim=-1, keepdim=True)))


def _unit(values: Tensor) -> Tensor:
    """Divided by the largest magnitude, so that squares of tiny or huge values are neither lost nor infinite."""
    peak = values.abs().amax(dim=-1, keepdim=True)
    return values / torch.where(peak > 0, peak, 1.0)


def _mean_similarity(one: Tensor, other: Tensor, data_range: float) -> Tensor:
    count = len(one)
    one, other = (maps.reshape(-1, 1, *maps.shape[-2:]) for maps in (one, other))
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    mean_a, mean_b = _smoothed(one), _smoothed(other)
    spread_a = _smoothed(one * one) - mean_a**2
    spread_b = _smoothed(other * other) - mean_b**2
    common = _smoothed(one * other) - mean_a * mean_b
    place = ((2 * mean_a * mean_b + c1) * (2 * common + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (spread_a + spread_b + c2)
    )
    return place.reshape(count, -1).mean(dim=1)


def _smoothed(maps: Tensor) -> Tensor:
    """Means over Gaussian windows inside the map, ``(M, 1, H - 10, W - 10)``."""
    offsets = torch.arange(-_RADIUS, _RADIUS + 1, dtype=torch.float64, device=maps.device)
    weights = torch.exp(-(offsets**2) / (2 * _SIGMA**2))
    weights = weights / weights.sum()
    return F.conv2d(F.conv2d(maps, weights[None, None, :, None]), weights[None, None, None, :])
