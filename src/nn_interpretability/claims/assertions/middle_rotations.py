"""c14: a digit that turns from one class to another is the most uncertain in the middle."""

from __future__ import annotations

import numpy as np
import torch

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.dropout_passes import by_angle, passes_of, turned
from nn_interpretability.claims.finding import Finding, above
from nn_interpretability.claims.ones import first_one, ones_for_passes, turned_from_upright
from nn_interpretability.claims.peaks import peak_in_middle, peak_place
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.stochastic.information import predictive_entropy
from nn_interpretability.storage.hdf5 import Array


def measure(context: Context, rule: Rule) -> Measured:
    """Predictive entropy over passes of upright ones at each angle; of the study's digit, as it is, at each angle."""
    angles, passes = rule.parameters["angles"], context.budget.passes
    images = turned_from_upright(ones_for_passes(context), angles)
    every = torch.cat([images, turned(first_one(context), angles)])
    entropy, own = [], []
    for model in context.networks("dropout_cnn"):
        drawn = passes_of(model, every, passes)
        found = predictive_entropy(drawn.logits.double())
        entropy.append(by_angle(found[: len(images)], len(angles)))
        own.append(by_angle(found[len(images) :], len(angles))[0])
    return {
        "entropy": Array(np.stack(entropy), ("seed", "image", "angle")),
        "entropy_of_the_studys_digit": Array(np.stack(own), ("seed", "angle")),
    }


def decide(measured: Measured, rule: Rule) -> Finding:
    """More than a third of the pictures must peak in the middle third."""
    entropy = values_of(measured, "entropy")
    own = values_of(measured, "entropy_of_the_studys_digit")
    angles = rule.parameters["angles"]
    at_end = float((peak_place(entropy) == len(angles) - 1).mean())
    place = float(angles[int(peak_place(own.mean(axis=0)))])
    return Finding(
        [above("share that peaks in the middle third", mean_estimate(peak_in_middle(entropy)), 1 / 3)],
        images=entropy.shape[1],
        seeds=entropy.shape[0],
        numbers={"share_at_the_last_angle": at_end, "peak_of_the_studys_digit": place},
        note=(
            f"{100 * at_end:.0f} % of the pictures peak at the last angle; the digit of the study peaks at "
            f"{place:g} degrees."
        ),
    )
