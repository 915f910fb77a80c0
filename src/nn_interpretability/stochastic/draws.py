"""The random numbers of a block of passes, drawn once and shared by all that happens in it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nn_interpretability.errors import DataError
from nn_interpretability.stochastic.device_noise import LARGE, normals_for
from nn_interpretability.stochastic.noise import normals_of_draws, uniforms_of_draws

Floats = npt.NDArray[np.float64]

INPUT_NOISE = 2**32  # the source of noise on the input; dropouts count from 0 in the order of execution


class BlockDraws:
    """The numbers of some passes.

    Numbers depend on (seed, source, pass) alone. They are kept, because several forward passes may need them; a second
    request for the same source must have the same shape.

    Parameters
    ----------
    passes
        Numbers of the passes.
    """

    def __init__(self, passes: Sequence[int]) -> None:
        self.passes = tuple(passes)
        self._drawn: dict[int, Floats] = {}
        self._large: tuple[int, Tensor] | None = None

    def uniforms(self, seed: int, source: int, shape: tuple[int, ...]) -> Floats:
        """Uniform numbers in (0, 1), shape ``(passes, *shape)``."""
        return self._once(uniforms_of_draws, seed, source, shape)

    def normals(self, seed: int, source: int, shape: tuple[int, ...]) -> Floats:
        """Standard normal numbers, shape ``(passes, *shape)``."""
        return self._once(normals_of_draws, seed, source, shape)

    def noise(self, seed: int, images: Tensor) -> Tensor:
        """Standard normal numbers for the input, ``(passes, ...)``, with the dtype and on the device of the images."""
        shape = tuple(images.shape[1:])
        if math.prod(shape) < LARGE:
            return torch.from_numpy(self.normals(seed, INPUT_NOISE, shape)).to(images)
        if self._large is None:
            self._large = (seed, normals_for(images, seed, self.passes, source=INPUT_NOISE))
        self._same_shape(INPUT_NOISE, tuple(self._large[1].shape[1:]), shape)
        return self._large[1].to(images)

    @property
    def sources(self) -> tuple[int, ...]:
        """The sources that were asked for, in order."""
        return tuple(sorted({*self._drawn, *([INPUT_NOISE] if self._large else [])}))

    def digest(self) -> str:
        """SHA-256 of all numbers drawn so far, by source; of the noise of large images, of its key and its shape.

        That noise may have been made on a GPU, where it agrees to rounding only.
        """
        found = hashlib.sha256()
        for source, values in sorted(self._drawn.items()):
            found.update(f"{source} {values.shape}".encode())
            found.update(values.tobytes())
        if self._large:
            seed, noise = self._large
            found.update(f"{INPUT_NOISE} {tuple(noise.shape)} {seed} {self.passes}".encode())
        return found.hexdigest()

    def _once(self, draw: Callable[..., Floats], seed: int, source: int, shape: tuple[int, ...]) -> Floats:
        found = self._drawn.get(source)
        if found is None:
            found = draw(seed, self.passes, shape, source=source)
            self._drawn[source] = found
        self._same_shape(source, found.shape[1:], shape)
        return found

    @staticmethod
    def _same_shape(source: int, before: tuple[int, ...], now: tuple[int, ...]) -> None:
        if before != now:
            raise DataError(
                f"The stochastic operation number {source} works on values of shape {now} now, and of shape "
                f"{before} before: a pass cannot be repeated with the same random numbers."
            )
