"""Sums that differ by rounding, or by a thousandth."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image
from nn_interpretability.storage.hdf5 import Array

SHAPE = (2, 150)


def _measured(gap: float) -> Measured:
    rng = np.random.default_rng(0)
    return {
        "gap_without_biases": per_image(gap * rng.standard_normal(SHAPE)),
        "score_without_biases": per_image(rng.uniform(1, 10, SHAPE)),
        "relative_gap_with_biases": Array(rng.uniform(0, 1, 150), ("image",)),
    }


def true() -> Measured:
    return _measured(1e-14)


def false() -> Measured:
    return _measured(1e-3)
