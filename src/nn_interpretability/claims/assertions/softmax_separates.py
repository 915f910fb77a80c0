"""c13: the softmax separates the classes more than the logits do."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.dropout_passes import passes_of_turned
from nn_interpretability.claims.finding import Finding, below
from nn_interpretability.claims.overlaps import FloatArray, distribution_overlap, histogram_overlap
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.claims.statistics import mean_estimate

SCALES = ("logit", "softmax")


def measure(context: Context, rule: Rule) -> Measured:
    """Overlaps of the two largest classes over passes, with bins and without, the mean over angles."""
    angles = rule.parameters["angles"]
    found: dict[str, list[FloatArray]] = {}
    for drawn in passes_of_turned(context, "dropout_cnn", angles):
        for scale, (first, second) in largest_two(drawn.logits).items():
            overlaps = {
                "overlap": histogram_overlap(first, second, rule.parameters["bins"]),
                "overlap_without_bins": distribution_overlap(first, second),
            }
            for name, values in overlaps.items():
                found.setdefault(f"{name}_{scale}", []).append(values.reshape(len(angles), -1).mean(axis=0))
    return {name: per_image(values) for name, values in found.items()}


def largest_two(logits: Tensor) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Logits and softmax of the two classes with the largest mean probability, ``(passes, n)`` each, float64."""
    scores = logits.double()
    softmax = scores.softmax(-1)
    two = softmax.mean(0).topk(2, dim=-1).indices.expand(len(scores), -1, -1)
    chosen = {"logit": scores.gather(2, two), "softmax": softmax.gather(2, two)}
    return {name: (values[..., 0].cpu().numpy(), values[..., 1].cpu().numpy()) for name, values in chosen.items()}


def decide(measured: Measured, rule: Rule) -> Finding:
    """The softmax must overlap less."""
    del rule
    logit, softmax = (values_of(measured, f"overlap_{scale}") for scale in SCALES)
    plain = {scale: float(values_of(measured, f"overlap_without_bins_{scale}").mean()) for scale in SCALES}
    return Finding(
        [below("overlap, softmax less logits", mean_estimate(softmax - logit), 0)],
        images=logit.shape[1],
        seeds=logit.shape[0],
        numbers={
            "overlap_logit": float(np.mean(logit)),
            "overlap_softmax": float(np.mean(softmax)),
            "overlap_without_bins_logit": plain["logit"],
            "overlap_without_bins_softmax": plain["softmax"],
        },
        note=(
            f"The overlap is {logit.mean():.3f} of the logits and {softmax.mean():.3f} of the softmax; without bins, "
            f"by the distance of the distribution functions, {plain['logit']:.3f} and {plain['softmax']:.3f}."
        ),
    )
