r"""Whether a printed number is what is found today.

What was found is plain data, one of

==========================================  ==============================================================
``{"value": x}``                            of a deterministic computation
``{"hits": h, "draws": m}``                 so many of m random draws
``{"mean": x, "deviation": s, "draws": m}``  over m random draws
``{"samples": [x, ...]}``                   one for each seed
==========================================  ==============================================================

and becomes an interval in which a number printed in 2020 lies if it came from the same computation.  For counts and
means both sides are random: the interval is one for the *study's* draws, given ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from nn_interpretability.study.published import Value

REPRODUCED, NOT_REPRODUCED, NOT_RUN = "reproduced", "not reproduced", "not run"
LEVEL = 0.999
"""Of the intervals of counts and means: about 50 counts are compared, so that a lower one would fail by chance."""
QUANTILES = (0.025, 0.975)
"""Of the values of the seeds."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Found:
    """What was found, in the unit of the printed number.

    Attributes
    ----------
    value
        The number, the expected count, the mean, or the median of the seeds.
    low, high
        Ends of the interval; both are the value where nothing is random.
    """

    value: float
    low: float
    high: float


def found(value: Value, measured: Mapping[str, Any]) -> Found:
    """What was found, with its interval.

    Parameters
    ----------
    value
        The printed number.
    measured
        One of the forms above.
    """
    if "samples" in measured:
        return _of_samples(measured["samples"])
    if "hits" in measured:
        return _of_hits(value, measured["hits"], measured["draws"])
    if "mean" in measured:
        mean, draws = float(measured["mean"]), value.table.draws or measured["draws"]
        error = measured["deviation"] * math.sqrt(1 / draws + 1 / measured["draws"])
        reach = float(stats.norm.ppf((1 + LEVEL) / 2)) * error
        return Found(mean, mean - reach, mean + reach)
    number = float(measured["value"])
    return Found(number, number, number)


def judged(value: Value, result: Found) -> str:
    """Whether the printed number lies in the interval, or at most the tolerance beside it."""
    reach = value.tolerance + _ROUNDING
    return REPRODUCED if result.low - reach <= value.number <= result.high + reach else NOT_REPRODUCED


def _of_hits(value: Value, hits: int, draws: int) -> Found:
    """The beta-binomial distribution: of the study's count, given ours and Jeffreys' prior for the rate."""
    asked = value.table.draws or draws
    unit = 100 / asked if value.table.unit == "%" else 1
    low, high = stats.betabinom.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2], asked, hits + 0.5, draws - hits + 0.5)
    return Found(unit * asked * hits / draws, unit * float(low), unit * float(high))


def _of_samples(samples: list[float]) -> Found:
    """Median and quantiles, which are values that occurred, the outer ones: of few seeds, their range."""
    values = np.asarray(samples, dtype=np.float64)
    low = np.quantile(values, QUANTILES[0], method="lower")
    high = np.quantile(values, QUANTILES[1], method="higher")
    return Found(float(np.median(values)), float(low), float(high))
