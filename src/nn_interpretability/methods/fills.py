"""What covered pixels are filled with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from scipy import ndimage
from torch import Tensor

from nn_interpretability.engine.bounds import Bound, bound_like
from nn_interpretability.errors import ConfigError

Fill = Literal["black", "white", "mean", "blur"] | Bound

_COLOURS = {"black": 0.0, "white": 1.0}


def checked_fill(fill: Fill) -> Fill:
    """The fill, if it is a known word, or no word.

    Raises
    ------
    ConfigError
        If it is another word.
    """
    if isinstance(fill, str) and fill not in (*_COLOURS, "mean", "blur"):
        raise ConfigError(
            f"fill={fill!r} is not allowed: choose 'black', 'white', 'mean' or 'blur', or give a number, one number"
            " per channel, or a tensor."
        )
    return fill


def filled(fill: Fill, images: Tensor, *, blur: Sequence[float], name: str) -> Tensor:
    """Images of nothing but fill, of the shape and dtype of the images.

    Parameters
    ----------
    fill
        ``"black"`` (0), ``"white"`` (1), ``"mean"`` (of each image and channel), ``"blur"`` (the image itself,
        blurred), a number, one number per channel, or a tensor that the shape of the images can be made of.
    images
        Shape ``(N, C, ...)``.
    blur
        Standard deviation of the Gaussian along each axis after the channels, in pixels.
    name
        What the fill is, for errors.

    Raises
    ------
    ConfigError
        If the fill does not fit the images.
    """
    if isinstance(fill, str):
        if fill == "mean":
            return images.mean(dim=tuple(range(2, images.dim())), keepdim=True).expand_as(images)
        if fill == "blur":
            blurred = ndimage.gaussian_filter(images.double().cpu().numpy(), [0, 0, *blur], mode="nearest")
            return torch.from_numpy(blurred).to(images)
        fill = _COLOURS[fill]
    return bound_like(fill, images, name)


def described_fill(fill: Fill) -> object:
    """In a form that metadata can hold."""
    return fill if isinstance(fill, str | int | float) else torch.as_tensor(fill).tolist()
