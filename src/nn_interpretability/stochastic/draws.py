"""The random numbers of a block of passes, drawn once and shared by all that happens in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from nn_interpretability.errors import DataError
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

    def uniforms(self, seed: int, source: int, shape: tuple[int, ...]) -> Floats:
        """Uniform numbers in (0, 1), shape ``(passes, *shape)``."""
        return self._once(uniforms_of_draws, seed, source, shape)

    def normals(self, seed: int, source: int, shape: tuple[int, ...]) -> Floats:
        """Standard normal numbers, shape ``(passes, *shape)``."""
        return self._once(normals_of_draws, seed, source, shape)

    @property
    def sources(self) -> tuple[int, ...]:
        """The sources that were asked for, in order."""
        return tuple(sorted(self._drawn))

    def digest(self) -> str:
        """SHA-256 of all numbers drawn so far, by source."""
        found = hashlib.sha256()
        for source in self.sources:
            values = self._drawn[source]
            found.update(f"{source} {values.shape}".encode())
            found.update(values.tobytes())
        return found.hexdigest()

    def _once(self, draw: Callable[..., Floats], seed: int, source: int, shape: tuple[int, ...]) -> Floats:
        found = self._drawn.get(source)
        if found is None:
            found = draw(seed, self.passes, shape, source=source)
            self._drawn[source] = found
        if found.shape[1:] != shape:
            raise DataError(
                f"The stochastic operation number {source} works on values of shape {shape} now, and of shape "
                f"{found.shape[1:]} before: a pass cannot be repeated with the same random numbers."
            )
        return found
