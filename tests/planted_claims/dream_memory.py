"""A peak below two GB, or above."""

import numpy as np

from nn_interpretability.claims.samples import Measured
from nn_interpretability.storage.hdf5 import Array


def _measured(peak: float) -> Measured:
    return {
        "peak": Array(np.asarray([peak]), ("octave",)),
        "peak_by_tile": Array(np.asarray([1.0, 3.1]), ("tile",)),
        "tiles": Array(np.asarray([256, 1024]), ("tile",)),
    }


def true() -> Measured:
    return _measured(1.9)


def false() -> Measured:
    return _measured(2.3)
