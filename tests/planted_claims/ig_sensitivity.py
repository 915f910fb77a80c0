"""Integrated gradients that are right, or that depend on how a function is written."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image
from nn_interpretability.storage.hdf5 import Array

SHAPE = (2, 150)


def _measured(error: float) -> Measured:
    rng = np.random.default_rng(0)
    shares = {name: per_image(0.01 * rng.random(SHAPE)) for name in ("removal_seen_only", "integrated_seen_only")}
    toys = {"gradient_error": 0.0, "integrated_error": error, "deeplift_difference": 0.5}
    return {
        **shares,
        "integrated_blind": per_image(np.zeros(SHAPE)),
        **{name: Array(np.asarray(value), ()) for name, value in toys.items()},
    }


def true() -> Measured:
    return _measured(1e-16)


def false() -> Measured:
    return _measured(0.5)
