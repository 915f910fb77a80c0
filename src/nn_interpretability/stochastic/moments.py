"""Mean and variance of maps that arrive block by block."""

from __future__ import annotations

from torch import Tensor


class RunningMoments:
    """Mean and variance along the first axis, in float64, by the update of Chan, Golub and LeVeque (1979).

    Attributes
    ----------
    count
        How many maps there were.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean: Tensor | None = None
        self._squares: Tensor | None = None

    def update(self, block: Tensor) -> None:
        """Take in maps ``(P, ...)``."""
        block = block.double()
        mean = block.mean(dim=0)
        squares = (block - mean).square().sum(dim=0)
        added = len(block)
        if self._mean is None or self._squares is None:
            self.count, self._mean, self._squares = added, mean, squares
            return
        total = self.count + added
        difference = mean - self._mean
        self._mean = self._mean + difference * (added / total)
        self._squares = self._squares + squares + difference.square() * (self.count * added / total)
        self.count = total

    @property
    def mean(self) -> Tensor:
        """Mean, float64."""
        assert self._mean is not None
        return self._mean

    @property
    def variance(self) -> Tensor:
        """Variance (divided by the count less one), float64; zero for a single map."""
        assert self._squares is not None
        return self._squares / max(self.count - 1, 1)
