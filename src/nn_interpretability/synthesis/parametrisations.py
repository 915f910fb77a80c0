r"""What is optimised, and which image it stands for.

Each parametrisation keeps its images inside the bounds at every step: by clamping, by a sigmoid, or because a generator
makes no others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

Bounds = tuple[float, float] | None

_MARGIN = 1e-3  # of the box: images on its edge have no finite logit


class Parametrisation(ABC):
    """A map from what is optimised to images."""

    name: ClassVar[str]

    @abstractmethod
    def encode(self, start: Tensor) -> Tensor:
        """The values to start from, for given images (or codes)."""

    @abstractmethod
    def images(self, values: Tensor) -> Tensor:
        """The images that the values stand for, differentiable."""

    def project_(self, values: Tensor) -> None:  # noqa: B027 - most need no projection
        """Bring values back where they are allowed to be, in place, after a step."""


@dataclass(frozen=True)
class Pixels(Parametrisation):
    """The pixels themselves, clamped to the bounds after each step; with bounds None they are free."""

    bounds: Bounds
    name: ClassVar[str] = "pixels"

    def encode(self, start: Tensor) -> Tensor:
        """The images, clamped."""
        values = start.clone()
        self.project_(values)
        return values

    def images(self, values: Tensor) -> Tensor:
        """The values."""
        return values

    def project_(self, values: Tensor) -> None:
        """Clamp."""
        if self.bounds is not None:
            values.clamp_(*self.bounds)


@dataclass(frozen=True)
class SigmoidPixels(Parametrisation):
    r"""Pixels :math:`x = l + (h - l)\,\sigma(v)`, strictly inside the bounds."""

    bounds: tuple[float, float]
    name: ClassVar[str] = "sigmoid"

    def encode(self, start: Tensor) -> Tensor:
        """Logits of the images, which are first brought inside the bounds by a thousandth of their distance."""
        return _logits(start, self.bounds)

    def images(self, values: Tensor) -> Tensor:
        """Sigmoid, scaled to the bounds."""
        return _inside(values, self.bounds)


@dataclass(frozen=True)
class Fourier(Parametrisation):
    r"""The spectrum of the logits of the pixels, coefficient by coefficient divided by its frequency (Olah 2017).

    Steps of equal size in these values change low frequencies most, as natural images do. The values have the shape
    ``(N, C, H, W // 2 + 1, 2)``; frequencies are in cycles per pixel, the lowest of a side of n pixels is 1/n.
    """

    bounds: tuple[float, float]
    size: tuple[int, int]
    name: ClassVar[str] = "fourier"

    def encode(self, start: Tensor) -> Tensor:
        """Scaled spectrum of the logits of the images, as for :class:`SigmoidPixels`."""
        spectrum = torch.fft.rfft2(_logits(start, self.bounds), norm="ortho") / self._scale(start)
        return torch.view_as_real(spectrum).contiguous()

    def images(self, values: Tensor) -> Tensor:
        """Sigmoid of the inverse transform."""
        spectrum = torch.view_as_complex(values) * self._scale(values)
        return _inside(torch.fft.irfft2(spectrum, s=self.size, norm="ortho"), self.bounds)

    def _scale(self, like: Tensor) -> Tensor:
        height, width = self.size
        vertical = torch.fft.fftfreq(height, dtype=like.dtype, device=like.device)[:, None]
        horizontal = torch.fft.rfftfreq(width, dtype=like.dtype, device=like.device)[None]
        frequency = (vertical.square() + horizontal.square()).sqrt()
        scale: Tensor = 1.0 / (frequency.clamp(min=1.0 / max(height, width)) * max(height, width))
        return scale


@dataclass(frozen=True)
class Code(Parametrisation):
    """The code of a generator."""

    generator: Callable[[Tensor], Tensor]
    name: ClassVar[str] = "code"

    def encode(self, start: Tensor) -> Tensor:
        """The codes."""
        return start.clone()

    def images(self, values: Tensor) -> Tensor:
        """What the generator makes of them."""
        return self.generator(values)


@dataclass(frozen=True)
class Rounded(Parametrisation):
    """Another one, of values that are kept in float32, for a model and a generator of lower precision."""

    of: Parametrisation
    dtype: torch.dtype
    name: ClassVar[str] = "rounded"

    def encode(self, start: Tensor) -> Tensor:
        """The values of the other."""
        return self.of.encode(start)

    def images(self, values: Tensor) -> Tensor:
        """Its images, rounded; codes are rounded before the generator sees them."""
        return self.of.images(values.to(self.dtype) if isinstance(self.of, Code) else values).to(self.dtype)

    def project_(self, values: Tensor) -> None:
        """As the other does."""
        self.of.project_(values)


def _logits(images: Tensor, bounds: tuple[float, float]) -> Tensor:
    low, high = bounds
    return ((images - low) / (high - low)).clamp(_MARGIN, 1 - _MARGIN).logit()


def _inside(values: Tensor, bounds: tuple[float, float]) -> Tensor:
    low, high = bounds
    return low + (high - low) * values.sigmoid()
