"""Gini indices that are higher for guided backpropagation, or lower."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image

SHAPE = (2, 150)


def _measured(difference: float) -> Measured:
    rng = np.random.default_rng(0)
    gradient = 0.7 + 0.05 * rng.standard_normal(SHAPE)
    return {
        "gini_gradient": per_image(gradient),
        "gini_guided": per_image(gradient + difference + 0.05 * rng.standard_normal(SHAPE)),
        "randomised_gradient": per_image(0.4 + 0.1 * rng.standard_normal(SHAPE)),
        "randomised_guided": per_image(0.8 + 0.1 * rng.standard_normal(SHAPE)),
    }


def true() -> Measured:
    return _measured(0.03)


def false() -> Measured:
    return _measured(-0.03)
