"""Maps that become sparser and smoother with epsilon; or smoother, but less sparse."""

import numpy as np

from nn_interpretability.claims.assertions.epsilon_sparser import DIMENSIONS
from nn_interpretability.claims.samples import Measured
from nn_interpretability.storage.hdf5 import Array

SHAPE = (2, 150, 7)


def _measured(slope: float) -> Measured:
    rng = np.random.default_rng(0)
    order = np.linspace(0, 1, SHAPE[-1])
    return {
        "gini": Array(0.6 + slope * order + 0.03 * rng.standard_normal(SHAPE), DIMENSIONS),
        "roughness": Array(1.5 - 0.2 * order + 0.05 * rng.standard_normal(SHAPE), DIMENSIONS),
    }


def true() -> Measured:
    return _measured(0.1)


def false() -> Measured:
    return _measured(-0.1)
