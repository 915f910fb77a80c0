"""How far two maps that should be the same are apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def relative_difference(maps: Tensor, others: Tensor) -> NDArray[np.float64]:
    """Largest difference of two maps over the largest magnitude of the second, ``(n,)``; 0 where both are zero."""
    difference = (maps - others).abs().flatten(1).amax(dim=1).double()
    size = others.abs().flatten(1).amax(dim=1).double()
    size = size.where(size > 0, maps.abs().flatten(1).amax(dim=1).double())
    relative: NDArray[np.float64] = (difference / size.where(size > 0, 1.0)).cpu().numpy()
    return relative
