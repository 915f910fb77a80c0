"""Where a synthesis starts: noise keyed by seed, target and number of the start; zeros; or given images or codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nn_interpretability.errors import ConfigError
from nn_interpretability.stochastic.noise import normals, uniforms
from nn_interpretability.synthesis.parametrisations import Bounds

Targets = int | str | Sequence[int] | Tensor
Start = str | Tensor


@dataclass(frozen=True)
class Starts:
    """How the rows of a synthesis start.

    Attributes
    ----------
    given
        ``"noise"``, ``"zeros"``, or a tensor with one start, or one per target.
    shape
        Of one start: an image or a code.
    starts
        How many for each target.
    seed
        Of the noise.
    like
        A tensor of the device and dtype that are wanted.
    bounds
        Uniform noise between them; None for normal noise.
    """

    given: Start
    shape: tuple[int, ...]
    starts: int
    seed: int
    like: Tensor
    bounds: tuple[float, float] | None

    @property
    def example(self) -> Tensor:
        """One start, with its batch axis."""
        if isinstance(self.given, Tensor):
            rows = self.given if self.given.dim() > len(self.shape) else self.given[None]
            return rows[:1].to(self.like)
        return self._noise(0, 0)[None] if self.given == "noise" else self.like.new_zeros(1, *self.shape)

    def rows(self, targets: Tensor) -> Tensor:
        """All starts of the first target, then all of the second, and so on.

        Raises
        ------
        ConfigError
            If starts were given, and not one per target.
        """
        count = len(targets)
        if isinstance(self.given, Tensor):
            if self.given.dim() == len(self.shape):
                return self.given.to(self.like).expand(count, *self.shape).clone()
            if len(self.given) != count:
                raise ConfigError(
                    f"There are {len(self.given)} starts for {count} targets; give one, or one per target."
                )
            return self.given.to(self.like).clone()
        if self.given == "zeros":
            return self.like.new_zeros(count, *self.shape)
        keys = [(target, number) for target in targets.tolist() for number in range(self.starts)]
        return torch.stack([self._noise(*key) for key in keys])

    def _noise(self, target: int, number: int) -> Tensor:
        if self.bounds is None:
            drawn = normals(self.seed, number, self.shape, source=target)
        else:
            low, high = self.bounds
            drawn = low + (high - low) * uniforms(self.seed, number, self.shape, source=target)
        return torch.from_numpy(np.ascontiguousarray(drawn)).to(self.like)


def start_images(
    start: Start, shape: tuple[int, ...] | None, bounds: Bounds, starts: int, seed: int, like: Tensor
) -> Starts:
    """Starts that are images.

    Raises
    ------
    ConfigError
        If the start is not one of those above, or the shape of the images is not known.
    """
    given = _checked_start(start, 3, "an image (channels, height, width)", starts)
    if isinstance(given, Tensor):
        found = tuple(given.shape[-3:])
        if shape is not None and found != tuple(shape):
            raise ConfigError(f"The start has images of {found}, but image_shape={tuple(shape)}.")
        shape = found
    if shape is None:
        raise ConfigError("The size of the images is not known: give image_shape=(channels, height, width).")
    return Starts(given, tuple(shape), starts, seed, like.detach(), bounds or (0.0, 1.0))


def start_codes(start: Start, size: int | None, starts: int, seed: int, like: Tensor) -> Starts:
    """Starts that are codes of a generator.

    Raises
    ------
    ConfigError
        If the start is not one of those above, or the length of the codes is not known.
    """
    given = _checked_start(start, 1, "a code (latent_size,)", starts)
    if isinstance(given, Tensor):
        if size is not None and given.shape[-1] != size:
            raise ConfigError(f"The start has codes of {given.shape[-1]} numbers, the generator takes {size}.")
        size = given.shape[-1]
    if size is None:
        raise ConfigError("The generator has no attribute latent_size: give it one, or give codes to start from.")
    return Starts(given, (int(size),), starts, seed, like.detach(), None)


def checked_targets(target: Targets, count: int, what: str) -> Tensor:
    """The targets as a tensor.

    Parameters
    ----------
    target
        One, several, or ``"all"``.
    count, what
        How many there are, and what they are called.

    Raises
    ------
    ConfigError
        If one does not exist.
    """
    if isinstance(target, str):
        if target != "all":
            raise ConfigError(f"target={target!r} is not allowed: the only word is 'all'.")
        return torch.arange(count)
    try:
        if isinstance(target, bool):
            raise TypeError
        values = torch.as_tensor(target).cpu()
    except (TypeError, ValueError, RuntimeError):
        raise ConfigError(f"target={target!r} is not allowed: give an integer, several, or 'all'.") from None
    if values.dtype == torch.bool or values.is_floating_point() or values.dim() > 1 or values.numel() == 0:
        raise ConfigError(f"target={target!r} is not allowed: give an integer, several, or 'all'.")
    values = values.reshape(-1).to(torch.int64)
    outside = values[(values < 0) | (values >= count)]
    if len(outside):
        raise ConfigError(f"target={int(outside[0])} does not exist: the {what} are 0 to {count - 1}.")
    return values


def _checked_start(start: Start, dims: int, what: str, starts: int) -> Start:
    if isinstance(start, str) and start in {"noise", "zeros"}:
        if start == "zeros" and starts > 1:
            raise ConfigError(f"starts={starts} with start='zeros' would compute the same image {starts} times.")
        return start
    if not isinstance(start, Tensor) or start.dim() not in {dims, dims + 1} or not start.is_floating_point():
        found = tuple(start.shape) if isinstance(start, Tensor) else repr(start)
        raise ConfigError(
            f"start={found} is not allowed: give 'noise', 'zeros', {what}, or one per target with a leading axis."
        )
    if starts > 1:
        raise ConfigError(f"starts={starts} is for start='noise'; a given start is one.")
    if len(start) == 0 or not bool(torch.isfinite(start).all()):
        raise ConfigError("The start is empty, or contains NaN or infinite values.")
    return start
