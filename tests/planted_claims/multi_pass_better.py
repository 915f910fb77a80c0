"""Maps of many passes that are better than those of one, and smoother than the plain network's; or no better."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image

SHAPE = (2, 150)


def _measured(gain: float) -> Measured:
    rng = np.random.default_rng(0)

    def around(mean: float, width: float) -> np.ndarray:
        return mean + width * rng.standard_normal(SHAPE)

    plain = around(0.8, 0.1)
    found = {
        "rank_many": around(0.6 + gain, 0.1),
        "rank_one": around(0.6, 0.15),
        "rank_many_plain": around(0.5, 0.1),
        "flipping_many": plain + around(0, 0.05),
        "flipping_one": around(0.6, 0.2),
        "flipping_plain": plain,
        "right": (rng.random(SHAPE) < 0.95).astype(float),
        "high_many": around(0.3, 0.05),
        "high_one": around(0.4, 0.05),
        "high_plain": around(0.4, 0.05),
    }
    return {name: per_image(values) for name, values in found.items()}


def true() -> Measured:
    return _measured(0.2)


def false() -> Measured:
    return _measured(-0.1)
