"""What all metrics share: one value per pixel, masks, order, and what is done where a metric is undefined."""

from __future__ import annotations

import torch
from torch import Tensor

from nn_interpretability.errors import ConfigError, DataError


def checked_maps(relevance: Tensor, name: str = "relevance") -> Tensor:
    """The maps, in float64 and without a graph.

    Raises
    ------
    DataError
        If they are not a tensor ``(N, ..., H, W)`` of finite floating-point values.
    """
    if not isinstance(relevance, Tensor) or not relevance.is_floating_point():
        found = relevance.dtype if isinstance(relevance, Tensor) else type(relevance).__name__
        raise DataError(f"{name} must be a tensor of floating-point values, not {found}.")
    if relevance.dim() < 3 or relevance.numel() == 0:
        raise DataError(
            f"{name} of shape {tuple(relevance.shape)} is not a batch of maps: (samples, channels, height, width) is "
            "expected. A single map gets its batch axis by relevance[None]."
        )
    maps = relevance.detach().double()
    finite = torch.isfinite(maps).flatten(1).all(dim=1)
    if not bool(finite.all()):
        raise DataError(f"{name} has NaN or infinite values in the maps at positions {_where(~finite)}.")
    return maps


def per_pixel(relevance: Tensor, name: str = "relevance") -> Tensor:
    """One value per pixel, float64 ``(N, H, W)``: the sum over what lies between the first axis and the last two.

    Raises
    ------
    DataError
        As :func:`checked_maps`.
    """
    maps = checked_maps(relevance, name)
    return maps.reshape(len(maps), -1, *maps.shape[-2:]).sum(dim=1)


def paired_maps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Two batches of maps to be compared, as :func:`checked_maps`, on the device of the first.

    Raises
    ------
    DataError
        If one is not a batch of maps, or their shapes differ.
    """
    one, other = checked_maps(a, "a"), checked_maps(b, "b")
    if one.shape != other.shape:
        raise DataError(
            f"Maps of shape {tuple(one.shape)} and {tuple(other.shape)} cannot be compared: give two of one shape."
        )
    return one, other.to(one.device)


def checked_mask(mask: Tensor, pixels: Tensor) -> Tensor:
    """A mask of the pixels ``(N, H, W)``, boolean, of their shape.

    Parameters
    ----------
    mask
        Boolean, ``(H, W)``, ``(N, H, W)`` or ``(N, 1, H, W)``; N may be 1, for all maps.

    Raises
    ------
    DataError
        If it is not.
    """
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        found = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
        raise DataError(f"A mask must be a boolean tensor, not {found}: compare with a threshold first.")
    flat = mask[:, 0] if mask.dim() == 4 and mask.shape[1] == 1 else mask
    fits = flat.dim() in (2, 3) and flat.shape[-2:] == pixels.shape[-2:]
    if not fits or (flat.dim() == 3 and len(flat) not in (1, len(pixels))):
        raise DataError(
            f"A mask of shape {tuple(mask.shape)} does not fit {len(pixels)} maps of {tuple(pixels.shape[-2:])} "
            "pixels: give (H, W), (N, H, W) or (N, 1, H, W)."
        )
    return flat.to(pixels.device).expand_as(pixels)


def most_first(values: Tensor) -> Tensor:
    """Positions along the last axis from the largest value to the smallest; equal values in reading order."""
    return values.argsort(dim=-1, descending=True, stable=True)


def places(order: Tensor) -> Tensor:
    """The place of each position in an order along the last axis: the inverse permutation."""
    return torch.empty_like(order).scatter_(
        -1, order, torch.arange(order.shape[-1], device=order.device).expand_as(order)
    )


def where_defined(values: Tensor, defined: Tensor, undefined: float | None, metric: str, why: str) -> Tensor:
    """The values, and ``undefined`` where the metric is not defined.

    Parameters
    ----------
    values, defined
        Of the same shape; the first axis counts maps.
    undefined
        None to raise, else the value that is put there, which may be NaN.
    metric, why
        Words for the error.

    Raises
    ------
    DataError
        If ``undefined`` is None and the metric is undefined somewhere.
    """
    if undefined is not None:
        if not isinstance(undefined, int | float) or isinstance(undefined, bool):
            raise ConfigError(f"undefined={undefined!r} is not allowed: give a number, or None to raise.")
        return torch.where(defined, values, float(undefined))
    if not bool(defined.all()):
        bad = _where(~defined.reshape(len(defined), -1).all(dim=1))
        raise DataError(
            f"The {metric} is undefined for the maps at positions {bad}: {why}. Leave them out, or give undefined= the "
            "value that stands for it."
        )
    return values


def _where(bad: Tensor) -> list[int]:
    found: list[int] = bad.nonzero().flatten().tolist()[:10]
    return found
