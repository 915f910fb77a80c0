"""Sensitivity-n: whether sums of relevance over subsets of pixels predict what deleting them does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nn_interpretability.engine.preserve import left_as_found
from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.base import checked_count
from nn_interpretability.methods.fills import Fill, checked_fill, described_fill
from nn_interpretability.metrics.maps import places
from nn_interpretability.metrics.scores import (
    ScoreKind,
    TargetScore,
    blocks,
    checked_pair,
    checked_rows,
    checked_score,
    filled_like,
)
from nn_interpretability.metrics.similarity import pearson
from nn_interpretability.stochastic.noise import checked_seed, uniforms_of_draws
from nn_interpretability.targets import Target


@dataclass(frozen=True)
class SubsetCorrelation:
    """How well sums of relevance over random subsets of pixels predict what deleting them does.

    Attributes
    ----------
    sizes
        Numbers of pixels in a subset, ``(M,)``.
    correlation
        Pearson's correlation over the subsets of each size, float64 ``(N, M)``.
    """

    sizes: Tensor
    correlation: Tensor

    @property
    def mean(self) -> Tensor:
        """Mean over the sizes, ``(N,)``; higher is better."""
        return self.correlation.mean(dim=1)


class SensitivityN:
    r"""Correlation of the relevance of random subsets of pixels with the fall of the score when they are deleted.

    For each size n, over random subsets S of n pixels, the correlation of

    .. math:: \sum_{i \in S} R_i \quad\text{and}\quad f(x) - f(x_{S \to \text{fill}})

    It is 1 for any linear model with input x gradient (and the fill 0). All images, and all maps that are measured with
    one seed, see the same subsets.

    Parameters
    ----------
    model
        The classifier; it need not be differentiable, is asked in evaluation mode, and left as it was found.
    sizes
        Numbers of pixels n, each at least 1 and less than all pixels.
    subsets
        Random subsets of each size, at least 2.
    fill, score, chunk
        As for :class:`~nn_interpretability.metrics.pixel_flipping.PixelFlipping`.
    seed
        Integer >= 0.
    undefined
        What stands for the correlation where the sums or the scores are the same for all subsets; None to raise.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed.

    References
    ----------
    Ancona et al. 2018, Towards better understanding of gradient-based attribution methods for deep neural networks,
    section 4.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        sizes: Sequence[int],
        subsets: int = 100,
        fill: Fill = "black",
        score: ScoreKind = "logit",
        seed: int = 0,
        chunk: int | None = None,
        undefined: float | None = None,
    ) -> None:
        if not sizes:
            raise ConfigError("sizes=[] is not allowed: give at least one number of pixels.")
        self._sizes = tuple(checked_count("sizes", size) for size in sizes)
        if checked_count("subsets", subsets) < 2:
            raise ConfigError("subsets=1 is not allowed: a correlation needs at least 2.")
        self.model, self._subsets, self._fill = model, subsets, checked_fill(fill)
        self._score, self._seed, self._chunk = checked_score(score), checked_seed(seed), checked_rows(chunk)
        self._undefined = undefined

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {
            "sizes": list(self._sizes),
            "subsets": self._subsets,
            "fill": described_fill(self._fill),
            "score": self._score,
            "seed": self._seed,
        }

    @torch.no_grad()
    def measure(self, images: Tensor, relevance: Tensor, target: Target = None) -> SubsetCorrelation:
        """Delete random subsets of the pixels of a batch of images.

        Parameters
        ----------
        images
            ``(N, C, H, W)``, on the device and of the dtype of the model.
        relevance
            Their maps ``(N, ..., H, W)``, in units of the score; channels are summed.
        target
            As for :meth:`~nn_interpretability.metrics.pixel_flipping.PixelFlipping.measure`.

        Raises
        ------
        DataError
            If images and maps do not fit, or a correlation is undefined and ``undefined`` is None.
        ConfigError
            If a size is not less than the number of pixels, or the target does not fit.
        """
        pixels = checked_pair(images, relevance, self.model)
        count = pixels[0].numel()
        if max(self._sizes) >= count:
            raise ConfigError(f"sizes={self._sizes!r} is not allowed: the images have {count} pixels, give less.")
        chosen = self._chosen(count).to(images.device)
        sums = pixels.flatten(1) @ chosen.double().T
        with left_as_found(self.model):
            falls = self._falls(images, chosen.reshape(-1, *pixels.shape[1:]), target)
        grid = (len(images), len(self._sizes), self._subsets)
        found = pearson(sums.reshape(grid), falls.reshape(grid), undefined=self._undefined)
        return SubsetCorrelation(torch.tensor(self._sizes), found)

    def _chosen(self, count: int) -> Tensor:
        """The subsets, boolean ``(M * subsets, pixels)``; subset j of a size depends on seed, size and j alone."""
        subsets = []
        for size in self._sizes:
            drawn = torch.from_numpy(uniforms_of_draws(self._seed, range(self._subsets), (count,), source=size))
            subsets.append(places(drawn.argsort(dim=1, stable=True)) < size)
        return torch.cat(subsets)

    def _falls(self, images: Tensor, chosen: Tensor, target: Target) -> Tensor:
        """Falls of the score ``(N, M * subsets)``."""
        fill = filled_like(self._fill, images)
        scores = TargetScore(self.model, images, target, self._score, self._chunk)
        found = []
        for block in blocks(len(images) * len(chosen), images, self._chunk):
            index, subset = block // len(chosen), block % len(chosen)
            found.append(scores(torch.where(chosen[subset, None], fill[index], images[index]), index))
        return scores.unchanged[:, None] - torch.cat(found).reshape(len(images), -1)
