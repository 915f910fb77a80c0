"""Maps under noise that are more like the predicted class than others, or less like it."""

import numpy as np

from nn_interpretability.claims.samples import Measured
from nn_interpretability.storage.hdf5 import Array

SHAPE = (2, 150, 10)


def _measured(more: float) -> Measured:
    rng = np.random.default_rng(0)
    label = np.arange(SHAPE[1]) % 10
    like = rng.normal(0.2, 0.15, (*SHAPE, 10)) + np.linspace(0, 0.2, 10)  # all maps are more like a 9 than like a 0
    like[:, :, np.arange(10), np.arange(10)] += more
    passes = rng.poisson(1.0, SHAPE)
    passes[:, np.arange(SHAPE[1]), label] = 0
    passes[:, :20] = 0  # never wrong
    return {
        "likeness": Array(like.clip(-1, 1), ("seed", "image", "predicted", "class")),
        "wrong_passes": Array(passes, ("seed", "image", "predicted")),
        "label": Array(label, ("image",)),
    }


def true() -> Measured:
    return _measured(0.1)


def false() -> Measured:
    return _measured(-0.1)
