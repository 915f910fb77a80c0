"""Ranks near 1 for both ways, or near 0.9 for one of them."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image


def _measured(aligned: float) -> Measured:
    rng = np.random.default_rng(0)
    return {
        "rank_bicubic": per_image(0.99 + 0.005 * rng.standard_normal((2, 150))),
        "rank_aligned_corners": per_image(aligned + 0.01 * rng.standard_normal((2, 150))),
    }


def true() -> Measured:
    return _measured(0.98)


def false() -> Measured:
    return _measured(0.9)
