"""The explained score of changed images, for metrics that ask the model again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from nn_interpretability.engine.forward import check_images, check_scores
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.methods.base import checked_chunk, rows_per_image
from nn_interpretability.methods.fills import Fill, filled
from nn_interpretability.metrics.maps import per_pixel
from nn_interpretability.targets import Target, resolve_target

ScoreKind = Literal["logit", "probability"]

_BLUR = 8


class TargetScore:
    """What a map explains, as a function of changed images; to be used while the model is left as found.

    Parameters
    ----------
    model
        Classifier, in evaluation mode.
    images
        The images as they are, ``(N, C, H, W)``; the target is decided there, once.
    target
        As for :meth:`~nn_interpretability.methods.base.Method.interpret`, but one score for each image.
    kind
        ``"logit"``, or ``"probability"`` for the softmax of the scores; a function target then gets probabilities.
    chunk
        Images in one forward pass, or None.

    Attributes
    ----------
    unchanged
        The score of each image as it is, float64 ``(N,)``.

    Raises
    ------
    ConfigError
        If the target has several scores for one image, or does not fit the model.
    DataError
        If a function target is not finite somewhere.
    """

    def __init__(
        self, model: nn.Module, images: Tensor, target: Target, kind: ScoreKind, chunk: int | None = None
    ) -> None:
        self._model, self._kind = model, kind
        logits = torch.cat([self._logits(images[block]) for block in blocks(len(images), images, chunk)])
        self._resolved = resolve_target(target, self._kind_of(logits), start="none")
        if self._resolved.stacked:
            raise ConfigError(
                "A metric needs one score for each image: give None, a class, one class per image, weights of shape "
                "(images, classes), or a function of the scores."
            )
        self.unchanged = self._evaluate(logits, torch.arange(len(images), device=images.device))

    def __call__(self, rows: Tensor, index: Tensor) -> Tensor:
        """The scores of changed images.

        Parameters
        ----------
        rows
            Changed images, ``(R, C, H, W)``; the model may write into them.
        index
            Which image each of them was, ``(R,)``.

        Returns
        -------
        Tensor
            Float64 ``(R,)``.
        """
        return self._evaluate(self._logits(rows), index)

    def _logits(self, rows: Tensor) -> Tensor:
        return check_scores(self._model(rows), rows)

    def _kind_of(self, logits: Tensor) -> Tensor:
        return logits if self._kind == "logit" else logits.double().softmax(dim=-1)

    def _evaluate(self, logits: Tensor, index: Tensor) -> Tensor:
        scores = self._kind_of(logits)
        if self._resolved.function is None:
            return (self._resolved.starts[0, index].double() * scores.double()).sum(dim=1)
        values = self._resolved.evaluate(scores)[0]
        if not bool(torch.isfinite(values).all()):
            raise DataError("The target function returns NaN or infinite values for the scores of changed images.")
        return values


def checked_score(kind: ScoreKind) -> ScoreKind:
    """The kind of score, if there is one of this name.

    Raises
    ------
    ConfigError
        If there is not.
    """
    if kind not in ("logit", "probability"):
        raise ConfigError(f"score={kind!r} is not allowed: choose 'logit' or 'probability'.")
    return kind


def checked_pair(images: Tensor, relevance: Tensor, model: nn.Module) -> Tensor:
    """One relevance per pixel ``(N, H, W)``, float64 on the device of the images.

    Raises
    ------
    DataError
        If the images are no batch ``(N, C, H, W)`` for this model, or the maps are not of their height and width.
    """
    check_images(images, model)
    pixels = per_pixel(relevance)
    if images.dim() != 4 or pixels.shape != (len(images), *images.shape[2:]):
        raise DataError(
            f"Relevance of shape {tuple(relevance.shape)} does not fit images of shape {tuple(images.shape)}: both "
            "must have as many samples, rows and columns, (samples, channels, height, width)."
        )
    return pixels.to(images.device)


def filled_like(fill: Fill, images: Tensor) -> Tensor:
    """Images of nothing but fill; a blur has the standard deviation of an eighth of the shorter side."""
    blur = min(images.shape[2:]) / _BLUR
    return filled(fill, images, blur=(blur, blur), name="fill of the pixels")


def blocks(rows: int, images: Tensor, chunk: int | None) -> Iterator[Tensor]:
    """The numbers 0 to ``rows`` - 1 in blocks of at most ``chunk``; None for blocks of moderate memory."""
    yield from torch.arange(rows, device=images.device).split(rows_per_image(images[:1], chunk))


def checked_rows(chunk: int | None) -> int | None:
    """Images in one forward pass, at least 1, or None for a moderate number.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    return None if chunk is None else checked_chunk(chunk)
