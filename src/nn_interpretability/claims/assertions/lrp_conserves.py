"""c05: LRP conserves relevance from layer to layer."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, above
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.claims.uniform_rules import UNIFORM, uniform_rules
from nn_interpretability.methods.lrp import LRP
from nn_interpretability.metrics.completeness import completeness_error
from nn_interpretability.storage.hdf5 import Array

WHERE = ("bias", "stabilizer", "blocked")
CASES = ("absorbed", "ignored", "no_biases")
"""Biases count in the denominators; they do not; there are none."""


def measure(context: Context, rule: Rule) -> Measured:
    """Gaps between the sum of a map and the score, relative to it, and what took the rest, in float64."""
    images = context.test_images()[0].double()
    free = copy.deepcopy(context.network("bias_free_cnn")).double()
    models = [copy.deepcopy(network).double() for network in context.networks("cnn")]
    measured: dict[str, Array] = {}
    for name, settings in uniform_rules(rule.parameters).items():
        found: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
        for model in models:
            for key, values in _where_it_went(model, images, settings).items():
                found[f"{key}_{name}"].append(values)
            found[f"ignored_{name}"].append(_gap(model, images, {**settings, "bias": "ignore"}))
        measured |= {key: per_image(values) for key, values in found.items()}
        measured[f"no_biases_{name}"] = Array(_gap(free, images, settings), ("image",))
    return measured


def _gap(model: nn.Module, images: Tensor, settings: Mapping[str, Any]) -> NDArray[np.float64]:
    explained = LRP(model, **settings).interpret(images)
    gap: NDArray[np.float64] = completeness_error(explained.values, explained.score).cpu().numpy()
    return gap


def _where_it_went(model: nn.Module, images: Tensor, settings: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    explained = LRP(model, trace=True, **settings).interpret(images)
    assert explained.trace is not None
    score = explained.score.abs().clamp(min=1e-12).cpu()
    shares = {part: (getattr(explained.trace, part).sum(dim=0).abs() / score).numpy() for part in WHERE}
    return {"absorbed": completeness_error(explained.values, explained.score).cpu().numpy(), **shares}


def decide(measured: Measured, rule: Rule) -> Finding:
    """Of each rule, the share of pictures without a gap."""
    gaps = {name: values_of(measured, f"absorbed_{name}") for name in UNIFORM}
    seeds, images = gaps["zero"].shape
    conditions = [
        above(
            f"share of pictures whose relevance is conserved, rule {name}",
            mean_estimate(gap < rule.parameters["tolerance"]),
            rule.parameters["share"],
        )
        for name, gap in gaps.items()
    ]
    numbers: dict[str, float] = {}
    for name in UNIFORM:
        for case in CASES:
            values = values_of(measured, f"{case}_{name}")
            numbers[f"median_gap_{name}_{case}"] = float(np.median(values))
            numbers[f"largest_gap_{name}_{case}"] = float(values.max())
        for part in WHERE:
            numbers[f"median_to_{part}_{name}"] = float(np.median(values_of(measured, f"{part}_{name}")))
    return Finding(
        sorted(conditions, key=lambda each: each.value),
        images=images,
        seeds=seeds,
        numbers=numbers,
        note=_note(numbers),
    )


def _note(numbers: Mapping[str, float]) -> str:
    exact = [name for name in UNIFORM if numbers[f"largest_gap_{name}_no_biases"] < 1e-6]
    words = ", ".join(name.replace("_", " ") for name in exact) or "none"
    return (
        f"In the median {100 * numbers['median_gap_zero_absorbed']:.0f} % of the score are lost by rule zero, all to "
        f"biases, and {100 * numbers['median_gap_epsilon_absorbed']:.0f} % by epsilon. Rules that lose nothing on the "
        f"network without biases: {words}."
    )
