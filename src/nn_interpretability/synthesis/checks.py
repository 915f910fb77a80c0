"""Checks of hyper-parameters that methods of synthesis share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nn_interpretability.errors import ConfigError
from nn_interpretability.synthesis.tiles import STRIDE


def checked_number(name: str, value: float, *, above: float | None = None, least: float | None = None) -> float:
    """A finite number, above or at least a bound where one is given.

    Raises
    ------
    ConfigError
        If it is not.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if number and (above is None or value > above) and (least is None or value >= least):
        return float(value)
    wanted = "a finite number" if above is None and least is None else ""
    wanted = f"a number above {above:g}" if above is not None else wanted or f"a number >= {least:g}"
    raise ConfigError(f"{name}={value!r} is not allowed: give {wanted}.")


def checked_channel(channel: int | Sequence[int] | None) -> tuple[int, ...] | None:
    """Channels as a tuple; None for all.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if channel is None:
        return None
    several = (channel,) if isinstance(channel, int) else tuple(channel)
    if not several or not all(isinstance(c, int) and not isinstance(c, bool) and c >= 0 for c in several):
        raise ConfigError(f"channel={channel!r} is not allowed: give an integer >= 0, several, or None for all.")
    return several


def checked_tile(tile: int | None, overlap: int) -> tuple[int | None, int]:
    """Side of a tile and its overlap, in pixels.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if not isinstance(overlap, int) or isinstance(overlap, bool) or overlap < 0:
        raise ConfigError(f"overlap={overlap!r} is not allowed: give a number of pixels, an integer >= 0.")
    least = max(2 * overlap + STRIDE, 2 * STRIDE)
    if tile is not None and (not isinstance(tile, int) or isinstance(tile, bool) or tile < least):
        raise ConfigError(
            f"tile={tile!r} is not allowed: give a number of pixels, an integer >= {least} (room for twice the "
            f"overlap of {overlap} and {STRIDE} of its own, and at least {2 * STRIDE}), or None for the whole picture."
        )
    return tile, overlap


def checked_bounds(bounds: tuple[float, float]) -> tuple[float, float]:
    """Smallest and largest pixel value.

    Raises
    ------
    ConfigError
        If it is not.
    """
    try:
        low, high = (float(bound) for bound in bounds)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError(f"bounds={bounds!r} is not allowed: give the smallest and the largest pixel value.")
    return low, high


def checked_normalisation(
    mean: Sequence[float] | None, std: Sequence[float] | None
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Mean and standard deviation of each channel, or None and None.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if mean is None and std is None:
        return None, None
    if mean is None or std is None or len(mean) != len(std) or not all(s > 0 for s in std):
        raise ConfigError(
            f"mean={mean!r} with std={std!r} is not allowed: give both, one number for each channel, std above 0."
        )
    return tuple(map(float, mean)), tuple(map(float, std))
