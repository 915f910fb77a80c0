"""c04: with gamma towards infinity, LRP-gamma equals LRP-alpha1-beta0."""

from __future__ import annotations

import copy

import numpy as np

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.differences import relative_difference
from nn_interpretability.claims.finding import Finding, fact, identity
from nn_interpretability.claims.quality import predicted
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.methods.lrp import LRP
from nn_interpretability.storage.hdf5 import Array

_TINY = 1e-300


def measure(context: Context, rule: Rule) -> Measured:
    """Differences of LRP-gamma from LRP-alpha1-beta0, and at the largest gamma from alpha2-beta1, in float64."""
    images = context.test_images()[0].double()
    differences, from_alpha2 = [], []
    for network in context.networks("cnn"):
        model = copy.deepcopy(network).double()
        target = predicted(model, images)
        limit, other = (
            LRP(model, rule="alpha_beta", alpha=alpha, beta=alpha - 1).interpret(images, target).values
            for alpha in (1.0, 2.0)
        )
        maps = [
            LRP(model, rule="gamma", gamma=gamma).interpret(images, target).values
            for gamma in rule.parameters["gammas"]
        ]
        differences.append(np.stack([relative_difference(values, limit) for values in maps], axis=-1))
        from_alpha2.append(relative_difference(maps[-1], other))
    return {
        "difference": Array(np.stack(differences), ("seed", "image", "gamma")),
        "difference_from_alpha2": per_image(from_alpha2),
    }


def decide(measured: Measured, rule: Rule) -> Finding:
    """The largest difference must be small, and fall like 1 / gamma."""
    difference = values_of(measured, "difference")
    seeds, images, _ = difference.shape
    largest = difference.max(axis=(0, 1))
    gammas = np.asarray(rule.parameters["gammas"])
    slope = float(np.polyfit(np.log(gammas), np.log(np.maximum(largest, _TINY)), 1)[0])
    alpha2 = float(np.median(values_of(measured, "difference_from_alpha2")))
    return Finding(
        [
            identity(
                f"relative difference at gamma = {gammas[-1]:g}", float(largest[-1]), rule.parameters["tolerance"]
            ),
            fact(
                "departure of its slope over gamma, both as logarithms, from -1",
                abs(slope + 1),
                rule.parameters["slope"],
            ),
        ],
        images=images,
        seeds=seeds,
        numbers={
            "slope": slope,
            "difference_at_smallest_gamma": float(largest[0]),
            "median_difference_from_alpha2_beta1": alpha2,
        },
        note=(
            f"The difference falls with the power {slope:.3f} of gamma. From alpha2-beta1 the limit differs by "
            f"{alpha2:.2f} of the largest relevance in the median."
        ),
    )
