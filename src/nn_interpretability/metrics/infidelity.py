"""Infidelity: how far a map is from predicting what perturbations do to the score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from nn_interpretability.engine.preserve import left_as_found
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.methods.base import checked_count, rows_per_image
from nn_interpretability.methods.fills import Fill, checked_fill, described_fill
from nn_interpretability.metrics.maps import checked_maps
from nn_interpretability.metrics.scores import (
    ScoreKind,
    TargetScore,
    blocks,
    checked_pair,
    checked_rows,
    checked_score,
    filled_like,
)
from nn_interpretability.stochastic.noise import checked_seed, normals_of_draws, uniforms
from nn_interpretability.targets import Target

Perturbation = Callable[[Tensor, int], Tensor]


class Infidelity:
    r"""Mean squared error of a map as a prediction of how the score changes under perturbations I.

    .. math:: E_I \Bigl[\bigl(\beta\, I^T R - (f(x) - f(x - I))\bigr)^2\Bigr]

    It is 0 for a linear model with its gradient and any perturbation, and with input x gradient where
    ``contributions=True``. All images, and all maps that are measured with one seed, see the same noise or squares.

    Parameters
    ----------
    model
        The classifier; it need not be differentiable, is asked in evaluation mode, and left as it was found.
    perturbation
        ``"gaussian"``: I is normal noise of standard deviation ``sigma``. ``"square"``: a square of ``side`` pixels at
        a random place is filled, so I is x minus fill there. Or a function of the images and the number of the sample
        that returns I, of the shape of the images.
    samples
        Perturbations for each image.
    sigma
        In the units of the input, for ``"gaussian"``.
    side
        In pixels, for ``"square"``.
    fill, score, chunk
        As for :class:`~nn_interpretability.metrics.pixel_flipping.PixelFlipping`; the fill is for ``"square"``.
    contributions
        False: R is relevance per unit of the input, such as a gradient, and is multiplied by I. True: R is relevance in
        units of the score, such as input x gradient or LRP; I is replaced by 1 inside the square and 0 outside.
    optimal_scale
        Whether :math:`\beta = E[I^T R\,(f(x) - f(x - I))] / E[(I^T R)^2]` for each image, instead of 1; then factors of
        a map do not matter. A map with :math:`I^T R = 0` always has :math:`\beta = 0`.
    seed
        Integer >= 0.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed.

    References
    ----------
    Yeh et al. 2019, On the (in)fidelity and sensitivity of explanations.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        perturbation: Literal["gaussian", "square"] | Perturbation = "gaussian",
        samples: int = 100,
        sigma: float = 0.2,
        side: int = 4,
        fill: Fill = "black",
        score: ScoreKind = "logit",
        contributions: bool = False,
        optimal_scale: bool = False,
        seed: int = 0,
        chunk: int | None = None,
    ) -> None:
        if not callable(perturbation) and perturbation not in ("gaussian", "square"):
            raise ConfigError(
                f"perturbation={perturbation!r} is not allowed: choose 'gaussian' or 'square', or give a function."
            )
        if contributions and perturbation != "square":
            raise ConfigError("contributions=True needs perturbation='square': only what is deleted has a share of 1.")
        if not 0 < sigma < float("inf"):
            raise ConfigError(f"sigma={sigma!r} is not allowed: give a standard deviation above 0.")
        self.model, self._perturbation = model, perturbation
        self._samples, self._side = checked_count("samples", samples), checked_count("side", side)
        self._sigma, self._fill, self._score = sigma, checked_fill(fill), checked_score(score)
        self._contributions, self._optimal_scale = contributions, optimal_scale
        self._seed, self._chunk = checked_seed(seed), checked_rows(chunk)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        kind = self._perturbation
        own: Mapping[str, Mapping[str, Any]] = {
            "gaussian": {"sigma": self._sigma},
            "square": {"side": self._side, "fill": described_fill(self._fill)},
        }
        return {
            "perturbation": kind if isinstance(kind, str) else getattr(kind, "__name__", "function"),
            **(own[kind] if isinstance(kind, str) else {}),
            "samples": self._samples,
            "score": self._score,
            "contributions": self._contributions,
            "optimal_scale": self._optimal_scale,
            "seed": self._seed,
        }

    @torch.no_grad()
    def measure(self, images: Tensor, relevance: Tensor, target: Target = None) -> Tensor:
        """Perturb a batch of images.

        Parameters
        ----------
        images
            ``(N, C, H, W)``, on the device and of the dtype of the model.
        relevance
            Their maps, of the shape of the images; with ``contributions=True`` one channel will do.
        target
            As for :meth:`~nn_interpretability.metrics.pixel_flipping.PixelFlipping.measure`.

        Returns
        -------
        Tensor
            Float64 ``(N,)``, 0 upwards, in squared units of the score; lower is better.

        Raises
        ------
        DataError
            If images, maps or perturbations do not fit.
        ConfigError
            If the square is larger than the images, or the target does not fit.
        """
        checked_pair(images, relevance, self.model)
        maps = checked_maps(relevance).to(images.device)
        if self._contributions:
            maps = maps.reshape(len(maps), -1, *maps.shape[-2:]).sum(dim=1, keepdim=True)
        elif maps.shape != images.shape:
            raise DataError(
                f"Relevance of shape {tuple(maps.shape)} cannot be multiplied by perturbations of images of shape "
                f"{tuple(images.shape)}: give one value for each input value."
            )
        predicted, fallen = [], []
        with left_as_found(self.model):
            scores = TargetScore(self.model, images, target, self._score, self._chunk)
            for samples in torch.arange(self._samples).split(rows_per_image(images, self._chunk)):
                change, weight = self._perturbed(images, samples.tolist())
                predicted.append((weight.double() * maps).flatten(2).sum(dim=2))
                fallen.append(self._fall(images - change, scores))
        return _mean_squared_error(torch.cat(predicted), torch.cat(fallen), scaled=self._optimal_scale)

    def _fall(self, changed: Tensor, scores: TargetScore) -> Tensor:
        """Falls of the score ``(S, N)`` for images ``(S, N, C, H, W)``."""
        rows, count = changed.flatten(0, 1), changed.shape[1]
        found = [scores(rows[block], block % count) for block in blocks(len(rows), changed[0], self._chunk)]
        return scores.unchanged - torch.cat(found).reshape(-1, count)

    def _perturbed(self, images: Tensor, samples: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Changes I ``(S, N, C, H, W)`` of the images, and what relevance is multiplied by (N or C may be 1)."""
        if self._perturbation == "square":
            inside = torch.stack([self._square(images, sample) for sample in samples])
            change = torch.where(inside, images - filled_like(self._fill, images), 0.0)
            return change, inside if self._contributions else change
        if callable(self._perturbation):
            change = torch.stack([self._given(self._perturbation, images, sample) for sample in samples])
        else:
            noise = normals_of_draws(self._seed, samples, tuple(images.shape[1:]))
            change = (self._sigma * torch.from_numpy(noise)[:, None]).to(images).expand(-1, len(images), -1, -1, -1)
        return change, change

    @staticmethod
    def _given(perturbation: Perturbation, images: Tensor, sample: int) -> Tensor:
        change = perturbation(images, sample)
        if not isinstance(change, Tensor) or change.shape != images.shape or not bool(change.isfinite().all()):
            raise DataError("The perturbation must return a finite tensor of the shape of the images.")
        return change

    def _square(self, images: Tensor, sample: int) -> Tensor:
        """Where the square of a sample is, boolean ``(1, 1, H, W)``."""
        sizes = images.shape[2:]
        if self._side > min(sizes):
            raise ConfigError(f"side={self._side} is larger than the images, which have the size {tuple(sizes)}.")
        inside = []
        for size, drawn in zip(sizes, uniforms(self._seed, sample, (2,)), strict=True):
            begin = int(drawn * (size - self._side + 1))
            place = torch.arange(size, device=images.device)
            inside.append((place >= begin) & (place < begin + self._side))
        return (inside[0][:, None] & inside[1])[None, None]


def _mean_squared_error(predicted: Tensor, fallen: Tensor, *, scaled: bool) -> Tensor:
    """Over samples, the first axis."""
    if scaled:
        size = predicted.square().sum(dim=0)
        scale = (predicted * fallen).sum(dim=0) / torch.where(size > 0, size, 1.0)
        predicted = scale * predicted
    return (predicted - fallen).square().mean(dim=0)
