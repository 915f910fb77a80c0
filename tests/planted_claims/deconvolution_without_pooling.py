"""Guided backpropagation that is better or worse without pooling, on networks of one accuracy."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image
from nn_interpretability.storage.hdf5 import Array


def _measured(gain: float) -> Measured:
    rng = np.random.default_rng(0)
    right = (rng.random((2, 10000)) < 0.99).astype(float)
    measured: dict[str, Array] = {}
    for name in ("all_conv_cnn", "cnn"):
        base = rng.normal(0.2, 0.2, (2, 150))
        measured[f"deconvolution_{name}"] = per_image(base)
        measured[f"guided_{name}"] = per_image(base + rng.normal(gain, 0.2, (2, 150)))
        flipped = rng.random(right.shape) < 0.001
        measured[f"right_{name}"] = Array(np.where(flipped, 1 - right, right), ("seed", "test_image"))
    return measured


def true() -> Measured:
    return _measured(0.2)


def false() -> Measured:
    return _measured(-0.1)
