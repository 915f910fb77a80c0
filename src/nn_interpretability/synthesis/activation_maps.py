"""Look into a network: the activation maps of a layer, the strongest first, and the filters of a convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from nn_interpretability.engine.layers import layer_of
from nn_interpretability.engine.partial import output_of
from nn_interpretability.engine.preserve import left_as_found
from nn_interpretability.errors import ConfigError, DataError

RANKINGS = ("mean", "max")


@dataclass(frozen=True)
class LayerActivation:
    """What a layer answers to images.

    Attributes
    ----------
    layer
        Dotted name.
    maps
        Activation ``(N, units, H, W)``; of a linear layer ``(N, units, 1, 1)``.
    strength
        What the units are ranked by, ``(N, units)``: mean or largest value of each map.
    order
        Units of each image, the strongest first, ``(N, units)``; of equal ones the lower number first.
    """

    layer: str
    maps: Tensor
    strength: Tensor
    order: Tensor

    def strongest(self, count: int) -> Tensor:
        """The maps of the strongest units of each image, ``(N, count, H, W)``, or of all where there are fewer."""
        chosen = self.order[:, :count, None, None].expand(-1, -1, *self.maps.shape[2:])
        return self.maps.gather(1, chosen)


class ActivationMaps:
    """The activation maps of a layer, ranked, since there are often too many to look at.

    Parameters
    ----------
    model
        Any ``torch.nn.Module``; it runs in evaluation mode, up to the layer only, and is left as it was found.
    layer
        Dotted name, as ``model.named_modules()`` has it.
    rank_by
        ``"mean"`` or ``"max"`` of each map.

    Raises
    ------
    ConfigError
        If there is no such layer (the message names those that there are), or no such ranking.
    """

    name = "activation_maps"

    def __init__(self, model: nn.Module, *, layer: str, rank_by: Literal["mean", "max"] = "mean") -> None:
        if not isinstance(model, nn.Module):
            raise ConfigError(f"The model must be a torch.nn.Module, not {type(model).__name__}.")
        layer_of(model, layer)
        if rank_by not in RANKINGS:
            raise ConfigError(f"rank_by={rank_by!r} is not allowed: give one of {', '.join(RANKINGS)}.")
        self.model, self.layer, self.rank_by = model, layer, rank_by

    def interpret(self, images: Tensor) -> LayerActivation:
        """The maps for a batch of images.

        Parameters
        ----------
        images
            Batch ``(N, C, H, W)`` of finite floating-point values.

        Raises
        ------
        DataError
            If the images are not that, or the layer gives NaN or infinite values.
        ConfigError
            If the layer returns something else than a tensor ``(N, units, ...)``.
        """
        if not isinstance(images, Tensor) or not images.is_floating_point() or images.dim() < 2 or len(images) == 0:
            raise DataError("Images must be a batch of floating-point values (samples, channels, height, width).")
        if not bool(torch.isfinite(images).all()):
            raise DataError("The images contain NaN or infinite values.")
        with torch.no_grad(), left_as_found(self.model):
            maps = output_of(self.model, self.layer, images.clone()).clone()
        maps = _as_maps(self.layer, maps, len(images))
        strength = maps.flatten(2).mean(dim=2) if self.rank_by == "mean" else maps.flatten(2).amax(dim=2)
        return LayerActivation(self.layer, maps, strength, strength.argsort(dim=1, descending=True, stable=True))


def filters_of(model: nn.Module, layer: str | None = None) -> Tensor:
    """The weights of a convolution as pictures, ``(units, inputs, height, width)``, a copy.

    Parameters
    ----------
    model
        Any ``torch.nn.Module``.
    layer
        Dotted name of a convolution; None for the first, whose filters are seen in the space of pixels.

    Raises
    ------
    ConfigError
        If there is no such layer, or it is no convolution of pictures.
    """
    if layer is None:
        layer = next((name for name, module in model.named_modules() if isinstance(module, nn.Conv2d)), None)
        if layer is None:
            raise ConfigError(f"{type(model).__name__} has no convolution of pictures, so there are no filters to see.")
    found = layer_of(model, layer)
    if not isinstance(found, nn.Conv2d):
        raise ConfigError(f"The layer {layer!r} is a {type(found).__name__}, not a convolution of pictures (Conv2d).")
    return found.weight.detach().clone()


def _as_maps(layer: str, maps: Tensor, images: int) -> Tensor:
    if maps.dim() not in {2, 4} or len(maps) != images:
        raise ConfigError(
            f"The layer {layer!r} returns the shape {tuple(maps.shape)} for {images} images; maps (samples, units, "
            "height, width), or (samples, units), are expected."
        )
    if not bool(torch.isfinite(maps).all()):
        raise DataError(f"The layer {layer!r} gives NaN or infinite values.")
    return maps if maps.dim() == 4 else maps[:, :, None, None]
