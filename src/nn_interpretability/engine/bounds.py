"""Follow the bounds of the pixels up to the first weighted layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nn_interpretability.engine.operations import JOINING, MONOTONE, changed_in_place, depends_on_input, tensors_in
from nn_interpretability.errors import ConfigError

Bound = float | Sequence[float] | Tensor
Ends = tuple[Tensor, Tensor]

_NAMES = ("lower of input_bounds", "upper of input_bounds")
_ROUNDING = 8  # units in the last place that subtracting a mean and dividing by a deviation may cost


def bound_like(bound: Bound, images: Tensor, name: str) -> Tensor:
    """A tensor of the shape of the images from a number, one number per channel, or a tensor; ``name`` is for errors.

    Raises
    ------
    ConfigError
        If there is neither one value nor one value per channel, nor the shape of the images, or is not finite.
    """
    try:
        values = torch.as_tensor(bound, dtype=images.dtype, device=images.device)
    except (TypeError, ValueError, RuntimeError):
        raise ConfigError(f"The {name} is {bound!r}: give one number, or one per channel.") from None
    if not bool(torch.isfinite(values).all()):
        raise ConfigError(f"The {name} is {bound!r}: it must be finite.")
    if values.dim() == 1 and images.dim() > 2 and len(values) == images.shape[1]:
        values = values.reshape(1, -1, *([1] * (images.dim() - 2)))
    elif values.dim() == 1 and len(values) != 1:
        raise ConfigError(
            f"The {name} has {len(values)} values, the images have {images.shape[1]} channels: "
            "give one number, or one number per channel."
        )
    try:
        return values.expand_as(images).clone()
    except RuntimeError:
        raise ConfigError(
            f"The {name} has the shape {tuple(values.shape)}, which does not fit images of shape "
            f"{tuple(images.shape)}: give one number, or one number per channel."
        ) from None


@dataclass(frozen=True)
class _Followed:
    """The bounds of a tensor, good until somebody writes into it."""

    tensor: Tensor
    version: int
    ends: Ends


@dataclass
class PixelBounds:
    """The lowest and the highest value that each pixel can take, for every tensor before the first weighted layer.

    Needed by the z-box rule, whose relevance is a sum over three leaves: the image and both bounds; and, as leaves
    alone, by rules that do not look at the value of a pixel. Normalisation, reshaping and padding in front of the first
    layer are replayed on the bounds.
    """

    low: Tensor
    high: Tensor
    _known: dict[int, _Followed] = field(default_factory=dict)

    @classmethod
    def unknown(cls, images: Tensor) -> PixelBounds:
        """Leaves for rules that do not ask what the bounds are: 0 and 1, wherever the pixels lie."""
        return cls(torch.zeros_like(images).requires_grad_(True), torch.ones_like(images).requires_grad_(True))

    @classmethod
    def around(cls, images: Tensor, bounds: tuple[Bound, Bound]) -> PixelBounds:
        """Leaves of the shape of ``images``.

        A pixel may lie beyond its bound by the rounding of a normalisation; the bound is then moved to the pixel.

        Raises
        ------
        ConfigError
            If a pixel lies outside its bounds, or a lower bound above the upper one.
        """
        low, high = (bound_like(b, images, n) for b, n in zip(bounds, _NAMES, strict=True))
        crossed = low > high
        if bool(crossed.any()):
            raise ConfigError(
                f"input_bounds: the lower bound {float(low[crossed][0]):.6g} is above the upper bound "
                f"{float(high[crossed][0]):.6g}."
            )
        slack = _ROUNDING * torch.finfo(images.dtype).eps * torch.maximum(low.abs(), high.abs())
        outside = (images < low - slack) | (images > high + slack)
        if bool(outside.any()):
            place = tuple(outside.nonzero()[0].tolist())
            raise ConfigError(
                f"The pixel at {place} (sample, channel, y, x) has the value {float(images[place]):.9g}, outside its "
                f"input_bounds {float(low[place]):.9g} to {float(high[place]):.9g}. For pixels in [0, 1] that are "
                "normalised by mean and std the bounds are (0 - mean) / std and (1 - mean) / std of each channel."
            )
        low, high = torch.minimum(low, images), torch.maximum(high, images)
        return cls(low.requires_grad_(True), high.requires_grad_(True))

    def start(self, entry: Tensor) -> None:
        """The tensor that enters the model has the bounds of the leaves."""
        self.follow(entry, (self.low.clone(), self.high.clone()))

    def of(self, tensor: Tensor) -> Ends | None:
        """The bounds of a tensor, or None where they could not be followed."""
        known = self._known.get(id(tensor))
        return None if known is None or changed_in_place(tensor, known.version) else known.ends

    def replay(
        self, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Sequence[Ends] | None:
        """The bounds of each tensor that a call will return; asked before the call, which may write into its arguments.

        None where they are not known: then nothing was computed.
        """
        depending = depends_on_input(tensors_in((args, kwargs)))
        if name not in MONOTONE or (len(depending) != 1 and name not in JOINING):
            return None
        bounds = {id(tensor): self.of(tensor) for tensor in depending}
        known = {key: ends for key, ends in bounds.items() if ends is not None}
        if len(known) < len(bounds):
            return None
        low, high = (
            list(tensors_in(function(*_with_copies(args, one), **_with_copies(kwargs, one))))
            for one in ({key: ends[end] for key, ends in known.items()} for end in (0, 1))
        )
        return [(torch.minimum(*ends), torch.maximum(*ends)) for ends in zip(low, high, strict=True)]

    def follow(self, tensor: Tensor, ends: Ends) -> None:
        """Keep the bounds of a tensor, until somebody writes into it."""
        self._known[id(tensor)] = _Followed(tensor, tensor._version, ends)


def _with_copies(value: Any, other: Mapping[int, Tensor]) -> Any:
    """Arguments with other tensors in the place of some, and nothing that the model could see written into."""
    if isinstance(value, Tensor):
        return other.get(id(value), value).clone()
    if isinstance(value, dict):
        return {key: _with_copies(item, other) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return (list if isinstance(value, list) else tuple)(_with_copies(item, other) for item in value)
    return value
