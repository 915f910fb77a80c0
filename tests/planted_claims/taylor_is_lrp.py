"""Differences of rounding; or of some per cent."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image
from nn_interpretability.storage.hdf5 import Array

SHAPE = (2, 150)


def _measured(difference: float) -> Measured:
    rng = np.random.default_rng(0)
    return {
        "difference_absorb": per_image(1e-15 * rng.random(SHAPE)),
        "difference_ignore": per_image(1e-15 * rng.random(SHAPE)),
        "difference_mixed": per_image(0.1 * rng.random(SHAPE)),
        "difference_expansion": Array(difference * rng.random(150), ("image",)),
    }


def true() -> Measured:
    return _measured(1e-15)


def false() -> Measured:
    return _measured(0.05)
