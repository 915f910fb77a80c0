"""Pixel flipping, and region flipping: how the score falls when pixels are deleted in the order of their relevance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nn_interpretability.engine.preserve import left_as_found
from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.base import checked_count
from nn_interpretability.methods.fills import Fill, checked_fill, described_fill
from nn_interpretability.metrics.maps import most_first, places
from nn_interpretability.metrics.scores import (
    ScoreKind,
    TargetScore,
    blocks,
    checked_pair,
    checked_rows,
    checked_score,
    filled_like,
)
from nn_interpretability.targets import Target

Order = Literal["both", "most_relevant_first", "least_relevant_first"]
_ORDERS = ("both", "most_relevant_first", "least_relevant_first")


@dataclass(frozen=True)
class FlippingCurves:
    """Scores of images whose pixels are flipped step by step.

    Attributes
    ----------
    share
        Share of the regions that are flipped at each step, float64 ``(S + 1,)``; 0 at step 0.
    most_relevant_first, least_relevant_first
        Score at each step, float64 ``(N, S + 1)``; None for an order that was not asked for.
    """

    share: Tensor
    most_relevant_first: Tensor | None
    least_relevant_first: Tensor | None

    @property
    def area_between(self) -> Tensor:
        """Area between the perturbation curves: mean over the steps of least minus most relevant first, ``(N,)``.

        In units of the score; higher is better, 0 for an order that says nothing. Every step counts the same, step 0
        among them.

        Raises
        ------
        ConfigError
            If only one order was asked for.
        """
        return (self._curve("least_relevant_first") - self._curve("most_relevant_first")).mean(dim=1)

    @property
    def area_over(self) -> Tensor:
        """Area over the perturbation curve (AOPC): mean over the steps of the fall of the score, ``(N,)``.

        Of the most relevant first; higher is better.
        """
        curve = self._curve("most_relevant_first")
        return (curve[:, :1] - curve).mean(dim=1)

    def _curve(self, order: str) -> Tensor:
        curve: Tensor | None = getattr(self, order)
        if curve is None:
            raise ConfigError(f"The curve of the pixels {order.replace('_', ' ')} was not asked for: order='both'.")
        return curve


class PixelFlipping:
    r"""How the score changes when pixels are replaced in the order of their relevance.

    With :math:`x^{(s)}` the image after step s, the curve is :math:`f(x^{(0)}), \dots, f(x^{(S)})`, the most relevant
    pixels first (MoRF) or the least relevant first (LeRF), and

    .. math:: \mathrm{ABPC} = \frac{1}{S + 1} \sum_{s=0}^{S} f(x^{(s)}_\mathrm{LeRF}) - f(x^{(s)}_\mathrm{MoRF}), \qquad
        \mathrm{AOPC} = \frac{1}{S + 1} \sum_{s=0}^{S} f(x^{(0)}) - f(x^{(s)}_\mathrm{MoRF})

    Pixels are ordered by signed relevance, once, at the unchanged image. Equal pixels are flipped in reading order, in
    both orders: a constant map has twice the same curve, and the area between them is 0.

    Parameters
    ----------
    model
        The classifier; it need not be differentiable, is asked in evaluation mode, and left as it was found.
    fill
        What flipped pixels become, in all channels: ``"black"`` (0), ``"white"`` (1), ``"mean"`` (of each image and
        channel), ``"blur"`` (the image itself, blurred by a Gaussian with a standard deviation of an eighth of its
        shorter side), a number, one number per channel, or a tensor of the shape of an image or of the images. Numbers
        are in the units of the input: for normalised images black is ``(0 - mean) / std``.
    steps
        Number of steps; after step s the first ``round(s * regions * until / steps)`` regions are flipped. None: one
        region in each step.
    order
        Which curves: ``"both"``, ``"most_relevant_first"`` or ``"least_relevant_first"``.
    score
        ``"logit"``, or ``"probability"`` for the softmax of the scores.
    region
        Side of the squares of pixels that are flipped together, by the sum of their relevance; those at the lower and
        the right border are clipped. 1: single pixels.
    until
        Share of the regions that are flipped in the end, above 0, at most 1.
    chunk
        Images in one forward pass, which bounds memory; None for a moderate number.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed.

    References
    ----------
    Bach et al. 2015, On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance
    propagation; Samek et al. 2017, Evaluating the visualization of what a deep neural network has learned (regions,
    AOPC).
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        fill: Fill = "black",
        steps: int | None = None,
        order: Order = "both",
        score: ScoreKind = "logit",
        region: int = 1,
        until: float = 1.0,
        chunk: int | None = None,
    ) -> None:
        if order not in _ORDERS:
            raise ConfigError(f"order={order!r} is not allowed: choose {', '.join(map(repr, _ORDERS))}.")
        if not 0 < until <= 1:
            raise ConfigError(f"until={until!r} is not allowed: give the share of the regions to flip, above 0 to 1.")
        self.model, self._fill, self._order, self._until = model, checked_fill(fill), order, until
        self._steps = None if steps is None else checked_count("steps", steps)
        self._score, self._region = checked_score(score), checked_count("region", region)
        self._chunk = checked_rows(chunk)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {
            "fill": described_fill(self._fill),
            "steps": self._steps,
            "order": self._order,
            "score": self._score,
            "region": self._region,
            "until": self._until,
        }

    @torch.no_grad()
    def measure(self, images: Tensor, relevance: Tensor, target: Target = None) -> FlippingCurves:
        """Flip the pixels of a batch of images, all images and steps in common forward passes.

        Parameters
        ----------
        images
            ``(N, C, H, W)``, on the device and of the dtype of the model.
        relevance
            Their maps ``(N, ..., H, W)``; channels are summed.
        target
            The score that the maps explain: None for the predicted class of the unchanged image, a class, one class
            per image, weights ``(N, K)``, or a function of the scores.

        Raises
        ------
        DataError
            If images and maps do not fit, or the model returns no finite scores.
        ConfigError
            If the target, the fill or the number of steps does not fit.
        """
        pixels = checked_pair(images, relevance, self.model)
        regions = self._region_sums(pixels)
        flipped = self._flipped(regions[0].numel(), images.device)
        fill = filled_like(self._fill, images)
        curves: dict[str, Tensor | None] = dict.fromkeys(_ORDERS[1:])
        with left_as_found(self.model):
            scores = TargetScore(self.model, images, target, self._score, self._chunk)
            for order in _ORDERS[1:] if self._order == "both" else (self._order,):
                sign = 1 if order == "most_relevant_first" else -1
                place = places(most_first(sign * regions.flatten(1))).reshape(regions.shape)
                curves[order] = self._curve(images, fill, self._spread(place, images), flipped, scores)
        share = flipped.double() / regions[0].numel()
        return FlippingCurves(share, curves["most_relevant_first"], curves["least_relevant_first"])

    def _curve(self, images: Tensor, fill: Tensor, place: Tensor, flipped: Tensor, scores: TargetScore) -> Tensor:
        """Scores ``(N, S + 1)``; a pixel is flipped once more regions are flipped than its own ``place``.

        Where a step changes nothing (black pixels become black), the score of the step before stands.
        """
        changes = (images != fill).any(dim=1).flatten(1)
        step_of_pixel = torch.searchsorted(flipped, place.flatten(1).contiguous(), right=True)
        # Pixels that are never flipped have the step behind the last one.
        counts = torch.zeros(len(images), len(flipped) + 1, dtype=torch.int64, device=images.device)
        counts.scatter_add_(1, step_of_pixel, changes.long())
        new = counts[:, :-1] > 0
        index, step = new.nonzero(as_tuple=True)
        found = [scores.unchanged[:0]]
        for block in blocks(len(index), images, self._chunk):
            i, s = index[block], step[block]
            gone = place[i] < flipped[s, None, None]
            found.append(scores(torch.where(gone[:, None], fill[i], images[i]), i))
        new[:, 0] = True
        values = torch.empty(new.shape, dtype=torch.float64, device=images.device)
        values[:, 0] = scores.unchanged
        values[index, step] = torch.cat(found)
        last_new = torch.where(new, torch.arange(len(flipped), device=images.device), 0).cummax(dim=1).values
        return values.gather(1, last_new)

    def _flipped(self, regions: int, device: torch.device) -> Tensor:
        """How many regions are flipped at each step, ``(S + 1,)``."""
        last = max(1, round(regions * self._until))
        steps = last if self._steps is None else self._steps
        if steps > last:
            raise ConfigError(f"steps={steps} is more than the {last} regions that are flipped: give at most as many.")
        return torch.tensor([round(step * last / steps) for step in range(steps + 1)], device=device)

    def _region_sums(self, pixels: Tensor) -> Tensor:
        """Relevance of each region ``(N, rows, columns)``."""
        side = self._region
        height, width = pixels.shape[1:]
        padded = F.pad(pixels, (0, -width % side, 0, -height % side))
        return padded.reshape(len(pixels), padded.shape[1] // side, side, -1, side).sum(dim=(2, 4))

    def _spread(self, regions: Tensor, images: Tensor) -> Tensor:
        """A value per region to each of its pixels, ``(N, H, W)``."""
        pixels = regions.repeat_interleave(self._region, dim=1).repeat_interleave(self._region, dim=2)
        return pixels[:, : images.shape[2], : images.shape[3]]
