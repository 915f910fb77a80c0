"""Negative shares that grow with u, with concentration that falls; or the other way round."""

import numpy as np

from nn_interpretability.claims.samples import Measured
from nn_interpretability.storage.hdf5 import Array

SHAPE = (2, 150, 5)


def _measured(tied: float) -> Measured:
    rng = np.random.default_rng(0)
    u = (rng.uniform(0, 0.5, (*SHAPE[:2], 1)) + rng.uniform(0, 0.5, SHAPE)).clip(0.02, 1)
    found = {
        "uncertainty": u,
        "negative_share": (0.2 + tied * 0.3 * u + 0.1 * rng.standard_normal(SHAPE)).clip(0, 1),
        "gini": (0.8 - tied * 0.3 * u + 0.1 * rng.standard_normal(SHAPE)).clip(0, 1),
        "positive": (u < 0.9).astype(float),
    }
    return {name: Array(values, ("seed", "image", "angle")) for name, values in found.items()}


def true() -> Measured:
    return _measured(1.0)


def false() -> Measured:
    return _measured(-0.5)
