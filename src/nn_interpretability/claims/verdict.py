"""Verdicts over all findings together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nn_interpretability.claims.finding import Finding
from nn_interpretability.claims.rules import NOT_SUPPORTED, SUPPORTED, UNDECIDED
from nn_interpretability.claims.statistics import holm

ALPHA = 0.05


@dataclass(frozen=True)
class Verdict:
    """A verdict, and the p-value, adjusted for the number of assertions, that it rests on (None for identities)."""

    word: str
    p: float | None


def verdicts(findings: Mapping[str, tuple[str, Finding]]) -> dict[str, Verdict]:
    """Decide assertions together.

    An assertion holds if all its conditions do, so the p-value for it is the largest of theirs (the intersection-union
    test); it fails if one of them fails, so the p-value against it is the smallest, times their number. Twice the
    smaller of both goes into Holm's correction over all sampled assertions. Identities have no sampling error and are
    not corrected.

    Parameters
    ----------
    findings
        Kind (``"sampled"`` or ``"identity"``) and finding of each assertion, by its id.
    """
    sampled = {name: _p_values(finding) for name, (kind, finding) in findings.items() if kind == "sampled"}
    adjusted = dict(zip(sampled, holm([min(1.0, 2 * min(p)) for p in sampled.values()]), strict=True))
    return {
        name: _sampled(sampled[name], float(adjusted[name])) if kind == "sampled" else _identity(finding)
        for name, (kind, finding) in findings.items()
    }


def _p_values(finding: Finding) -> tuple[float, float]:
    conditions = finding.conditions
    against = min(condition.p_against for condition in conditions) * len(conditions)
    return max(condition.p_for for condition in conditions), min(1.0, against)


def _sampled(p: tuple[float, float], adjusted: float) -> Verdict:
    if adjusted > ALPHA:
        return Verdict(UNDECIDED, adjusted)
    return Verdict(SUPPORTED if p[0] < p[1] else NOT_SUPPORTED, adjusted)


def _identity(finding: Finding) -> Verdict:
    holds = all(condition.p_for < ALPHA for condition in finding.conditions)
    return Verdict(SUPPORTED if holds else NOT_SUPPORTED, None)
