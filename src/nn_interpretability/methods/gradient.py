"""The gradient of a score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from nn_interpretability.methods.base import Method


class Gradient(Method):
    r"""The derivative of the score with respect to each input value, with its sign.

    .. math:: g_i = \frac{\partial S_c(x)}{\partial x_i}

    of the score before any softmax. It says how the score would change, not what made it large: the values do not sum
    to the score.

    References
    ----------
    Simonyan, Vedaldi and Zisserman 2013, Deep inside convolutional networks, section 3.
    """

    name: ClassVar[str] = "gradient"
    linear = True

    def _read(self, leaves: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        return gradients[0]
