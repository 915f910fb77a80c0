"""Panels of Algorithm 1 that grow with the entropy, those of approach 1 by chance; or both that grow with it."""

import numpy as np

from nn_interpretability.claims.assertions.algorithm_shows_uncertainty import PREDICTORS
from nn_interpretability.claims.samples import Measured
from nn_interpretability.storage.hdf5 import Array

SHAPE = (2, 150, 4)


def _measured(tied: float) -> Measured:
    rng = np.random.default_rng(0)
    entropy = rng.gamma(1, 0.4, SHAPE)

    def panels(strength: float) -> np.ndarray:
        return (1 + 4 * strength * entropy + rng.gamma(1, 0.5, SHAPE)).round().clip(1, 10)

    found = {name: panels(1.0) for name in PREDICTORS} | {"panels_approach": panels(tied), "entropy": entropy}
    return {name: Array(values, ("seed", "image", "angle")) for name, values in found.items()}


def true() -> Measured:
    return _measured(0.0)


def false() -> Measured:
    return _measured(1.0)
