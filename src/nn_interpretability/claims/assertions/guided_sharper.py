"""c02: guided backpropagation gives sharper maps than the gradient."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, above
from nn_interpretability.claims.quality import predicted
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.methods.gradient import Gradient
from nn_interpretability.methods.guided_backprop import GuidedBackprop
from nn_interpretability.metrics.complexity import gini
from nn_interpretability.metrics.randomisation import ParameterRandomisation

METHODS = {"gradient": Gradient, "guided": GuidedBackprop}


def measure(context: Context, rule: Rule) -> Measured:
    """Gini index of both maps, and how alike each is to the map of a network with random weights in all layers."""
    del rule
    images, _ = context.test_images()
    found: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    for model in context.networks("cnn"):
        target = predicted(model, images)
        for name, method in METHODS.items():
            maps = method(model).interpret(images, target).values
            found[f"gini_{name}"].append(gini(maps, undefined=0.0).cpu().numpy())
            test = ParameterRandomisation(
                model, method, similarities=("absolute_spearman",), seed=context.seed, undefined=0.0
            )
            alike = test.measure(images, target).similarity["absolute_spearman"]
            found[f"randomised_{name}"].append(alike[-1].cpu().numpy())
    return {name: per_image(values) for name, values in found.items()}


def decide(measured: Measured, rule: Rule) -> Finding:
    """The difference of the Gini indices must be above 0."""
    del rule
    sharp = {name: values_of(measured, f"gini_{name}") for name in METHODS}
    alike = {name: float(values_of(measured, f"randomised_{name}").mean()) for name in METHODS}
    seeds, images = sharp["guided"].shape
    return Finding(
        [above("Gini index, guided less gradient", mean_estimate(sharp["guided"] - sharp["gradient"]), 0.0)],
        images=images,
        seeds=seeds,
        numbers={
            **{f"gini_{name}": float(values.mean()) for name, values in sharp.items()},
            **{f"rank_with_randomised_{name}": value for name, value in alike.items()},
        },
        note=(
            "The rank correlation of the magnitudes with those of the network with random weights is "
            f"{alike['guided']:.2f} for guided backpropagation, {alike['gradient']:.2f} for the gradient."
        ),
    )
