"""Numbers of the report, verdicts, and other JSON, compared leaf by leaf."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nn_interpretability.comparison.measures import relative_errors
from nn_interpretability.comparison.outcome import Outcome, only_in
from nn_interpretability.comparison.tolerances import CLAIM, EXACT, NOTE, NUMBER, Tolerance

__all__ = ["compare_leaves", "leaves", "leaves_of_claims", "leaves_of_numbers"]

#: Below this the error of a number is a share of this.
LEAST = 0.01
Leaf = str | int | float | bool | None


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Leaf]]:
    """Yield every value in nested mappings and lists, with a dotted name."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, f"{name}[{place}]")
    else:
        yield name, value


def leaves_of_numbers(numbers: Mapping[str, Mapping[str, Any]]) -> dict[str, Leaf]:
    """Return the values of ``numbers.json`` by key; how they are printed follows from them."""
    return {key: entry["value"] for key, entry in numbers.items()}


def leaves_of_claims(claims: list[Mapping[str, Any]]) -> dict[str, Leaf]:
    """Return all that ``claims.json`` says, by ``ID.what``."""
    return {f"{claim['id']}.{name}": value for claim in claims for name, value in leaves(claim) if name != "id"}


def compare_leaves(
    kind: str,
    group: Callable[[str], str],
    a: Mapping[str, Leaf],
    b: Mapping[str, Leaf],
    *,
    sides: tuple[str, str] = ("A", "B"),
) -> list[Outcome]:
    """Compare named values of two runs.

    Parameters
    ----------
    kind
        What they are, for :class:`~nn_interpretability.comparison.outcome.Outcome`.
    group
        The group of a name.
    a, b
        Values by name.
    sides
        How the two runs are called in words.
    """
    outcomes = []
    for name in sorted(a.keys() | b.keys()):
        one, other = a.get(name), b.get(name)
        tolerance = _tolerance(kind, name, one, other)
        if name not in a or name not in b:
            outcomes.append(only_in(sides[name not in a], kind, group(name), name, tolerance))
        else:
            outcomes.append(_compare(kind, group(name), name, one, other, tolerance))
    return outcomes


def _compare(kind: str, group: str, name: str, one: Leaf, other: Leaf, tolerance: Tolerance) -> Outcome:
    words = f"{_said(one)} against {_said(other)}"
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        if not (math.isfinite(one) and math.isfinite(other)):
            return Outcome(kind, group, name, tolerance, same=False, words=words)
        error = float(relative_errors(one, other, least=LEAST))  # type: ignore[arg-type]
        same = error <= tolerance.relative_error
        return Outcome(kind, group, name, tolerance, same=same, relative_error=error, words="" if same else words)
    same = one == other
    return Outcome(kind, group, name, tolerance, same=same, words="" if same else words)


def _tolerance(kind: str, name: str, one: Leaf, other: Leaf) -> Tolerance:
    if name.startswith("run.") or name.endswith(".rule_commit"):
        return NOTE
    if isinstance(one, float) or isinstance(other, float):
        return NUMBER
    return CLAIM if kind == "claim" and isinstance(one, str) else EXACT


def _said(value: Leaf) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value)
