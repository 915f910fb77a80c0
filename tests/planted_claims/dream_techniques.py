"""Every technique gains something on each crop, or the noise loses."""

import numpy as np

from nn_interpretability.claims.samples import Measured
from nn_interpretability.storage.hdf5 import Array


def _measured(noise: float) -> Measured:
    rng = np.random.default_rng(0)
    gains = {"scales": 0.2, "roll": 0.5, "noise": noise, "penalty": 0.1}
    return {f"gain_{name}": Array(gain + rng.normal(0, 0.03, 10), ("crop",)) for name, gain in gains.items()}


def true() -> Measured:
    return _measured(0.1)


def false() -> Measured:
    return _measured(-0.1)
