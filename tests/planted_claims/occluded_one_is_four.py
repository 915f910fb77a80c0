"""Most covered ones are seen as a 4, or as an 8."""

import numpy as np

from nn_interpretability.claims.samples import Measured, per_image


def _measured(most: int) -> Measured:
    rng = np.random.default_rng(0)
    return {
        "class_seen": per_image(rng.choice([1, most, 7, 6], (2, 150), p=[0.2, 0.6, 0.1, 0.1])),
        "like_four": per_image(rng.normal(0.2, 0.2, (2, 150))),
        "like_one": per_image(rng.normal(0.3, 0.2, (2, 150))),
    }


def true() -> Measured:
    return _measured(4)


def false() -> Measured:
    return _measured(8)
