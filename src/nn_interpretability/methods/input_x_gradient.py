"""Input times gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from nn_interpretability.methods.base import Method


class InputXGradient(Method):
    r"""Each input value times the derivative of the score with respect to it.

    .. math:: R_i = x_i \frac{\partial S_c(x)}{\partial x_i}

    For a piecewise linear network the sum is the score minus the part of the biases; for nets of ReLUs the map is that
    of LRP-0, biases or not. A pixel of value zero never gets anything.

    References
    ----------
    Shrikumar, Greenside, Shcherbina and Kundaje 2016, Not just a black box. Equivalence with LRP-0: Ancona, Ceolini,
    Oztireli and Gross 2018, Towards better understanding of gradient-based attribution methods.
    """

    name: ClassVar[str] = "input_x_gradient"
    linear = True
    conserving = True

    def _read(self, leaves: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        return leaves[0] * gradients[0]
