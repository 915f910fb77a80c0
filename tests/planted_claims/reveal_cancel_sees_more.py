"""RevealCancel above all others, or below integrated gradients."""

import numpy as np

from nn_interpretability.claims.assertions.reveal_cancel_sees_more import OTHERS
from nn_interpretability.claims.samples import Measured, per_image

SHAPE = (2, 148)


def _measured(integrated: float) -> Measured:
    rng = np.random.default_rng(0)
    reveal_cancel = 12 + 3 * rng.standard_normal(SHAPE)
    less = {"rescale": 2, "integrated_gradients": integrated, "input_x_gradient": 3}
    found = {name: reveal_cancel - less[name] + 2 * rng.standard_normal(SHAPE) for name in OTHERS}
    found["reveal_cancel"] = reveal_cancel
    found |= {f"converted_{name}": (values > 11).astype(float) for name, values in found.items()}
    return {name: per_image(values) for name, values in found.items()}


def true() -> Measured:
    return _measured(1)


def false() -> Measured:
    return _measured(-1)
