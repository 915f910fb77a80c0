"""A composite above all uniform rules, or below one of them."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image
from nn_interpretability.claims.uniform_rules import UNIFORM

SHAPE = (2, 150)


def _measured(best: float) -> Measured:
    rng = np.random.default_rng(0)
    composite = 1 + 0.3 * rng.standard_normal(SHAPE)

    def other(difference: float) -> np.ndarray:
        return composite + difference + 0.1 * rng.standard_normal(SHAPE)

    names = [f"{name}{box}" for name in UNIFORM for box in ("", "_z_box")]
    found = {name: other(-0.1) for name in names}
    found |= {"small_cnn": composite, "montavon2019": other(0), "study2020": other(-0.05), "epsilon": other(best)}
    return {name: per_image(values) for name, values in found.items()}


def true() -> Measured:
    return _measured(-0.05)


def false() -> Measured:
    return _measured(0.05)
