"""c16: maps of the predicted class hide uncertainty, maps of all classes (Algorithm 1) show it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.dropout_passes import SEED, by_angle, turned
from nn_interpretability.claims.finding import Finding, above, equivalent
from nn_interpretability.claims.resampled import auroc_estimate, difference
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, values_of
from nn_interpretability.methods.lrp import LRP
from nn_interpretability.stochastic.mc_dropout import MCDropout
from nn_interpretability.stochastic.passes import BLOCK
from nn_interpretability.storage.hdf5 import Array

PICTURES, PASSES = 5, 4
"""One of so many pictures, and of so many passes: there are two maps for each class."""

PREDICTORS = ("panels_algorithm", "panels_approach", "mass_algorithm", "mass_approach", "counts")


def measure(context: Context, rule: Rule) -> Measured:
    """Panels with positive net relevance, entropies of net relevance and of counts, and the predictive entropy."""
    angles = rule.parameters["angles"]
    images = turned(context.test_images(max(2, context.budget.images // PICTURES))[0], angles)
    passes = max(2, context.budget.passes // PASSES)
    found: dict[str, list[np.ndarray]] = {}
    for model in context.networks("dropout_cnn"):
        method = LRP(model, composite="small_cnn", input_bounds=(0, 1))
        cloud = MCDropout(
            method, passes=passes, seed=SEED, block=min(BLOCK, passes), products=("mean", "by_predicted_class")
        ).interpret(images, target="all")
        assert cloud.by_predicted_class is not None
        algorithm, approach = (net(maps) for maps in (cloud.mean, cloud.by_predicted_class))
        each = {
            "panels_algorithm": (algorithm > 0).sum(1),
            "panels_approach": (approach > 0).sum(1),
            "mass_algorithm": share_entropy(algorithm),
            "mass_approach": share_entropy(approach),
            "counts": share_entropy(cloud.counts.double()),
            "entropy": cloud.predictive_entropy,
        }
        for name, values in each.items():
            found.setdefault(name, []).append(by_angle(values, len(angles)))
    return {name: Array(np.stack(values), ("seed", "image", "angle")) for name, values in found.items()}


def net(maps: Tensor) -> Tensor:
    """Net relevance of each class, float64 ``(n, classes)``, from maps ``(n, classes, ...)``."""
    return maps.double().flatten(2).sum(2)


def share_entropy(mass: Tensor) -> Tensor:
    """Entropy of the shares that classes have in all that is positive, in nats, ``(n,)``; 0 where nothing is."""
    positive = mass.clamp(min=0)
    total = positive.sum(1, keepdim=True)
    shares: Tensor = positive / torch.where(total > 0, total, 1.0)
    return -torch.xlogy(shares, shares).sum(1)


def decide(measured: Measured, rule: Rule) -> Finding:
    """Panels of Algorithm 1 must tell more than those of approach 1, which must tell nothing."""
    entropy = values_of(measured, "entropy")
    uncertain = entropy > np.median(entropy, axis=(1, 2), keepdims=True)
    areas = {name: auroc_estimate(values_of(measured, name), uncertain) for name in PREDICTORS}
    algorithm, approach = areas["panels_algorithm"], areas["panels_approach"]
    return Finding(
        [
            above("AUROC, Algorithm 1 less approach 1", difference(algorithm, approach), rule.parameters["margin"]),
            *equivalent("AUROC of approach 1", approach, rule.parameters["chance"], 0.5),
        ],
        images=entropy.shape[1],
        seeds=entropy.shape[0],
        numbers={f"auroc_{name}": area.value for name, area in areas.items()},
        note=(
            f"The AUROC of the number of positive panels is {algorithm.value:.2f} for Algorithm 1 and "
            f"{approach.value:.2f} for approach 1; of the entropy of net relevance {areas['mass_algorithm'].value:.2f} "
            f"and {areas['mass_approach'].value:.2f}; of the entropy of the counts, which are the predictive "
            f"distribution, {areas['counts'].value:.2f}."
        ),
    )
