"""A model, some images, and what is random: gives the scores of any passes, and rows to explain."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from nn_interpretability.engine.forward import check_scores
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.methods.base import checked_clip, rows_per_image
from nn_interpretability.stochastic.draws import BlockDraws
from nn_interpretability.stochastic.dropout import Randomised, Undisturbed, require_dropout
from nn_interpretability.stochastic.noise import checked_seed
from nn_interpretability.stochastic.pooling import QuickPooling
from nn_interpretability.storage.tensors import content

Scale = Literal["absolute", "range", "std"]

_TOLERANCE = 1e4  # units in the last place, of the largest score, that two ways to compute scores may differ by
_MOST = 0.05  # the same relative to that score: so many units of half precision would allow anything


@dataclass(frozen=True)
class Dropout:
    """Dropout that is on.

    Attributes
    ----------
    seed
        Of the masks.
    stochastic_depth
        Whether stochastic depth is treated as dropout of whole branches; it is no posterior sample by itself.
    """

    seed: int = 0
    stochastic_depth: bool = False

    def __post_init__(self) -> None:
        checked_seed(self.seed)


@dataclass(frozen=True)
class Noise:
    r"""Gaussian noise on the images, :math:`x + \sigma \varepsilon`, with one :math:`\varepsilon` for each pass.

    Attributes
    ----------
    sigma
        Noise level >= 0, in units of ``scale``; one number, or one per channel.
    scale
        ``"absolute"``: units of the pixels; ``"range"`` and ``"std"``: of each image.
    seed
        Of the noise.
    clip
        Lowest and highest value that a noisy pixel may have; None for no limit.
    """

    sigma: float | tuple[float, ...]
    scale: Scale = "absolute"
    seed: int = 0
    clip: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        checked_seed(self.seed)
        if not self._levels or not all(map(_is_level, self._levels)):
            raise ConfigError(f"sigma={self.sigma!r} is not allowed: give a number >= 0, or one per channel.")
        if self.scale not in get_args(Scale):
            raise ConfigError(f"scale={self.scale!r} is not allowed: choose 'absolute', 'range' or 'std'.")
        checked_clip(self.clip)

    def on(self, images: Tensor, draws: BlockDraws) -> Tensor:
        """Noisy images, rows ``(passes, images)``."""
        rows = images + self._sizes(images) * draws.noise(self.seed, images)[:, None]
        if self.clip is not None:
            rows = rows.clamp(*self.clip)
        return rows.flatten(0, 1)

    def _sizes(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)
        size = torch.ones_like(flat[:, 0])
        if self.scale == "range":
            size = flat.amax(dim=1) - flat.amin(dim=1)
        elif self.scale == "std":
            size = flat.double().std(dim=1, correction=0).to(images.dtype)
        level = images.new_tensor(self._levels).reshape(1, -1, *([1] * (images.dim() - 2)))
        return level * size.reshape(-1, *([1] * (images.dim() - 1)))

    @property
    def _levels(self) -> tuple[float, ...]:
        return self.sigma if isinstance(self.sigma, tuple) else (self.sigma,)


def _plain(noise: Noise) -> dict[str, Any]:
    """As JSON has it."""
    sigma = list(noise.sigma) if isinstance(noise.sigma, tuple) else noise.sigma
    return {**asdict(noise), "sigma": sigma, "clip": _listed(noise.clip)}


def _is_level(sigma: object) -> bool:
    return isinstance(sigma, int | float) and not isinstance(sigma, bool) and 0 <= sigma < float("inf")


@dataclass(frozen=True)
class Randomness:
    """What is random in a pass: dropout, noise on the input, or both."""

    dropout: Dropout | None = None
    noise: Noise | None = None

    def describe(self) -> dict[str, Any]:
        """The key of the random numbers, and how they are used."""
        return {
            "dropout": None if self.dropout is None else asdict(self.dropout),
            "noise": None if self.noise is None else _plain(self.noise),
        }


def _listed(pair: Sequence[float] | None) -> list[float] | None:
    return None if pair is None else [float(value) for value in pair]


@dataclass(frozen=True)
class Block:
    """One block of passes.

    Attributes
    ----------
    index
        Position of the block among all blocks of all chunks.
    passes
        Numbers of the passes; always as many as a block has.
    valid
        How many of them count, from the first on; the rest of the last block is computed and dropped.
    """

    index: int
    passes: tuple[int, ...]
    valid: int


def blocks(begin: int, end: int, size: int, *, every: int = 1, first: int = 0) -> Iterator[Block]:
    """The blocks of the passes from ``begin`` to before ``end``.

    Parameters
    ----------
    begin, end
        Half-open range; ``begin`` is a multiple of ``size``.
    size
        Passes in a block.
    every, first
        Pass i has the random numbers of pass ``i * every + first``: for independent masks.

    Raises
    ------
    ConfigError
        If the range is empty, or does not begin with a block.
    """
    if not 0 <= begin < end:
        raise ConfigError(f"Passes from {begin} to before {end}: the range is empty.")
    if begin % size:
        raise ConfigError(f"Passes from {begin} to before {end}: a chunk begins at a multiple of the block, {size}.")
    for start in range(begin, end, size):
        passes = tuple(i * every + first for i in range(start, start + size))
        yield Block(start // size, passes, min(size, end - start))


class Sampler:
    """Scores of passes, in blocks of one fixed size, so that their bits do not depend on which others are computed.

    Parameters
    ----------
    model
        The model; to be called inside :func:`~nn_interpretability.engine.preserve.left_as_found`.
    images
        Shape ``(N, ...)``.
    randomness
        What is random.
    late
        Whether passes may be born at the first dropout; they are if that gives the same scores as at the input.

    Attributes
    ----------
    reason
        Why passes are born at the input, or None while they are born at the first dropout.
    """

    def __init__(self, model: nn.Module, images: Tensor, randomness: Randomness, *, late: bool = True) -> None:
        self.model, self.images, self.randomness = model, images, randomness
        self.left: tuple[str, ...] = ()
        self._identity: dict[str, Any] | None = None
        self.reason: str | None = "asked for" if not late else None
        if randomness.dropout is None:
            self.reason = "no dropout"
        elif randomness.noise is not None:
            self.reason = "noise on the input"
        self._checked = randomness.dropout is None

    @property
    def late(self) -> bool:
        """Whether passes are born at the first dropout."""
        return self.reason is None

    def born_at_input(self, reason: str) -> None:
        """From now on, all passes enter the model."""
        self.reason = reason

    def identity(self, block: int) -> dict[str, Any]:
        """What passes must agree on to be merged; see :func:`identity_of`."""
        if self._identity is None:
            self._identity = identity_of(self.model, self.images, self.randomness, block)
        return {**self._identity, "block": block}

    def coverage(self) -> dict[str, int]:
        """What to say of the passes in a coverage log."""
        where = "born at the first dropout" if self.late else f"born at the input: {self.reason}"
        return {where: 1, **{f"left alone: {name}": 1 for name in self.left}}

    def parts(self, block: int, count: int | None = None) -> Iterator[slice]:
        """Which images go together, of all or of the first so many: as many as fit into moderate batches."""
        together = max(1, rows_per_image(self.images[:1], None) // block)
        count = len(self.images) if count is None else count
        for begin in range(0, count, together):
            yield slice(begin, min(begin + together, count))

    def variant(self, draws: BlockDraws, images: int) -> nn.Module:
        """The model with the dropout of these passes; the model itself without dropout."""
        dropout = self.randomness.dropout
        if dropout is None:
            return self.model
        return Randomised(
            self.model,
            dropout.seed,
            draws,
            images,
            late=self.late,
            stochastic_depth=dropout.stochastic_depth,
        )

    def still(self) -> nn.Module:
        """The model without dropout."""
        return self.model if self.randomness.dropout is None else Undisturbed(self.model)

    def rows(self, images: Tensor, draws: BlockDraws, *, noisy: bool = True) -> Tensor:
        """What enters the model: rows ``(passes, images)``, or the images where passes are born late."""
        if self.randomness.noise is not None and noisy:
            return self.randomness.noise.on(images, draws)
        return images if self.late else images.repeat(len(draws.passes), *([1] * (images.dim() - 1)))

    def undisturbed(self) -> Tensor:
        """Scores ``(N, K)`` without dropout and noise."""
        still = self.still()
        with torch.no_grad():
            parts = self.images.split(rows_per_image(self.images[:1], None))
            return torch.cat([check_scores(still(part.clone()), part) for part in parts])

    def scores(self, draws: BlockDraws, images: Tensor | None = None) -> Tensor:
        """Scores ``(passes, N, K)``; of other images without noise, such as references, if given."""
        self.check(draws)
        noisy, images = images is None, self.images if images is None else images
        parts = self.parts(len(draws.passes), len(images))
        return torch.cat([self._scores(images[part], draws, noisy=noisy) for part in parts], dim=1)

    def _scores(self, images: Tensor, draws: BlockDraws, *, noisy: bool = True) -> Tensor:
        variant = self.variant(draws, len(images))
        rows = self.rows(images, draws, noisy=noisy)
        with torch.no_grad(), QuickPooling():
            found = check_scores(variant(rows.clone()), rows, getattr(variant, "rows_per_image", 1))
        if isinstance(variant, Randomised):
            require_dropout(variant.found)
            self.left = tuple(variant.found.left)
        return found.reshape(len(draws.passes), len(images), -1)

    def check(self, draws: BlockDraws) -> None:
        """Once, compute a block in all ways; passes are born at the input if anything goes wrong, or differs.

        Raises
        ------
        DataError
            If two passes alone have other scores than in the block.
        """
        if self._checked:
            return
        self._checked = True
        images = self.images[next(self.parts(len(draws.passes)))]
        late, reason = None, self.reason
        if reason is None:
            try:
                late = self._scores(images, BlockDraws(draws.passes))
            except (RuntimeError, ValueError, IndexError, TypeError) as surprise:
                reason = _in_words(surprise)
        self.reason = "to compare"
        rows = self._scores(images, BlockDraws(draws.passes))
        alone = torch.cat([self._scores(images, BlockDraws([number])) for number in draws.passes[:2]])
        if not _alike(alone, rows[:2]):
            raise DataError(
                "The model has other scores for a pass alone than for the same pass in a block: its scores of an image "
                "depend on the other images of the batch, or a dropout works on a tensor whose first axis is not the "
                "batch. Passes of such a model cannot be computed together."
            )
        if late is not None and not _alike(late, rows):
            reason = "other scores when born late"
        self.reason = reason


def _alike(found: Tensor, expected: Tensor) -> bool:
    """Whether scores differ by no more than rounding."""
    allowed = min(_TOLERANCE * torch.finfo(expected.dtype).eps, _MOST) * float(expected.abs().max())
    return found.shape == expected.shape and float((found - expected).abs().max()) <= allowed


def _in_words(surprise: Exception) -> str:
    """The first line of a message, without the numbers that vary."""
    lines = str(surprise).strip().splitlines()
    return f"{type(surprise).__name__}: {lines[0] if lines else 'no message'}"


def identity_of(model: nn.Module, images: Tensor, randomness: Randomness, block: int) -> dict[str, Any]:
    """What passes must agree on to be merged: digests of the weights and the images, the key, and the block."""
    weights = hashlib.sha256()
    for name, values in sorted(model.state_dict().items()):
        if isinstance(values, Tensor):
            weights.update(f"{name} {tuple(values.shape)} {values.dtype}".encode())
            weights.update(content(values))
    return {
        "weights": weights.hexdigest(),
        "images": hashlib.sha256(f"{tuple(images.shape)} {images.dtype}".encode() + content(images)).hexdigest(),
        "randomness": randomness.describe(),
        "block": block,
    }


def device_of(images: Tensor) -> str:
    """The kind of processor that works on the images: results of two kinds differ by rounding."""
    if images.device.type == "cuda":
        return f"cuda, {torch.cuda.get_device_name(images.device)}"
    return f"cpu, {torch.backends.cpu.get_cpu_capability()}" if images.device.type == "cpu" else images.device.type


def differing(found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """The names of what two identities disagree on."""
    return [name for name in sorted({*found, *expected}) if found.get(name) != expected.get(name)]
