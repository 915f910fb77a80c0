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
from nn_interpretability.stochastic.device_noise import LARGE, double_normals_for
from nn_interpretability.stochastic.noise import normals_of_draws, uniforms_of_draws, words_of_draws

Floats = npt.NDArray[np.float64]

_WORDS_OF_DIGEST = 4
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
        self._shapes: dict[int, tuple[int, ...]] = {}
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
        self._check_shape(INPUT_NOISE, shape)
        if self._large is None:
            self._large = (seed, double_normals_for(images, seed, self.passes, source=INPUT_NOISE))
        return self._large[1].to(images)

    @property
    def sources(self) -> tuple[int, ...]:
        """The sources that were asked for, in order."""
        return tuple(sorted(self._shapes))

    def digest(self) -> str:
        """SHA-256 of all numbers drawn so far, by source; of the noise of large images, of its first words.

        That noise may have been made on a GPU, where words have the same bits and normal numbers agree to rounding.
        """
        found = hashlib.sha256()
        for source in self.sources:
            values = self._drawn[source] if source in self._drawn else self._words_of_large_noise()
            found.update(f"{source} {(len(self.passes), *self._shapes[source])}".encode())
            found.update(values.tobytes())
        return found.hexdigest()

    def _words_of_large_noise(self) -> npt.NDArray[np.uint64]:
        assert self._large is not None
        return words_of_draws(self._large[0], self.passes, _WORDS_OF_DIGEST, source=INPUT_NOISE)

    def _once(self, draw: Callable[..., Floats], seed: int, source: int, shape: tuple[int, ...]) -> Floats:
        self._check_shape(source, shape)
        if source not in self._drawn:
            self._drawn[source] = draw(seed, self.passes, shape, source=source)
        return self._drawn[source]

    def _check_shape(self, source: int, shape: tuple[int, ...]) -> None:
        before = self._shapes.setdefault(source, shape)
        if before != shape:
            raise DataError(
                f"The stochastic operation number {source} works on values of shape {shape} now, and of shape "
                f"{before} before: a pass cannot be repeated with the same random numbers."
            )
