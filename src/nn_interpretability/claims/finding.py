"""What a rule finds in measurements: conditions, each with an estimate on one side of a bound or on the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nn_interpretability.claims.statistics import Estimate


@dataclass(frozen=True)
class Condition:
    """One thing that must hold.

    Attributes
    ----------
    words
        What is compared, such as ``"total variation, SmoothGrad less gradient"``.
    value, interval
        Estimate and 95 % interval; an identity has the largest error found, twice.
    side, bound
        ``"above"`` or ``"below"`` what.
    p_for, p_against
        One-sided p-values: how easily chance alone would show it, although it does not hold; and although it does.
    """

    words: str
    value: float
    interval: tuple[float, float]
    side: str
    bound: float
    p_for: float
    p_against: float


@dataclass(frozen=True)
class Finding:
    """What was found of one assertion.

    Attributes
    ----------
    conditions
        All must hold for the assertion to hold. The first gives the value and interval of the ledger.
    images, seeds
        How many pictures (or other units) and training seeds there were.
    numbers
        Further numbers for the report, by name; no NaN.
    note
        A sentence of what else was seen; empty if there is nothing to add.
    """

    conditions: Sequence[Condition]
    images: int
    seeds: int
    numbers: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


def above(words: str, found: Estimate, bound: float) -> Condition:
    """The condition that an estimate lies above a bound."""
    return Condition(words, found.value, found.interval, "above", bound, found.p_above(bound), found.p_below(bound))


def below(words: str, found: Estimate, bound: float) -> Condition:
    """The condition that an estimate lies below a bound."""
    return Condition(words, found.value, found.interval, "below", bound, found.p_below(bound), found.p_above(bound))


def equivalent(words: str, found: Estimate, margin: float, centre: float = 0.0) -> tuple[Condition, Condition]:
    """Two one-sided conditions (TOST, Schuirmann 1987): the estimate is within ``margin`` of ``centre``."""
    return (
        above(f"{words}, not less", found, centre - margin),
        below(f"{words}, not more", found, centre + margin),
    )


def identity(words: str, error: float, tolerance: float) -> Condition:
    """The condition that an error is rounding, below ``tolerance``: it holds or it does not."""
    holds = error < tolerance
    return Condition(words, error, (error, error), "below", tolerance, 0.0 if holds else 1.0, 1.0 if holds else 0.0)


def fact(words: str, value: float, bound: float, side: str = "below") -> Condition:
    """The condition that a number that has no sampling error lies on one side of a bound."""
    holds = value < bound if side == "below" else value > bound
    return Condition(words, value, (value, value), side, bound, 0.0 if holds else 1.0, 1.0 if holds else 0.0)
