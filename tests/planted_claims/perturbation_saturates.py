"""Many pixels that perturbation underestimates; or as many as the other way round."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image

SHAPE = (2, 150)


def _measured(under: float) -> Measured:
    rng = np.random.default_rng(0)
    return {
        "underestimated": per_image(np.abs(under + 0.03 * rng.standard_normal(SHAPE))),
        "overestimated": per_image(np.abs(0.06 + 0.03 * rng.standard_normal(SHAPE))),
        "sum_of_effects": per_image(10 + rng.standard_normal(SHAPE)),
        "sum_of_contributions": per_image(12 + rng.standard_normal(SHAPE)),
    }


def true() -> Measured:
    return _measured(0.1)


def false() -> Measured:
    return _measured(0.04)
