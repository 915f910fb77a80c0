"""High frequencies that fall by a twentieth, or change by rounding."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image
from nn_interpretability.storage.hdf5 import Array

SHAPE = (2, 150)


def _measured(fall: float) -> Measured:
    rng = np.random.default_rng(0)
    before = rng.uniform(0.2, 0.6, SHAPE)
    after = before * (1 - fall + 1e-15 * rng.standard_normal(SHAPE))
    found = {"before": before, "after": after, "cosine": np.ones(SHAPE) - fall, "ratio": np.full(SHAPE, 1 / 1.3)}
    measured = {f"{name}_{target}": per_image(v) for name, v in found.items() for target in ("logit", "probability")}
    return measured | {"temperature": Array(np.array([1.3, 1.3]), ("seed",))}


def true() -> Measured:
    return _measured(0.05)


def false() -> Measured:
    return _measured(0.0)
