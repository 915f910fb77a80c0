"""Limits of colour scales.

Maps that are compared share one scale, symmetric about zero, so that the same colour means the same value.
The limit must not be set by a few runaway values (a method without stabiliser can have them), nor by one
method that is larger than all others: it is the median, over the methods of the group (each with its corrected
settings; published ones are drawn on the same scale), of a high quantile of the absolute values.  The median is taken
of logarithms, so that between two methods it is the geometric mean.
What lies beyond is drawn in the end colours, and its share is stated with the figure.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

QUANTILE = 0.995

RULE = (
    "The limit is the median, over the methods shown with corrected settings and of logarithms, of the 99.5 % quantile "
    "of the absolute values of all maps of a method."
)
"""The rule in words, for captions and sidecars."""

RULE_BY_ROW = "The maps of a row are divided by the 99.5 % quantile of their absolute values."
"""The same for rows that have a scale each."""


def symmetric_limit(maps: Sequence[npt.NDArray[np.floating]], quantile: float = QUANTILE) -> float:
    r"""Common limit :math:`b` of the colour scale :math:`[-b, b]` of several methods' maps.

    Parameters
    ----------
    maps
        One array per method, of any shape; all in the same unit.
    quantile
        Share of the absolute values of a method that its own limit must cover, in (0, 1].

    Returns
    -------
    float
        :math:`b = \exp \operatorname{median}_m \log Q_q(|R^{(m)}|)` over the methods :math:`m` whose quantile is
        not zero; if there is none, the largest absolute value, and 1 if that is zero as well.

    Raises
    ------
    ValueError
        If there is no map, a map is empty, or a value is not finite.
    """
    if not maps:
        raise ValueError("A colour scale needs at least one map.")
    absolute = [np.abs(np.asarray(values, dtype=np.float64)) for values in maps]
    for values in absolute:
        if values.size == 0 or not np.isfinite(values).all():
            raise ValueError("A colour scale needs maps that are not empty and hold finite values only.")
    quantiles = np.array([np.quantile(values, quantile) for values in absolute])
    if (quantiles > 0).any():
        return float(np.exp(np.median(np.log(quantiles[quantiles > 0]))))
    return max(float(values.max()) for values in absolute) or 1.0


def share_beyond(values: npt.NDArray[np.floating], limit: float) -> float:
    """Share of the values, in [0, 1], whose absolute value is larger than ``limit``."""
    return float(np.mean(np.abs(values) > limit))
