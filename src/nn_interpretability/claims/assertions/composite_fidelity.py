"""c25: composite LRP is the most faithful."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, above
from nn_interpretability.claims.quality import flipping, predicted
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.claims.uniform_rules import uniform_rules
from nn_interpretability.methods.lrp import LRP

BOUNDS = (0.0, 1.0)
COMPOSITES = ("small_cnn", "montavon2019", "study2020")
"""Presets of LRP: what the study set out to do, what the paper recommends, what the study's code did."""


def measure(context: Context, rule: Rule) -> Measured:
    """Faithfulness of the composites, and of the uniform rules with and without the z-box rule at the input."""
    images, _ = context.test_images()
    found: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    for model in context.networks("cnn"):
        target = predicted(model, images)
        for name, settings in _settings(rule.parameters).items():
            maps = LRP(model, **settings).interpret(images, target).values
            found[name].append(flipping(model, images, maps, target, steps=rule.parameters["steps"]))
    return {name: per_image(values) for name, values in found.items()}


def _settings(parameters: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    box = {"input_rule": "z_box", "input_bounds": BOUNDS}
    uniform = uniform_rules(parameters)
    return {
        **{name: {"composite": name, "input_bounds": BOUNDS} for name in COMPOSITES},
        **uniform,
        **{f"{name}_z_box": {**settings, **box} for name, settings in uniform.items()},
    }


def decide(measured: Measured, rule: Rule) -> Finding:
    """The composite that the study set out to use must be above each uniform rule."""
    uniform = [name for name in _settings(rule.parameters) if name not in COMPOSITES]
    found = {name: values_of(measured, name) for name in (*COMPOSITES, *uniform)}
    composite = found[COMPOSITES[0]]
    conditions = [
        above(f"pixel flipping, composite less {name.replace('_', ' ')}", mean_estimate(composite - found[name]), 0.0)
        for name in uniform
    ]
    means = {name: float(values.mean()) for name, values in found.items()}
    best = max(uniform, key=means.__getitem__)
    return Finding(
        sorted(conditions, key=lambda each: each.value),
        images=composite.shape[1],
        seeds=composite.shape[0],
        numbers={f"faithfulness_{name}": mean for name, mean in means.items()},
        note=(
            f"The best uniform rule in the mean is {best.replace('_', ' ')}, {means[best]:.3f}; the composite has "
            f"{means[COMPOSITES[0]]:.3f}, the one of Montavon et al. {means['montavon2019']:.3f}."
        ),
    )
