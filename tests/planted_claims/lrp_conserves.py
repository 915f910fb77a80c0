"""Gaps of rounding; or biases and stabilisers that take a large part."""

import numpy as np

from nn_interpretability.claims.assertions.lrp_conserves import WHERE
from nn_interpretability.claims.samples import Measured, per_image
from nn_interpretability.claims.uniform_rules import UNIFORM
from nn_interpretability.storage.hdf5 import Array

SHAPE = (2, 150)


def _measured(gap: float) -> Measured:
    rng = np.random.default_rng(0)
    names = ("absorbed", "ignored", *WHERE)
    gaps = {f"{name}_{rule}": per_image(gap * np.exp(rng.standard_normal(SHAPE))) for rule in UNIFORM for name in names}
    return gaps | {f"no_biases_{rule}": Array(1e-15 * rng.random(150), ("image",)) for rule in UNIFORM}


def true() -> Measured:
    return _measured(1e-14)


def false() -> Measured:
    return _measured(0.2)
