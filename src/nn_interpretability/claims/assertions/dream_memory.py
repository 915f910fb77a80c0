"""c24: with tiles DeepDream stays within 2 GB."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.claims.context import Context, NotRun
from nn_interpretability.claims.finding import Finding, fact
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, values_of
from nn_interpretability.storage.hdf5 import Array
from nn_interpretability.synthesis.memory import measured_step

LEAST_STEPS = 100
"""A few tiles of VGG16 take as long as a hundred steps of anything else here."""


def measure(context: Context, rule: Rule) -> Measured:
    """Peak memory of one step over the largest octave, and of steps over the photograph's size for other tiles."""
    settings = rule.parameters
    if context.budget.steps < LEAST_STEPS:
        raise NotRun(f"a step of VGG16 is not within a budget of {context.budget.steps} steps.")
    width, height = settings["size"]
    largest = settings["octave_scale"] ** settings["largest_octave"]

    def peak_of(scale: float, tile: int) -> float:
        sides = round(width * scale), round(height * scale)
        return measured_step(*sides, tile, first_tiles=settings["first_tiles"])["peak"]

    peak, others = peak_of(largest, settings["tile"]), [peak_of(1, tile) for tile in settings["tiles"]]
    return {
        "peak": Array(rounded_up([peak]), ("octave",)),
        "peak_by_tile": Array(rounded_up(others), ("tile",)),
        "tiles": Array(np.asarray(settings["tiles"]), ("tile",)),
    }


def rounded_up(peaks: Sequence[float]) -> NDArray[np.float64]:
    """Peaks to the next tenth of a GB, so that two runs agree."""
    return np.asarray(np.ceil(np.asarray(peaks) * 10) / 10)


def decide(measured: Measured, rule: Rule) -> Finding:
    """The peak must not exceed the bound."""
    peak = float(values_of(measured, "peak")[0])
    by_tile = dict(zip(values_of(measured, "tiles").astype(int), values_of(measured, "peak_by_tile"), strict=True))
    return Finding(
        [fact("peak memory in GB", peak, rule.parameters["bound"])],
        images=1,
        seeds=1,
        numbers={f"peak_tile_{tile}": float(value) for tile, value in by_tile.items()},
        note="At the photograph's own size: "
        + ", ".join(f"{value:.1f} GB with tiles of {tile}" for tile, value in by_tile.items())
        + ".",
    )
