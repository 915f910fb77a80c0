"""c07: the relevance of simple Taylor decomposition sums to the score, for networks without biases."""

from __future__ import annotations

import copy

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, identity
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.methods.input_x_gradient import InputXGradient
from nn_interpretability.storage.hdf5 import Array


def measure(context: Context, rule: Rule) -> Measured:
    """Gaps between the sum of input times gradient (the root is the black picture) and the score, in float64."""
    del rule
    images, _ = context.test_images()

    def gaps(model: nn.Module) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        explained = InputXGradient(copy.deepcopy(model).double()).interpret(images.double())
        gap = explained.values.flatten(1).sum(1) - explained.score
        return gap.cpu().numpy(), explained.score.cpu().numpy()

    free = [gaps(model) for model in context.networks("bias_free_cnn")]
    gap, score = gaps(context.network("cnn"))
    return {
        "gap_without_biases": per_image([found for found, _ in free]),
        "score_without_biases": per_image([found for _, found in free]),
        "relative_gap_with_biases": Array(np.abs(gap) / np.abs(score), ("image",)),
    }


def decide(measured: Measured, rule: Rule) -> Finding:
    """Compare the largest gap with rounding."""
    gap, score = (values_of(measured, name) for name in ("gap_without_biases", "score_without_biases"))
    error = float(np.abs(gap).max() / np.abs(score).max())
    with_biases = values_of(measured, "relative_gap_with_biases")
    return Finding(
        [identity("largest gap, no biases", error, rule.parameters["tolerance"])],
        images=gap.shape[1],
        seeds=gap.shape[0],
        numbers={
            "median_gap_with_biases": float(np.median(with_biases)),
            "largest_gap_with_biases": float(with_biases.max()),
        },
    )
