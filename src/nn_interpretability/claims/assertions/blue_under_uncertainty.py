"""c19: under high uncertainty maps have more negative relevance, under low uncertainty concentrated positive one."""

from __future__ import annotations

import numpy as np

from nn_interpretability.claims.context import Context, NotRun
from nn_interpretability.claims.dropout_passes import by_angle, turned
from nn_interpretability.claims.finding import Finding, above, below
from nn_interpretability.claims.resampled import spearman_estimate
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, values_of
from nn_interpretability.claims.signs import negative_share
from nn_interpretability.methods.lrp import LRP
from nn_interpretability.metrics.complexity import gini
from nn_interpretability.storage.hdf5 import Array
from nn_interpretability.uncertainty.evidential import opinion

_ROWS = 250


def measure(context: Context, rule: Rule) -> Measured:
    """u, negative share and Gini index of the map of the largest logit, and whether it is positive, at each angle."""
    angles = rule.parameters["angles"]
    images = turned(context.test_images()[0], angles)
    found: dict[str, list[np.ndarray]] = {}
    for model in context.networks("evidential_cnn"):
        said = LRP(model, composite="small_cnn", input_bounds=(0, 1)).interpret(images, chunk=_ROWS)
        each = {
            "uncertainty": opinion(said.logits).uncertainty,
            "negative_share": negative_share(said.values),
            "gini": gini(said.values, undefined=0.0),
            "positive": said.logits.amax(1) > 0,
        }
        for name, values in each.items():
            found.setdefault(name, []).append(by_angle(values, len(angles)))
    if not np.any(found["positive"]):
        raise NotRun("no picture has a positive logit.")
    return {name: Array(np.stack(values), ("seed", "image", "angle")) for name, values in found.items()}


def decide(measured: Measured, rule: Rule) -> Finding:
    """Negative relevance must grow with u, and concentration fall."""
    u, negative, concentration, positive = (
        values_of(measured, name) for name in ("uncertainty", "negative_share", "gini", "positive")
    )
    level = rule.parameters["level"]
    mechanical = positive == 0
    return Finding(
        [
            above("rank, u and negative share", spearman_estimate(u, negative, positive), level),
            below("rank, u and Gini index", spearman_estimate(u, concentration, positive), 0),
        ],
        images=u.shape[1],
        seeds=u.shape[0],
        numbers={
            "left_out": float(mechanical.mean()),
            "negative_share": float(negative[positive > 0].mean()),
            "negative_share_of_those_left_out": float(negative[mechanical].mean()) if mechanical.any() else 0.0,
        },
        note=(
            f"{100 * mechanical.mean():.0f} % of the turned pictures have no positive logit and are left out; of the "
            f"others {100 * negative[positive > 0].mean():.0f} % of the relevance is negative."
        ),
    )
