"""The saliency map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from nn_interpretability.methods.base import Method


class Saliency(Method):
    r"""The largest magnitude of the derivative over the channels of each pixel.

    .. math:: M_{yx} = \max_{\text{channel}} \left| \frac{\partial S_c(x)}{\partial x_{\text{channel}, y, x}} \right|

    of the score before any softmax. There is one value per pixel: ``values`` has the shape ``(N, 1, H, W)``, also for
    images of several channels (and ``(N, 1, L)`` for signals; inputs without a channel axis keep their shape). The
    values are not signed and do not sum to the score. For the derivative itself see
    :class:`~nn_interpretability.methods.gradient.Gradient`.

    References
    ----------
    Simonyan, Vedaldi and Zisserman 2013, Deep inside convolutional networks, section 3.1.
    """

    name: ClassVar[str] = "saliency"

    def _read(self, leaves: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        size = gradients[0].abs()
        return size.amax(dim=1, keepdim=True) if size.dim() > 2 else size
