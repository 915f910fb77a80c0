"""Measures that fall, or rise, from layer to layer."""

import numpy as np

from nn_interpretability.claims.samples import Measured
from nn_interpretability.storage.hdf5 import Array


def _measured(slope: float) -> Measured:
    rng = np.random.default_rng(0)
    steps = slope * np.arange(3)
    dims = ("seed", "image", "layer")
    return {
        "flipping": Array(0.5 + steps + rng.normal(0, 0.2, (2, 150, 3)), dims),
        "mass": Array(0.4 + steps + rng.normal(0, 0.1, (2, 150, 3)), dims),
        "identity_error": Array(np.asarray([1e-7, 2e-7]), ("seed",)),
    }


def true() -> Measured:
    return _measured(-0.1)


def false() -> Measured:
    return _measured(0.1)
