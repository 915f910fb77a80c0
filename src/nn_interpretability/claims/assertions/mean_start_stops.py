"""c08: activation maximisation from the class mean stops after a few iterations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, above
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.storage.hdf5 import Array
from nn_interpretability.study.published_synthesis import PublishedMaximization
from nn_interpretability.synthesis.activation_maximization import ActivationMaximization
from nn_interpretability.synthesis.priors import SquaredDistance

SHAPE = (1, 28, 28)
WAYS = ("published", "sound")


def measure(context: Context, rule: Rule) -> Measured:
    """Of each class and training seed, whether the search reached the probability within the steps, both ways."""
    means = context.class_means()
    limit = {"steps": rule.parameters["steps"], "threshold": rule.parameters["probability"]}
    stopped: dict[str, list[NDArray[np.float64]]] = {way: [] for way in WAYS}
    at_once = []
    for model in context.networks("cnn"):
        searches = {
            "published": PublishedMaximization(
                model,
                weight=0.08,
                centre=None,
                image_shape=SHAPE,
                learning_rate=rule.parameters["published_learning_rate"],
                **limit,
            ),
            "sound": ActivationMaximization(
                model,
                priors=[SquaredDistance(0.001)],
                image_shape=SHAPE,
                learning_rate=rule.parameters["learning_rate"],
                **limit,
            ),
        }
        for way, search in searches.items():
            found = search.synthesize("all", means)
            assert found.probability is not None
            stopped[way].append((found.probability >= limit["threshold"]).cpu().numpy())
        at_once.append((found.steps == 0).cpu().numpy())
    dims = ("seed", "class")
    return {
        **{f"stopped_{way}": Array(np.stack(rows).astype(np.float64), dims) for way, rows in stopped.items()},
        "at_once": Array(np.stack(at_once).astype(np.float64), dims),
    }


def decide(measured: Measured, rule: Rule) -> Finding:
    """Enough searches must have stopped, at either learning rate."""
    rows = {way: values_of(measured, f"stopped_{way}") for way in WAYS}
    conditions = [
        above(f"share of classes that stop, {way} learning rate", mean_estimate(each), rule.parameters["share"])
        for way, each in rows.items()
    ]
    seeds, classes = rows["sound"].shape
    numbers = {f"stopped_{way}": float(each.mean()) for way, each in rows.items()}
    return Finding(
        sorted(conditions, key=lambda each: each.value),
        images=classes,
        seeds=seeds,
        numbers={**numbers, "at_once": float(values_of(measured, "at_once").mean())},
        note=f"{100 * values_of(measured, 'at_once').mean():.0f} % of the class means need no step.",
    )
