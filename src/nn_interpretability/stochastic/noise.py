r"""Random numbers as a function of a key: (seed, source, draw) and nothing else.

The numbers of one draw do not depend on which draws were made before, on the batch, or on the number of processes. Raw
words of the counter-based generator Philox 4x64-10 (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3),
whose stream NumPy guarantees, become uniform numbers by their upper 52 bits, and normal numbers by the inverse of the
normal distribution function: one word for each number, always.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from nn_interpretability.errors import ConfigError

WORD = 2**64
BITS = 52


def checked_seed(seed: int) -> int:
    """The seed, if it is an integer from 0 to 2**64 - 1.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or not 0 <= seed < WORD:
        raise ConfigError(f"seed={seed!r} is not allowed: give an integer from 0 to 2**64 - 1.")
    return int(seed)


def words(seed: int, draw: int, count: int, *, source: int = 0) -> npt.NDArray[np.uint64]:
    """The first ``count`` raw words of a draw.

    Parameters
    ----------
    seed, source
        The key: which experiment, and which random operation of it.
    draw
        Number of the draw, from 0. Draws are 2**128 words apart, so that none runs into the next.
    count
        How many words.
    """
    found: npt.NDArray[np.uint64] = words_of_draws(seed, [draw], count, source=source)[0]
    return found


def words_of_draws(seed: int, draws: Sequence[int], count: int, *, source: int = 0) -> npt.NDArray[np.uint64]:
    """The words of several draws, shape ``(draws, count)``; one generator, set from draw to draw, makes them all."""
    # As unsigned words: of a list with one number from 2**63 on, NumPy makes floats, which drop bits of the seed.
    key = np.array([checked_seed(seed), source], dtype=np.uint64)
    generator = np.random.Philox(key=key, counter=[0, 0, 0, 0])
    state: Any = generator.state
    found = np.empty((len(draws), count), dtype=np.uint64)
    for row, draw in zip(found, draws, strict=True):
        state["state"]["counter"][:] = (0, 0, draw, 0)
        generator.state = state
        row[:] = generator.random_raw(count)
    return found


def uniforms(seed: int, draw: int, shape: tuple[int, ...], *, source: int = 0) -> npt.NDArray[np.float64]:
    r"""Uniform numbers :math:`(k + \frac12)\,2^{-52}`, strictly between 0 and 1 and symmetric about 1/2.

    Parameters as in :func:`words`; ``shape`` instead of a count.
    """
    drawn: npt.NDArray[np.float64] = uniforms_of_draws(seed, [draw], shape, source=source)[0]
    return drawn


def uniforms_of_draws(
    seed: int, draws: Sequence[int], shape: tuple[int, ...], *, source: int = 0
) -> npt.NDArray[np.float64]:
    """Those of several draws, shape ``(draws, *shape)``."""
    upper = words_of_draws(seed, draws, math.prod(shape), source=source) >> np.uint64(64 - BITS)
    return ((upper.astype(np.float64) + 0.5) * 2.0**-BITS).reshape(len(draws), *shape)


def normals(seed: int, draw: int, shape: tuple[int, ...], *, source: int = 0) -> npt.NDArray[np.float64]:
    """Standard normal numbers, within 8.3 standard deviations; parameters as in :func:`uniforms`."""
    drawn: npt.NDArray[np.float64] = normals_of_draws(seed, [draw], shape, source=source)[0]
    return drawn


def normals_of_draws(
    seed: int, draws: Sequence[int], shape: tuple[int, ...], *, source: int = 0
) -> npt.NDArray[np.float64]:
    """Those of several draws, shape ``(draws, *shape)``."""
    drawn: npt.NDArray[np.float64] = ndtri(uniforms_of_draws(seed, draws, shape, source=source))
    return drawn
