"""Smoother and as faithful as a blur; or smoother, and less faithful than a blur."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image

SHAPE = (2, 150)


def _measured(loss: float) -> Measured:
    rng = np.random.default_rng(0)
    gradient = 1.6 + 0.1 * rng.standard_normal(SHAPE)
    blurred = 0.45 + 0.1 * rng.standard_normal(SHAPE)
    return {
        "roughness_gradient": per_image(gradient),
        "roughness_smoothgrad": per_image(gradient - 0.5 + 0.1 * rng.standard_normal(SHAPE)),
        "roughness_blurred": per_image(gradient - 0.5),
        "faithfulness_gradient": per_image(blurred - 0.1 + 0.05 * rng.standard_normal(SHAPE)),
        "faithfulness_smoothgrad": per_image(blurred - loss + 0.05 * rng.standard_normal(SHAPE)),
        "faithfulness_blurred": per_image(blurred),
        "blur": per_image(0.5 + 0.1 * rng.random(SHAPE)),
    }


def true() -> Measured:
    return _measured(-0.01)


def false() -> Measured:
    return _measured(0.1)
