"""Octaves: the sizes at which a picture is dreamed, from coarse to fine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from nn_interpretability.errors import ConfigError

Size = tuple[int, int]


def checked_octaves(octaves: int | Sequence[int]) -> tuple[int, ...]:
    """Exponents of the octaves, ascending.

    Parameters
    ----------
    octaves
        The exponents themselves; or how many, of which the last is then 0, the picture's own size.

    Raises
    ------
    ConfigError
        If there are none, or they are not ascending integers.
    """
    if isinstance(octaves, int) and not isinstance(octaves, bool) and octaves >= 1:
        return tuple(range(1 - octaves, 1))
    if isinstance(octaves, Sequence) and not isinstance(octaves, str):
        exponents = tuple(octaves)
        integers = all(isinstance(o, int) and not isinstance(o, bool) for o in exponents)
        if exponents and integers and all(a < b for a, b in pairwise(exponents)):
            return exponents
    raise ConfigError(
        f"octaves={octaves!r} is not allowed: give how many (an integer >= 1; the last has the picture's own size), or "
        "ascending exponents of the scale, such as [-5, -4, -3, -2, -1, 0, 1, 2]."
    )


def octave_size(size: Size, exponent: int, scale: float) -> Size:
    """Height and width at an octave: those of the picture times ``scale ** exponent``, rounded, at least 1."""
    height, width = (max(1, round(side * scale**exponent)) for side in size)
    return height, width


def resized(images: Tensor, size: Size) -> Tensor:
    """Bilinear, smoothed before it is made smaller (no aliases); the same tensor where the size is right."""
    if tuple(images.shape[-2:]) == size:
        return images
    exact = images.to(torch.promote_types(images.dtype, torch.float32))  # on the CPU there is nothing shorter
    return F.interpolate(exact, size=size, mode="bilinear", antialias=True, align_corners=False).to(images.dtype)
