"""Larger maps that are better by a tenth, or worse on ink."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image
from nn_interpretability.storage.hdf5 import Array

SIZES = ("cam_3x3", "cam_6x6", "cam_9x9")


def _measured(gain: float) -> Measured:
    rng = np.random.default_rng(0)
    image = rng.normal(0.3, 0.2, (1, 150))
    measured: dict[str, Array] = {}
    for place, name in enumerate(SIZES):
        measured[f"flipping_{name}"] = per_image(image + 0.1 * place + rng.normal(0, 0.15, (2, 150)))
        measured[f"mass_{name}"] = per_image(image + gain * place + rng.normal(0, 0.1, (2, 150)))
        measured[f"right_{name}"] = Array((rng.random((2, 450)) < 0.98).astype(float), ("seed", "test_image"))
    return measured


def true() -> Measured:
    return _measured(0.1)


def false() -> Measured:
    return _measured(-0.1)
