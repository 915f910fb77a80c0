"""c32: each technique of DeepDream helps."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, above
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.data import photographs
from nn_interpretability.storage.hdf5 import Array
from nn_interpretability.study.dream_inputs import picture_of
from nn_interpretability.study.leave_one_out import cropped, measures_of_dreams
from nn_interpretability.synthesis.deepdream import DeepDream
from nn_interpretability.synthesis.tiles import seams

GAINS = {
    "scales": ("high_frequency", 1),
    "roll": ("seams", 1),
    "noise": ("high_frequency", 1),
    "penalty": ("brightness", -1),
}
"""What is measured of each technique, and the sign of the dream without it less the one with it where it helps."""


def measure(context: Context, rule: Rule) -> Measured:
    """Of each crop of the photograph, how much each technique gains when it is there."""
    settings = rule.parameters
    model = context.network("cam_3x3")
    pixels, _ = photographs.read(None if context.local is None else str(context.local))
    crops = cropped(picture_of(pixels, settings["size"], model), settings["crops"], settings["crop"]).to(context.device)
    whole: dict[str, Any] = {
        **{key: settings[key] for key in ("octaves", "steps", "tile", "learning_rate", "noise", "penalty")},
        "layer": "relu3",
        "overlap": 0,
        "roll": True,
    }
    without: dict[str, dict[str, Any]] = {
        "scales": {"octaves": 1, "steps": settings["octaves"] * settings["steps"]},
        "roll": {"roll": False},
        "noise": {"noise": 0.0},
        "penalty": {"penalty": 0.0},
    }
    dreams = [
        DeepDream(model, seed=context.seed, **{**whole, **change}).synthesize(crops).image.cpu().numpy()
        for change in ({}, *without.values())
    ]
    values = measures_of_dreams(crops.cpu().numpy(), np.stack(dreams), seams(settings["crop"], settings["tile"], 0))
    return {
        f"gain_{technique}": Array(sign * (values[what][place] - values[what][0]), ("crop",))
        for place, (technique, (what, sign)) in enumerate(GAINS.items(), start=1)
    }


def decide(measured: Measured, rule: Rule) -> Finding:
    """Each technique must gain something."""
    del rule
    gains = {technique: mean_estimate(values_of(measured, f"gain_{technique}")) for technique in GAINS}
    conditions = [
        above(f"{GAINS[technique][0].replace('_', ' ')}, gain by {technique}", gain, 0.0)
        for technique, gain in gains.items()
    ]
    crops = len(values_of(measured, "gain_roll"))
    helps = [technique for technique, gain in gains.items() if gain.interval[0] > 0]
    return Finding(
        sorted(conditions, key=lambda each: each.p_for, reverse=True),
        images=crops,
        seeds=1,
        numbers={f"gain_{technique}": gain.value for technique, gain in gains.items()},
        note=f"The interval is above 0 for {', '.join(helps) if helps else 'none of them'}.",
    )
