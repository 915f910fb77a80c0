"""Uncertainties that peak in the middle of the turn, or grow to its end and stay 1 there."""

import numpy as np

from nn_interpretability.claims.samples import Measured
from nn_interpretability.storage.hdf5 import Array
from planted_claims.turns import turns


def _measured(centre: float) -> Measured:
    u = (turns(centre) * 1.3).clip(0, 1)
    rng = np.random.default_rng(1)
    wrong = rng.random((2, 500)) < 0.02
    judged = (0.2 * wrong + rng.beta(1, 5, wrong.shape)).clip(0, 1)
    return {
        "uncertainty": Array(u, ("seed", "image", "angle")),
        "evidential_cnn_uncertainty": Array(judged, ("evidential_cnn_seed", "judged")),
        "evidential_cnn_wrong": Array(wrong.astype(np.int64), ("evidential_cnn_seed", "judged")),
    }


def true() -> Measured:
    return _measured(4)


def false() -> Measured:
    return _measured(8.5)
