"""Occlusion."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from nn_interpretability.attribution import Attribution
from nn_interpretability.engine.forward import check_scores
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.methods.base import Method
from nn_interpretability.methods.fills import Fill, checked_fill, described_fill, filled
from nn_interpretability.targets import ResolvedTarget, Target


class Occlusion(Method):
    r"""How much the score falls when a window of the image is covered.

    .. math:: M_p = \frac{1}{|\{q : p \in W_q\}|} \sum_{q : p \in W_q} \bigl(S_c(x) - S_c(x_{W_q \to \text{fill}})\bigr)

    A window :math:`W_q` covers all channels. Windows begin every ``stride`` pixels until one reaches the border, where
    it is clipped; where windows overlap, their effects are averaged. Positive: the window spoke for the class.

    Parameters
    ----------
    model
        The classifier; it need not be differentiable.
    window
        Height and width of the window in pixels: one number, or one for each axis.
    stride
        Distance of neighbouring windows, alike, at most the window's size; None for windows side by side.
    fill
        ``"black"`` (0), ``"white"`` (1), ``"mean"`` (of each image and channel), ``"blur"`` (the image itself, blurred
        by a Gaussian with a standard deviation of half a window), a number, one number per channel, or a tensor of the
        shape of an image. Numbers are in the units of the input: for normalised images black is ``(0 - mean) / std``.
    score
        ``"logit"``, or ``"probability"`` for the softmax of the scores; a function target then gets probabilities.
    chunk
        Covered images per forward pass, which bounds the memory, where ``interpret`` is not told another number.

    Notes
    -----
    The result has one channel, and its ``details`` are, for each position of the window (rows, columns):
    ``position_score``, the score with the window there, float64, and ``position_class``, the class with the largest
    score there.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed, or the window is larger than the images.

    References
    ----------
    Zeiler and Fergus 2013, Visualizing and understanding convolutional networks, section 4.2.
    """

    name: ClassVar[str] = "occlusion"
    start = "none"

    def __init__(
        self,
        model: nn.Module,
        *,
        window: int | Sequence[int] = 7,
        stride: int | Sequence[int] | None = None,
        fill: Fill = "black",
        score: Literal["logit", "probability"] = "logit",
        chunk: int = 256,
    ) -> None:
        super().__init__(model)
        self._window = _lengths("window", window)
        self._stride = self._window if stride is None else _lengths("stride", stride)
        if score not in ("logit", "probability"):
            raise ConfigError(f"score={score!r} is not allowed: choose 'logit' or 'probability'.")
        (self._chunk,) = _lengths("chunk", chunk)
        self._fill, self._score = checked_fill(fill), score

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {
            "window": list(self._window),
            "stride": list(self._stride),
            "fill": described_fill(self._fill),
            "score": self._score,
        }

    def interpret(self, images: Tensor, target: Target = None, *, chunk: int | None = None) -> Attribution:
        """Explain a batch of images; see :meth:`~nn_interpretability.methods.base.Method.interpret`."""
        return super().interpret(images, target, chunk=self._chunk if chunk is None else chunk)

    @torch.no_grad()
    def explain(self, images: Tensor, target: Target, chunk: int | None) -> Attribution:
        """Explain one batch; see :meth:`~nn_interpretability.methods.base.Method.explain`."""
        if images.dim() < 3:
            raise DataError(f"Occlusion needs images with places, (samples, channels, ...), not {tuple(images.shape)}.")
        images = images.detach()
        logits = check_scores(self.model(images.clone()), images)
        resolved = self._resolve(target, logits)
        whole = resolved.evaluate(self._scores(logits))
        along = self._along_axes(images)
        score, seen = self._positions(images, along, resolved, self._chunk if chunk is None else chunk)
        maps = _averaged(whole - score, along).to(images.dtype)
        maps, score = (maps.movedim(0, 1), score.permute(2, 1, 0)) if resolved.stacked else (maps[0], score[:, 0].T)
        grid = self._grid(images)
        return Attribution(
            values=maps,
            score=whole.T if resolved.stacked else whole[0],
            logits=logits,
            target=resolved.classes,
            conserving=self.conserving,
            method=self.name,
            parameters=dict(self.parameters),
            target_description=resolved.description,
            details={
                "position_score": score.reshape(*score.shape[:-1], *grid).contiguous(),
                "position_class": seen.T.reshape(len(images), *grid).contiguous(),
            },
        )

    def _positions(
        self, images: Tensor, along: Sequence[Tensor], resolved: ResolvedTarget, rows: int
    ) -> tuple[Tensor, Tensor]:
        """Score ``(positions, targets, samples)`` and largest class ``(positions, samples)`` under each window."""
        fill = self._filled(images)
        step = max(1, rows // len(images))
        scores, classes = [], []
        for some in torch.arange(math.prod(map(len, along)), device=images.device).split(step):
            covered = self._covered_logits(images, fill, _covers(some, along))
            scores.append(resolved.evaluate(self._scores(covered)))
            classes.append(covered.argmax(dim=-1))
        return torch.cat(scores), torch.cat(classes)

    def _scores(self, logits: Tensor) -> Tensor:
        return logits if self._score == "logit" else logits.double().softmax(dim=-1).to(logits.dtype)

    def _grid(self, images: Tensor) -> tuple[int, ...]:
        """The number of positions along each axis."""
        sizes = tuple(images.shape[2:])
        pairs = [_for_axes(name, value, len(sizes)) for name, value in self._lengths()]
        for window, stride, size in zip(*pairs, sizes, strict=True):
            if window > size:
                raise ConfigError(f"window={window} is larger than the images, which have the size {sizes}.")
            if stride > window:
                raise ConfigError(
                    f"stride={stride} is larger than window={window}, which would leave pixels between windows that "
                    "are never covered: give a stride of at most the window."
                )
        return tuple(1 - (window - size) // stride for window, stride, size in zip(*pairs, sizes, strict=True))

    def _lengths(self) -> Sequence[tuple[str, tuple[int, ...]]]:
        return ("window", self._window), ("stride", self._stride)

    def _along_axes(self, images: Tensor) -> list[Tensor]:
        """Which pixels windows cover along each axis, boolean ``(positions, pixels)``; a window is their product."""
        sizes, covered = images.shape[2:], []
        for axis, (count, size) in enumerate(zip(self._grid(images), sizes, strict=True)):
            window, stride = (_for_axes(name, value, len(sizes))[axis] for name, value in self._lengths())
            begin = torch.arange(count, device=images.device)[:, None] * stride
            pixel = torch.arange(size, device=images.device)
            covered.append((pixel >= begin) & (pixel < begin + window))
        return covered

    def _filled(self, images: Tensor) -> Tensor:
        """What windows are filled with, shape of the images."""
        blur = [window / 2 for window in _for_axes("window", self._window, images.dim() - 2)]
        return filled(self._fill, images, blur=blur, name="fill of the windows")

    def _covered_logits(self, images: Tensor, fill: Tensor, covers: Tensor) -> Tensor:
        """Scores of the model, shape ``(positions, N, K)``."""
        covered = torch.where(covers[:, None, None], fill, images)
        rows = covered.flatten(0, 1)
        logits = check_scores(self.model(rows), rows)
        return logits.reshape(*covered.shape[:2], -1)


def _covers(positions: Tensor, along: Sequence[Tensor]) -> Tensor:
    """Which pixels the windows at some positions cover, counted row by row: boolean, shape ``(positions, ...)``."""
    covers = torch.ones((), dtype=torch.bool, device=positions.device)
    for axis in reversed(range(len(along))):
        chosen = along[axis][positions % len(along[axis])]
        positions = positions // len(along[axis])
        covers = covers & chosen.reshape(len(chosen), *(-1 if each == axis else 1 for each in range(len(along))))
    return covers


def _averaged(drops: Tensor, along: Sequence[Tensor]) -> Tensor:
    """Mean over the windows that cover a pixel, axis by axis: ``(targets, samples, 1, ...)``."""
    sums = drops.double().reshape(*map(len, along), *drops.shape[1:])
    for covered in along:  # sums over the first axis of positions, and puts that of pixels at the end
        sums = torch.tensordot(sums, covered.double() / covered.sum(dim=0), dims=([0], [0]))
    return sums.unsqueeze(2)


def _lengths(name: str, value: int | Sequence[int]) -> tuple[int, ...]:
    given = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    if not given or not all(isinstance(v, int) and not isinstance(v, bool) and v >= 1 for v in given):
        raise ConfigError(f"{name}={value!r} is not allowed: give a whole number >= 1.")
    return tuple(int(v) for v in given if isinstance(v, int))


def _for_axes(name: str, value: tuple[int, ...], axes: int) -> tuple[int, ...]:
    if len(value) == 1:
        return value * axes
    if len(value) != axes:
        raise ConfigError(f"{name}={value!r} has {len(value)} numbers, the images have {axes} axes.")
    return value
