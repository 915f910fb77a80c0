"""A third of the published searches fail, or one in two hundred does."""

import numpy as np

from nn_interpretability.claims.samples import Measured
from nn_interpretability.storage.hdf5 import Array


def _measured(failures: float) -> Measured:
    rng = np.random.default_rng(0)
    return {
        "failed_published": Array((rng.random((2, 200)) < failures).astype(float), ("seed", "start")),
        "failed_corrected": Array((rng.random((2, 200)) < 0.01).astype(float), ("seed", "start")),
        "sharper": Array(rng.normal(0.05, 0.02, (2, 10)), ("seed", "class")),
    }


def true() -> Measured:
    return _measured(0.3)


def false() -> Measured:
    return _measured(0.005)
