r"""The random numbers of :mod:`.noise`, made where they are needed: on a GPU, for large images.

A word of Philox 4x64-10 (Salmon et al. 2011) is ten rounds of multiplications, exclusive ors and additions of integers,
which every device does alike, so the words, and the uniform numbers, have the same bits as NumPy's. Normal numbers are
the inverse of the normal distribution function, which agrees to rounding.

Torch has no arithmetic of unsigned words of 64 bits; sums and products of signed ones are the same modulo 2**64, and of
a product's upper half the parts are added up by 32 bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from nn_interpretability.stochastic.noise import BITS, WORD, checked_seed, normals_of_draws

LARGE = 2**14
"""Numbers of one draw from which on a GPU makes its own: fewer are sooner made on the CPU and copied."""

_HALF = 2**32 - 1
_ROUNDS = 10
_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_STEPS = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
_TOGETHER = 2**22  # words that are made at once


def normals_for(images: Tensor, seed: int, draws: Sequence[int], *, source: int = 0) -> Tensor:
    """Standard normal numbers for some draws, each of the shape of an image.

    Parameters
    ----------
    images
        Shape ``(N, ...)``; their dtype and device are those of the numbers.
    seed, draws, source
        As for :func:`~nn_interpretability.stochastic.noise.normals_of_draws`, whose numbers these are; on a GPU, of
        large images, up to rounding in float64.

    Returns
    -------
    Tensor
        Shape ``(draws, ...)``.
    """
    return double_normals_for(images, seed, draws, source=source).to(images)


def double_normals_for(images: Tensor, seed: int, draws: Sequence[int], *, source: int = 0) -> Tensor:
    """The same in float64, on the device that made them."""
    shape = tuple(images.shape[1:])
    if images.device.type == "cuda" and math.prod(shape) >= LARGE:
        return normals_on(images.device, seed, draws, shape, source=source)
    return torch.from_numpy(normals_of_draws(seed, draws, shape, source=source))


def normals_on(
    device: torch.device, seed: int, draws: Sequence[int], shape: tuple[int, ...], *, source: int = 0
) -> Tensor:
    """Standard normal numbers made on a device, float64 ``(draws, *shape)``."""
    drawn: Tensor = torch.special.ndtri(uniforms_on(device, seed, draws, shape, source=source))
    return drawn


def uniforms_on(
    device: torch.device, seed: int, draws: Sequence[int], shape: tuple[int, ...], *, source: int = 0
) -> Tensor:
    """Uniform numbers made on a device, float64 ``(draws, *shape)``, the bits of NumPy's."""
    count = math.prod(shape)
    together = max(1, _TOGETHER // max(count, 1))
    parts = (draws[begin : begin + together] for begin in range(0, len(draws), together))
    upper = [words_on(device, seed, part, count, source=source) >> (64 - BITS) & (2**BITS - 1) for part in parts]
    return ((torch.cat(upper).double() + 0.5) * 2.0**-BITS).reshape(len(draws), *shape)


def words_on(device: torch.device, seed: int, draws: Sequence[int], count: int, *, source: int = 0) -> Tensor:
    """Raw words made on a device, int64 ``(draws, count)``: NumPy's unsigned ones, read as signed."""
    blocks = -(-count // 4)
    number = torch.arange(1, blocks + 1, dtype=torch.int64, device=device)  # NumPy counts before it encrypts
    draw = torch.tensor([_signed(each) for each in draws], dtype=torch.int64, device=device)
    zero = torch.zeros((), dtype=torch.int64, device=device)
    state = [each.expand(len(draws), blocks) for each in (number, zero, draw[:, None], zero)]
    key = (checked_seed(seed), source)
    for _ in range(_ROUNDS):
        state = _round(state, key)
        key = ((key[0] + _STEPS[0]) % WORD, (key[1] + _STEPS[1]) % WORD)
    return torch.stack(state, dim=-1).flatten(1)[:, :count]


def _round(state: Sequence[Tensor], key: tuple[int, int]) -> list[Tensor]:
    (first, second), (one, other) = _MULTIPLIERS, (_signed(each) for each in key)
    return [
        _upper(state[2], second) ^ state[1] ^ one,
        state[2] * _signed(second),
        _upper(state[0], first) ^ state[3] ^ other,
        state[0] * _signed(first),
    ]


def _upper(words: Tensor, factor: int) -> Tensor:
    """The upper 64 bits of unsigned words times an unsigned factor."""
    low, high = words & _HALF, words >> 32 & _HALF
    low_factor, high_factor = factor & _HALF, factor >> 32
    carried = high * low_factor + (low * low_factor >> 32 & _HALF)
    middle = low * high_factor + (carried & _HALF)
    return high * high_factor + (carried >> 32 & _HALF) + (middle >> 32 & _HALF)


def _signed(word: int) -> int:
    return word - WORD if word >= WORD // 2 else word
