"""How far apart two results may be and still count as the same, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CLAIM", "EXACT", "FLOAT", "NOTE", "NUMBER", "PICTURE", "TOLERANCES", "Tolerance"]


@dataclass(frozen=True)
class Tolerance:
    """What two values must have in common.

    Attributes
    ----------
    name
        What is compared in this way.
    relative_error
        The largest error allowed, as a share of the largest magnitude; see
        :func:`nn_interpretability.comparison.measures.likeness`.
    sign_agreement
        The least share of values of one sign, among those that are no rounding error on either side.
    rank_correlation
        The least rank correlation (Spearman).
    reason
        Why these values.
    counts
        Whether a difference is one at all, or only a thing to know.
    """

    name: str
    relative_error: float
    sign_agreement: float
    rank_correlation: float
    reason: str
    counts: bool = True

    @property
    def words(self) -> str:
        """The bounds in a few words."""
        if not self.counts:
            return "free"
        if self.relative_error == 0:
            return "exact"
        bounds = [f"error ≤ {self.relative_error:.2g}"]
        bounds += [f"signs ≥ {self.sign_agreement:g}"] if self.sign_agreement > 0 else []
        bounds += [f"ranks ≥ {self.rank_correlation:g}"] if self.rank_correlation > -1 else []
        return ", ".join(bounds)


EXACT = Tolerance("integers, booleans and words", 0.0, 1.0, 1.0, "counts, labels and words have no rounding error")
FLOAT = Tolerance(
    "arrays of floating-point numbers", 1e-4, 1.0, 0.99,
    "the same network on another processor adds the same products in another order: single precision keeps seven "
    "digits, and the sums of some ten layers lose up to three; ranks of values that close may change places",
)  # fmt: skip
NUMBER = Tolerance(
    "numbers of the report", 1e-4, 0.0, -1.0,
    "as for arrays, from which they come; below 0.01 the error is a share of 0.01, since a number may itself be a "
    "rounding error, such as the gap of a sum that should be zero",
)  # fmt: skip
CLAIM = Tolerance("verdicts and words of claims", 0.0, 1.0, 1.0, "a verdict is one of a few words")
PICTURE = Tolerance(
    "drawn figures", 0.3 / 255, 0.0, -1.0,
    "root mean square of grey levels, as a share of 255: a letter more or less gives 1.6 levels, the edges of letters "
    "smoothed by another version of the font library less than 0.3",
)  # fmt: skip
NOTE = Tolerance("what made a run", 0.0, 0.0, -1.0, "commit, versions and processor are no results", counts=False)

#: All of them, in the order in which they are explained.
TOLERANCES = (FLOAT, EXACT, PICTURE, NUMBER, CLAIM, NOTE)
