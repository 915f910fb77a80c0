"""Mutual information that a high softmax says nothing about, or that is small wherever the softmax is high."""

import numpy as np

from nn_interpretability.claims.samples import Measured
from nn_interpretability.storage.hdf5 import Array

SHAPE = (2, 150, 5)


def _measured(tied: float) -> Measured:
    rng = np.random.default_rng(0)
    softmax = 1 - 0.8 * rng.beta(0.5, 2, SHAPE)
    own = rng.gamma(2, 0.1, SHAPE)
    information = tied * (1 - softmax) * (1 + 0.1 * own) + (1 - tied) * own
    dims = ("seed", "image", "angle")
    return {"softmax": Array(softmax, dims), "mutual_information": Array(information, dims)}


def true() -> Measured:
    return _measured(0.3)


def false() -> Measured:
    return _measured(1.0)
