"""Signs that coincide, or that differ for one picture in a hundred."""

import numpy as np

from nn_interpretability.claims.samples import Measured
from nn_interpretability.storage.hdf5 import Array

SHAPE = (2, 150, 10)


def _measured(apart: float) -> Measured:
    rng = np.random.default_rng(0)
    total = rng.random(SHAPE) < 0.1
    found = {
        "negative_sum": total ^ (rng.random(SHAPE) < apart),
        "no_positive_logit": total,
        "total_uncertainty": total,
        "negative_share": total,
        "ordinary_negative_share": np.zeros((1, *SHAPE[1:])),
        "ordinary_wrong": rng.random((1, *SHAPE[1:])) < 0.3,
    }
    dims = {name: "ordinary_seed" if name.startswith("ordinary") else "seed" for name in found}
    return {name: Array(values.astype(float), (dims[name], "image", "angle")) for name, values in found.items()}


def true() -> Measured:
    return _measured(0.0)


def false() -> Measured:
    return _measured(0.01)
