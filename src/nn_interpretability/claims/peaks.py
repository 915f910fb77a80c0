"""Where along a turn a quantity is largest; numpy alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.errors import ConfigError

FloatArray = NDArray[np.float64]


def peak_in_middle(values: FloatArray) -> FloatArray:
    """Whether values along the last axis peak in the middle third: 1 or 0; of several largest values, the share there.

    Where all values are alike it is one third.

    Parameters
    ----------
    values
        Shape ``(..., places)``, a multiple of 3 places.

    Returns
    -------
    ndarray
        Shape ``(...)``.

    Raises
    ------
    ConfigError
        If the places have no middle third.
    """
    places = values.shape[-1]
    if places % 3:
        raise ConfigError(f"{places} angles have no middle third: give a multiple of 3.")
    largest = values == values.max(axis=-1, keepdims=True)
    middle = largest[..., places // 3 : 2 * places // 3].sum(axis=-1)
    return np.asarray(middle / largest.sum(axis=-1))


def peak_place(values: FloatArray) -> NDArray[np.int64]:
    """The first place of the largest value along the last axis."""
    return np.asarray(values.argmax(axis=-1))
