"""Correlations around 0.4 for all fills, or none of them for the white one."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image


def _measured(white: float) -> Measured:
    rng = np.random.default_rng(0)
    centre = {"black": 0.5, "white": white, "blur": 0.4}
    return {f"correlation_{fill}": per_image(np.tanh(rng.normal(c, 0.3, (2, 150)))) for fill, c in centre.items()}


def true() -> Measured:
    return _measured(0.3)


def false() -> Measured:
    return _measured(-0.2)
