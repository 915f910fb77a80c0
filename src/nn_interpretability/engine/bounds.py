"""Follow the bounds of the pixels up to the first weighted layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nn_interpretability.engine.operations import ELEMENTWISE
from nn_interpretability.errors import ConfigError

Bound = float | Sequence[float] | Tensor


def bound_like(bound: Bound, images: Tensor, name: str) -> Tensor:
    """A bound as a tensor of the shape of the images: from a number, one number per channel, or a tensor.

    Raises
    ------
    ConfigError
        If the bound has neither one value nor one value per channel, nor the shape of the images.
    """
    values = torch.as_tensor(bound, dtype=images.dtype, device=images.device)
    if values.dim() == 1 and images.dim() > 2 and len(values) == images.shape[1]:
        values = values.reshape(1, -1, *([1] * (images.dim() - 2)))
    elif values.dim() == 1 and len(values) != 1:
        raise ConfigError(
            f"The {name} of input_bounds has {len(values)} values, the images have {images.shape[1]} channels: "
            "give one number, or one number per channel."
        )
    return values.expand_as(images).clone()


@dataclass
class PixelBounds:
    """The lowest and the highest value that each pixel can take, for every tensor before the first weighted layer.

    Needed by the z-box rule, whose relevance is a sum over three leaves: the image and both bounds. Normalisation,
    reshaping and padding in front of the first layer are replayed on the bounds.
    """

    low: Tensor
    high: Tensor
    _known: dict[int, tuple[Tensor, Tensor, Tensor]] = field(default_factory=dict)

    @classmethod
    def around(cls, images: Tensor, bounds: tuple[Bound, Bound]) -> PixelBounds:
        """Leaves of the shape of ``images``.

        Raises
        ------
        ConfigError
            If a pixel lies outside its bounds, or a lower bound above the upper one.
        """
        low, high = (bound_like(b, images, n) for b, n in zip(bounds, ("lower", "upper"), strict=True))
        if bool((low > high).any()):
            raise ConfigError(f"input_bounds={bounds!r}: the lower bound is above the upper bound.")
        if bool((images < low).any()) or bool((images > high).any()):
            raise ConfigError(
                f"The images have values from {images.min():.6g} to {images.max():.6g}, outside the "
                f"input_bounds {bounds!r} that the z_box rule was given. For pixels in [0, 1] that are normalised by "
                "mean and std the bounds are (0 - mean) / std and (1 - mean) / std of each channel."
            )
        return cls(low.requires_grad_(True), high.requires_grad_(True))

    def start(self, entry: Tensor) -> None:
        """The tensor that enters the model has the bounds of the leaves."""
        self._known[id(entry)] = (entry, self.low.clone(), self.high.clone())

    def of(self, tensor: Tensor) -> tuple[Tensor, Tensor] | None:
        """The bounds of a tensor, or None where they could not be followed."""
        known = self._known.get(id(tensor))
        return None if known is None else known[1:]

    def replay(
        self, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> None:
        """Apply a call that was made on a tensor of known bounds to the bounds as well."""
        followed = [i for i, arg in enumerate(args) if isinstance(arg, Tensor) and id(arg) in self._known]
        if name not in ELEMENTWISE or len(followed) != 1 or not isinstance(result, Tensor):
            return
        place = followed[0]
        bounds = self._known[id(args[place])][1:]
        ends = [function(*args[:place], end.clone(), *args[place + 1 :], **kwargs) for end in bounds]
        self._known[id(result)] = (result, torch.minimum(*ends), torch.maximum(*ends))
