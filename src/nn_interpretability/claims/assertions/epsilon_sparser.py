"""c03: a larger epsilon makes LRP sparser and less noisy."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, above
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.claims.trends import kendall
from nn_interpretability.methods.lrp import LRP
from nn_interpretability.metrics.complexity import gini
from nn_interpretability.metrics.roughness import total_variation
from nn_interpretability.storage.hdf5 import Array

DIMENSIONS = ("seed", "image", "epsilon")


def measure(context: Context, rule: Rule) -> Measured:
    """Gini index over ink pixels, and roughness, of the maps by each epsilon."""
    images, _ = context.test_images()
    ink = (images > 0).any(dim=1)
    found: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    for model in context.networks("cnn"):
        methods = [LRP(model, rule="epsilon", epsilon={"rms": epsilon}) for epsilon in rule.parameters["epsilons"]]
        maps = [method.interpret(images).values for method in methods]
        sparse = [gini(values, ink, undefined=0.0).cpu().numpy() for values in maps]
        rough = [total_variation(values, undefined=0.0).cpu().numpy() for values in maps]
        found["gini"].append(np.stack(sparse, axis=-1))
        found["roughness"].append(np.stack(rough, axis=-1))
    return {name: Array(np.stack(values), DIMENSIONS) for name, values in found.items()}


def decide(measured: Measured, rule: Rule) -> Finding:
    """More than half of the pictures must become sparser, and more than half smoother."""
    sparse, rough = values_of(measured, "gini"), values_of(measured, "roughness")
    largest = rule.parameters["epsilons"][-1]
    return Finding(
        [
            above("share of pictures that become sparser", mean_estimate(kendall(sparse) > 0), 0.5),
            above("share of pictures that become smoother", mean_estimate(kendall(-rough) > 0), 0.5),
        ],
        images=sparse.shape[1],
        seeds=sparse.shape[0],
        numbers={
            "gini_without_epsilon": float(sparse[..., 0].mean()),
            "gini_largest_epsilon": float(sparse[..., -1].mean()),
            "roughness_without_epsilon": float(rough[..., 0].mean()),
            "roughness_largest_epsilon": float(rough[..., -1].mean()),
        },
        note=(
            f"From no epsilon to {largest:g} root mean squares the Gini index over ink goes from "
            f"{sparse[..., 0].mean():.2f} to {sparse[..., -1].mean():.2f}, the total variation from "
            f"{rough[..., 0].mean():.2f} to {rough[..., -1].mean():.2f}."
        ),
    )
