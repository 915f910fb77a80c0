"""References (baselines): what an image is compared with."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nn_interpretability.errors import ConfigError

Reference = float | Sequence[float] | Tensor

_FORMS = (
    "give one number, one number per channel, one image (C, H, W) or (1, C, H, W), or one image for each explained "
    "image (N, C, H, W)"
)


def checked_reference(reference: Reference) -> Tensor:
    """A reference as a tensor, in its own shape and, where it is a tensor, of its own dtype.

    Raises
    ------
    ConfigError
        If it is no number, or not finite.
    """
    try:
        numbers = None if isinstance(reference, Tensor) else torch.float64
        values = torch.as_tensor(reference, dtype=numbers).detach()
    except (TypeError, ValueError, RuntimeError):
        raise ConfigError(f"reference={reference!r} is not allowed: {_FORMS}.") from None
    if isinstance(reference, bool) or values.dtype == torch.bool or values.is_complex():
        raise ConfigError(f"A reference of type {values.dtype} is not allowed: {_FORMS}.")
    if not bool(torch.isfinite(values).all()):
        raise ConfigError("The reference contains NaN or infinite values.")
    return values


def reference_for(reference: Tensor, images: Tensor) -> Tensor:
    """The reference of each image: of their shape, dtype and device.

    Raises
    ------
    ConfigError
        If the shape fits none of the forms.
    """
    values = reference.to(images)
    if values.dim() == 1 and images.dim() > 2 and len(values) == images.shape[1]:
        values = values.reshape(1, -1, *([1] * (images.dim() - 2)))
    fits = values.dim() == 0 or values.shape[-(images.dim() - 1) :] in {
        images.shape[1:],
        (images.shape[1], *([1] * (images.dim() - 2))),
    }
    entries = 1 if values.dim() < images.dim() else len(values)
    if not fits or values.dim() > images.dim() or entries not in {1, len(images)}:
        raise ConfigError(
            f"A reference of shape {tuple(reference.shape)} does not fit images of shape {tuple(images.shape)}: "
            f"{_FORMS}."
        )
    return values.expand_as(images)


def reference_of_samples(reference: Tensor, index: Tensor, images: Tensor) -> Tensor:
    """The reference for some of the images: of references with one entry per image, those at ``index``.

    Raises
    ------
    ConfigError
        If the reference does not fit the images.
    """
    reference_for(reference, images)
    one_each = reference.dim() == images.dim() and len(reference) > 1
    return reference[index.to(reference.device)] if one_each else reference


class References:
    """One reference, or several that an explanation is averaged over.

    Parameters
    ----------
    value
        One reference, in any of the forms of :func:`checked_reference`, or a list of tensors.

    Raises
    ------
    ConfigError
        If a reference is not allowed, or there is none.
    """

    def __init__(self, value: Reference | Sequence[Tensor]) -> None:
        several = isinstance(value, list | tuple) and any(isinstance(each, Tensor) for each in value)
        if isinstance(value, list | tuple) and not value:
            raise ConfigError("reference=[] is not allowed: give at least one reference.")
        self._given: list[Any] = list(value) if isinstance(value, list | tuple) and several else [value]
        self._several = several
        self._all = [checked_reference(each) for each in self._given]

    def for_samples(self, index: Tensor, images: Tensor) -> References:
        """The references of some of the images."""
        chosen = copy.copy(self)
        chosen._all = [reference_of_samples(each, index, images) for each in self._all]
        return chosen

    def of(self, images: Tensor) -> list[Tensor]:
        """Each reference as ``(1, ...)``, where it serves all images, or ``(N, ...)``; like the images.

        Raises
        ------
        ConfigError
            If one does not fit the images.
        """
        shared = [each.dim() < images.dim() or len(each) == 1 for each in self._all]
        return [reference_for(each, images[:1] if one else images) for each, one in zip(self._all, shared, strict=True)]

    def describe(self) -> Any:
        """In a form that metadata can hold."""
        words = [described(each) for each in self._given]
        return words if self._several else words[0]


def described(reference: Reference) -> Any:
    """A reference in a form that metadata can hold: numbers as they are, images by their shape and their digest."""
    if isinstance(reference, Tensor):
        if reference.dim() < 2:
            return reference.tolist()
        content = reference.detach().double().cpu().contiguous().numpy().tobytes()
        return {"shape": list(reference.shape), "sha256": hashlib.sha256(content).hexdigest()}
    return reference if isinstance(reference, int | float) else list(reference)
