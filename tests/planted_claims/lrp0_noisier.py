"""LRP-0 rougher than both other rules, or not rougher than gamma."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image

SHAPE = (2, 150)


def _measured(gamma: float) -> Measured:
    rng = np.random.default_rng(0)
    zero = {"variation": 1.8 + 0.1 * rng.standard_normal(SHAPE), "high": 0.5 + 0.05 * rng.standard_normal(SHAPE)}
    found = {"difference": 1e-15 * rng.random(SHAPE), "difference_z_box": rng.random(SHAPE)}
    for kind, values in zero.items():
        found[f"{kind}_zero"] = values
        found[f"{kind}_epsilon"] = values * (0.9 + 0.05 * rng.standard_normal(SHAPE))
        found[f"{kind}_gamma"] = values * (gamma + 0.05 * rng.standard_normal(SHAPE))
    return {name: per_image(values) for name, values in found.items()}


def true() -> Measured:
    return _measured(0.8)


def false() -> Measured:
    return _measured(1.05)
