"""Expected gradients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from nn_interpretability.attribution import Attribution
from nn_interpretability.engine.forward import Forward
from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.base import Method, checked_count
from nn_interpretability.methods.path import path_integral, scores_at
from nn_interpretability.methods.references import checked_reference, described, reference_for
from nn_interpretability.stochastic.noise import checked_seed, uniforms
from nn_interpretability.targets import ResolvedTarget, Target


class ExpectedGradients(Method):
    r"""Integrated gradients, averaged over many references.

    .. math:: R_i = E_{x' \sim D,\; t \sim U(0, 1)} \left[(x_i - x'_i)
              \frac{\partial F(x' + t (x - x'))}{\partial x_i}\right]

    The expectation is estimated from ``samples`` pairs of a reference and a place on its line. The places are
    stratified (one in each of ``samples`` equal parts of [0, 1]), and the references take turns, in random order: the
    estimate has the same expectation as one from independent pairs, and less variance. All images see the same pairs,
    which depend on the seed alone.

    The ``score`` is :math:`F(x)` minus the mean of F over all references; the values sum to it in expectation, and
    ``completeness_error`` shows the error of the estimate.

    Parameters
    ----------
    model
        The classifier.
    references
        Images ``(M, C, H, W)`` to compare with, for example of the training data, or a sequence of M numbers, each a
        constant image.
    samples
        Number of pairs; multiples of M use every reference equally often.
    seed
        Of the pairs.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed, or the references do not fit the images.

    References
    ----------
    Erion, Janizek, Sturmfels, Lundberg and Lee 2021, Improving performance of deep learning models with axiomatic
    attribution priors and expected gradients.
    """

    name: ClassVar[str] = "expected_gradients"
    conserving = True

    def __init__(
        self, model: nn.Module, *, references: Tensor | Sequence[float], samples: int = 200, seed: int = 0
    ) -> None:
        super().__init__(model)
        self._references = checked_reference(references)
        if self._references.dim() in {0, 2, 3} or len(self._references) == 0:
            raise ConfigError(
                f"References of shape {tuple(self._references.shape)} are not allowed: give images (M, C, H, W), or a "
                "sequence of numbers, each a constant image."
            )
        self._given = references
        self._samples, self._seed = checked_count("samples", samples), checked_seed(seed)
        self._rows_alike = True

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {"references": described(self._given), "samples": self._samples, "seed": self._seed}

    def for_samples(self, index: Tensor, images: Tensor) -> Self:
        """The same method: all images have the same references."""
        self._references_like(images)
        return self

    def on(self, model: nn.Module) -> Self:
        """The same method for a variant of its model; each row sees all references with its own masks."""
        chosen = super().on(model)
        chosen._rows_alike = False
        return chosen

    def origins(self, images: Tensor) -> Sequence[Tensor]:
        """The references."""
        return [reference.expand_as(images) for reference in self._references_like(images)]

    def explain(self, images: Tensor, target: Target, chunk: int | None) -> Attribution:
        """Estimate the expectation for one batch."""
        references = self._references_like(images)
        forward = self._forward(images)
        forward.release()
        resolved = self._resolve(target, forward.output)
        chosen, nodes = self._pairs(len(references))
        estimate = path_integral(
            self.model,
            images,
            resolved,
            reference_at=lambda k: references[chosen[k]].expand_as(images),
            nodes=nodes,
            weights=np.full(self._samples, 1 / self._samples),
            multiply=True,
            chunk=chunk,
        )
        change = resolved.scores - self._mean_score(images, resolved, chunk)
        score = change.T if resolved.stacked else change[0]
        return self._result(forward, resolved, estimate.to(images.dtype), score=score)

    def _references_like(self, images: Tensor) -> Tensor:
        """The references as images ``(M, ...)``."""
        values = self._references
        if values.dim() == 1:
            values = values.reshape(-1, *([1] * (images.dim() - 1))).to(images).expand(-1, *images.shape[1:])
        return torch.stack([reference_for(value, images[:1])[0] for value in values])

    def _pairs(self, references: int) -> tuple[list[int], np.ndarray[Any, np.dtype[np.float64]]]:
        """Which reference and which place on the line belong to each sample."""
        shift = uniforms(self._seed, 0, (self._samples,))
        order = np.argsort(uniforms(self._seed, 0, (references,), source=1))
        turn = np.arange(self._samples) % references
        return order[turn].tolist(), (np.arange(self._samples) + shift) / self._samples

    def _mean_score(self, images: Tensor, resolved: ResolvedTarget, chunk: int | None) -> Tensor:
        """The mean over all references of the score that each image's target has there, ``(M, N)``."""
        if self._rows_alike:
            scores = scores_at(self.model, self._references_like(images), chunk)
            outputs: Iterable[Tensor] = (each.expand(len(images), -1) for each in scores)
        else:
            outputs = (Forward(self.model, each).output.detach() for each in self.origins(images))
        return torch.stack([resolved.at(output).scores for output in outputs]).mean(dim=0)

    def _read(self, leaves: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        raise AssertionError("the gradients are read along the lines")
