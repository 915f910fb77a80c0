"""Networks of a few units, from Sundararajan, Taly and Yan 2017, for which the right attribution is known."""

from __future__ import annotations

from torch import Tensor, nn


class Saturated(nn.Module):
    r""":math:`1 - \max(0, 1 - x)`: the score rises by 1 and stays there (Sundararajan et al. 2017, section 2.1)."""

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``(n, 1)`` of inputs ``(n, 1)``."""
        return 1 - (1 - images).relu()


class Nested(nn.Module):
    r""":math:`\max(0, \max(0, x_1) - 1 - \max(0, x_2))` (Sundararajan et al. 2017, figure 7)."""

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``(n, 1)`` of inputs ``(n, 2)``."""
        return (images[:, :1].relu() - 1 - images[:, 1:].relu()).relu()


class Shifted(nn.Module):
    r""":math:`\max(0, \max(0, x_1 - 1) - \max(0, x_2))`, for all inputs not negative the same function as the other."""

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``(n, 1)`` of inputs ``(n, 2)``."""
        return ((images[:, :1] - 1).relu() - images[:, 1:].relu()).relu()
