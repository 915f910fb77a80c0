"""Overlaps of many certain and some uncertain pictures; those of the softmax smaller, or larger."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image

SHAPE = (2, 150)


def _measured(factor: float) -> Measured:
    rng = np.random.default_rng(0)
    logit = rng.beta(0.5, 2, SHAPE)
    softmax = (logit * factor + 0.03 * rng.standard_normal(SHAPE)).clip(0, 1)
    return {
        "overlap_logit": per_image(logit),
        "overlap_softmax": per_image(softmax),
        "overlap_without_bins_logit": per_image(logit),
        "overlap_without_bins_softmax": per_image(logit),
    }


def true() -> Measured:
    return _measured(0.7)


def false() -> Measured:
    return _measured(1.3)
