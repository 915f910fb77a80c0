"""Relevance and p(8) that hang on the ends, or on the middle of the stroke."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image

SHAPE = (2, 150)


def _measured(ends: float) -> Measured:
    rng = np.random.default_rng(0)
    whole = rng.beta(0.5, 2, SHAPE)
    found = {
        f"relevance_{name}": mean + 0.05 * rng.standard_normal(SHAPE)
        for name, mean in (("upper_end", ends), ("lower_end", ends), ("elsewhere", 0.0))
    }
    found["probability_whole"] = whole
    found["probability_without_ends"] = (whole * (1 - 5 * ends) * rng.uniform(0.6, 1, SHAPE)).clip(0, 1)
    found["probability_without_pieces"] = whole * rng.uniform(0.6, 1, SHAPE)
    return {name: per_image(values) for name, values in found.items()}


def true() -> Measured:
    return _measured(0.05)


def false() -> Measured:
    return _measured(-0.05)
