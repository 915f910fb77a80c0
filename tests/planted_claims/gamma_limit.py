"""Differences that fall like 1 / gamma; or that stay."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image
from nn_interpretability.storage.hdf5 import Array

SHAPE = (2, 150)
GAMMAS = np.asarray([1e2, 1e4, 1e6])


def _measured(floor: float) -> Measured:
    rng = np.random.default_rng(0)
    size = np.exp(0.5 * rng.standard_normal((*SHAPE, 1)))
    return {
        "difference": Array(size * (1 / GAMMAS + floor), ("seed", "image", "gamma")),
        "difference_from_alpha2": per_image(1 + 0.2 * rng.random(SHAPE)),
    }


def true() -> Measured:
    return _measured(0)


def false() -> Measured:
    return _measured(0.01)
