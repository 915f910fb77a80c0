"""The result of explaining many passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nn_interpretability.errors import ConfigError
from nn_interpretability.stochastic.information import expected_entropy, mutual_information, predictive_entropy


@dataclass(frozen=True)
class PassesAttribution:
    r"""Maps over passes, and how uncertain the passes are.

    T stands for the explained classes; where there is one for each image, as always but for ``target="all"``, the axis
    is left out. Means, variances and covariances are divided by the number of passes P. Maps have the dtype of the
    images.

    Attributes
    ----------
    mean
        Mean map, ``(N, T, ...)``. With ``target="all"`` this is Algorithm 1. For a function of all passes it is the map
        of the function.
    covariance
        Covariance of each value of the map with the explained score over passes, ``(N, T, ...)``: for a complete
        method it sums to ``score_variance``, so it says where the uncertainty comes from. None where it was not asked
        for.
    by_predicted_class
        Approach 1: mean map of the passes that predict a class, each started from this class; ``(N, K, ...)``, zero
        for a class that is never predicted.
    target_by_predicted_class
        The same, each pass started from the target.
    counts
        How many passes predict each class, ``(N, K)``, int64; sums to P. With independent masks the passes of each
        class are others, and the counts need not sum to P.
    logits
        Scores of each pass, ``(P, N, K)``; with independent masks ``(K, P, N, K)``, the passes of each class.
    undisturbed
        Scores without dropout and noise, ``(N, K)``.
    score_mean, score_variance
        Of the explained score over passes, float64, ``(N, T)``. Methods with a reference explain differences from its
        score in the same pass. For a function of all passes: its value less that at the origin, and None.
    variance
        Variance of each value of the map over passes. None where it was not asked for.
    raw
        Maps of the first passes, ``(kept, N, T, ...)``; None where they were not asked for.
    target
        The explained class of each image; None where it is not one class.
    block
        Passes that were computed together.
    identity
        Method, parameters, digests, seeds: what was done.
    coverage
        The coverage log; under ``"passes"`` where passes were born, and which randomness was left alone.
    """

    mean: Tensor
    counts: Tensor
    logits: Tensor
    undisturbed: Tensor
    score_mean: Tensor
    score_variance: Tensor | None
    target: Tensor | None
    block: int
    covariance: Tensor | None = None
    by_predicted_class: Tensor | None = None
    target_by_predicted_class: Tensor | None = None
    variance: Tensor | None = None
    raw: Tensor | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)
    coverage: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def passes(self) -> int:
        """The number of passes P."""
        return int(self.logits.shape[-3])

    @property
    def predicted(self) -> Tensor:
        """The class that each pass predicts, ``(P, N)``; with independent masks ``(K, P, N)``."""
        return self.logits.argmax(dim=-1)

    @property
    def probabilities(self) -> Tensor:
        """Mean probabilities over passes, ``(N, K)``, float64."""
        return self._scores().softmax(dim=-1).mean(dim=0)

    @property
    def predictive_entropy(self) -> Tensor:
        """Entropy of the mean probabilities, ``(N,)``, nats, float64."""
        return predictive_entropy(self._scores())

    @property
    def expected_entropy(self) -> Tensor:
        """Mean entropy of the passes, ``(N,)``, nats, float64."""
        return expected_entropy(self._scores())

    @property
    def mutual_information(self) -> Tensor:
        """What passes disagree on: predictive less expected entropy, ``(N,)``, nats, float64."""
        return mutual_information(self._scores()).clamp(min=0)  # not below zero but for rounding

    @property
    def variation_ratio(self) -> Tensor:
        """Share of the passes that do not predict the most frequent class, ``(N,)``, float64."""
        predicted = self._scores().argmax(dim=-1)
        votes = torch.stack([(predicted == k).sum(dim=0) for k in range(self.logits.shape[-1])])
        return 1 - votes.amax(dim=0).double() / len(predicted)

    @property
    def coefficient_of_variation(self) -> Tensor:
        """Standard deviation over magnitude of the mean; 0 where the mean is 0.

        Raises
        ------
        ConfigError
            If the variance was not asked for.
        """
        if self.variance is None:
            raise ConfigError("The coefficient of variation needs products=('variance', ...).")
        size = self.mean.abs()
        return torch.where(size > 0, self.variance.sqrt() / torch.where(size > 0, size, 1.0), 0.0)

    def quantile(self, q: float) -> Tensor:
        """Quantile of each value of the map over the passes that were kept, ``(N, T, ...)``.

        Raises
        ------
        ConfigError
            If no maps were kept, or q is not in [0, 1].
        """
        if self.raw is None:
            raise ConfigError("Quantiles need maps of single passes: keep_raw=200, for example.")
        if not 0 <= q <= 1:
            raise ConfigError(f"q={q!r} is not allowed: give a number from 0 to 1.")
        exact = self.raw.to(torch.promote_types(self.raw.dtype, torch.float32))  # torch.quantile takes nothing shorter
        return torch.quantile(exact, q, dim=0).to(self.raw.dtype)

    def _scores(self) -> Tensor:
        scores = self.logits.double()
        return scores if scores.dim() == 3 else scores.flatten(0, 1)
