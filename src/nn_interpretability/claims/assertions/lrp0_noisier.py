"""c26: LRP-0 equals gradient times input, and is noisier than LRP-epsilon and LRP-gamma."""

from __future__ import annotations

import copy
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.differences import relative_difference
from nn_interpretability.claims.finding import Finding, above, identity
from nn_interpretability.claims.quality import predicted
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.claims.uniform_rules import uniform_rules
from nn_interpretability.methods.input_x_gradient import InputXGradient
from nn_interpretability.methods.lrp import LRP
from nn_interpretability.metrics.roughness import high_frequency_share, total_variation

RULES = ("zero", "epsilon", "gamma")


def measure(context: Context, rule: Rule) -> Measured:
    """Roughness of the maps by three rules, and how far LRP-0 is from input times gradient, in float64."""
    images = context.test_images()[0].double()
    settings = uniform_rules(rule.parameters)
    found: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    for network in context.networks("cnn"):
        model = copy.deepcopy(network).double()
        target = predicted(model, images)
        maps = {name: LRP(model, **settings[name]).interpret(images, target).values for name in RULES}
        box = LRP(model, **settings["zero"], input_rule="z_box", input_bounds=(0.0, 1.0))
        product = InputXGradient(model).interpret(images, target).values
        found["difference"].append(relative_difference(maps["zero"], product))
        found["difference_z_box"].append(relative_difference(box.interpret(images, target).values, product))
        for name, values in maps.items():
            found[f"variation_{name}"].append(total_variation(values, undefined=0.0).cpu().numpy())
            found[f"high_{name}"].append(high_frequency_share(values).cpu().numpy())
    return {name: per_image(values) for name, values in found.items()}


def decide(measured: Measured, rule: Rule) -> Finding:
    """Rougher by both measures than by both other rules, and the same as input times gradient."""
    names = {"variation": "total variation", "high": "high frequencies"}
    found = {f"{kind}_{name}": values_of(measured, f"{kind}_{name}") for kind in names for name in RULES}
    seeds, images = found["high_zero"].shape
    rougher = [
        above(f"{words}, LRP-0 less {other}", mean_estimate(found[f"{kind}_zero"] - found[f"{kind}_{other}"]), 0.0)
        for kind, words in names.items()
        for other in RULES[1:]
    ]
    box = float(np.median(values_of(measured, "difference_z_box")))
    error = float(values_of(measured, "difference").max())
    return Finding(
        [*rougher, identity("LRP-0 from input times gradient, relative", error, rule.parameters["tolerance"])],
        images=images,
        seeds=seeds,
        numbers={
            **{name: float(values.mean()) for name, values in found.items()},
            "median_difference_with_z_box": box,
        },
        note=(
            "With the z-box rule at the input, as in Fig 12 of the study, LRP-0 differs from input times gradient by "
            f"{box:.2f} of the largest product in the median."
        ),
    )
