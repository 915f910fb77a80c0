"""What became of one thing that was compared."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nn_interpretability.comparison.tolerances import Tolerance

__all__ = ["Outcome", "most_different_first", "only_in"]


@dataclass(frozen=True)
class Outcome:
    """One array, picture, number or claim of two runs.

    Attributes
    ----------
    kind
        ``"array"``, ``"picture"``, ``"number"`` or ``"claim"``.
    group, name
        The figure, the claim or the file that it belongs to, and its own name.
    tolerance
        What it was compared by.
    same
        Whether it is within the tolerance.
    relative_error, sign_agreement, rank_correlation
        See :class:`nn_interpretability.comparison.measures.Likeness`; None where there is no such measure.
    words
        What the numbers do not say: one side lacks it, shapes differ, the two words.
    unlike
        Whether there is nothing to measure, because one side lacks it or shapes differ.
    """

    kind: str
    group: str
    name: str
    tolerance: Tolerance
    same: bool
    relative_error: float | None = None
    sign_agreement: float | None = None
    rank_correlation: float | None = None
    words: str = ""
    unlike: bool = False

    @property
    def title(self) -> str:
        """Its name, after that of its figure."""
        return f"{self.group}: {self.name}" if self.kind in {"array", "picture"} else self.name

    @property
    def differs(self) -> bool:
        """Whether it is a difference that counts."""
        return self.tolerance.counts and not self.same

    @property
    def size(self) -> float:
        """How large the difference is: an error; 1 for another word; infinite where there is nothing to measure."""
        if self.unlike:
            return math.inf
        return float(not self.same) if self.relative_error is None else self.relative_error


def only_in(side: str, kind: str, group: str, name: str, tolerance: Tolerance) -> Outcome:
    """A thing that one run lacks."""
    return Outcome(kind, group, name, tolerance, same=False, words=f"only in {side}", unlike=True)


def most_different_first(outcomes: list[Outcome]) -> list[Outcome]:
    """Sort: differences that count, then those to know of, then what is the same; the largest first in each."""
    return sorted(outcomes, key=lambda each: (not each.differs, each.same, -each.size, each.group, each.name))
