"""Settled maps and a best noise in the range; or maps that are not settled."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image
from nn_interpretability.storage.hdf5 import Array

SHAPE = (2, 150)


def _measured(rank: float) -> Measured:
    rng = np.random.default_rng(0)
    means = np.asarray([0.8, 0.85, 1.0, 1.05, 1.0, 0.8, 0.6])
    return {
        "rank": per_image(np.minimum(rank + 0.01 * rng.standard_normal(SHAPE), 1)),
        "faithfulness": Array(means + 0.05 * rng.standard_normal((*SHAPE, len(means))), ("seed", "image", "sigma")),
    }


def true() -> Measured:
    return _measured(0.985)


def false() -> Measured:
    return _measured(0.9)
