"""c31: the way of upsampling does not matter for class activation maps."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, above
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.methods.cam import CAM
from nn_interpretability.metrics.similarity import spearman

PAIRS = ("bicubic", "aligned_corners")


def measure(context: Context, rule: Rule) -> Measured:
    """Rank correlations of maps that are enlarged in two ways, per seed and picture."""
    del rule
    images, _ = context.test_images()
    ways: dict[str, dict[str, Any]] = {
        "bilinear": {},
        "bicubic": {"upsampling": "bicubic"},
        "aligned_corners": {"align_corners": True},
    }
    found: dict[str, list[list[float]]] = {name: [] for name in PAIRS}
    for model in context.networks("cam_3x3"):
        maps = {name: CAM(model, **way).interpret(images).values for name, way in ways.items()}
        for name in PAIRS:
            found[name].append(spearman(maps["bilinear"], maps[name]).tolist())
    return {f"rank_{name}": per_image(ranks) for name, ranks in found.items()}


def decide(measured: Measured, rule: Rule) -> Finding:
    """Both correlations must be high enough."""
    ranks = {name: values_of(measured, f"rank_{name}") for name in PAIRS}
    bound = rule.parameters["rank"]
    conditions = [
        above(f"rank, bilinear and {name.replace('_', ' ')}", mean_estimate(r), bound) for name, r in ranks.items()
    ]
    first = ranks[PAIRS[0]]
    return Finding(
        sorted(conditions, key=lambda each: each.value),
        images=first.shape[1],
        seeds=first.shape[0],
        numbers={f"smallest_{name}": float(np.min(r)) for name, r in ranks.items()},
    )
