"""A comparison on a terminal: the largest differences, the tolerances, and a sentence."""

from __future__ import annotations

from collections import Counter

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from nn_interpretability.comparison.outcome import Outcome
from nn_interpretability.comparison.results import Comparison
from nn_interpretability.comparison.tolerances import TOLERANCES

__all__ = ["measured", "print_comparison", "summary"]

#: Rows shown of each kind; the page has them all.
ROWS = 15
_TITLES = {"array": "Arrays behind figures", "picture": "Pictures", "claim": "Claims", "number": "Numbers"}


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print what differs, by kind, the largest first, and by which tolerances."""
    console.print(f"A: {comparison.a}\nB: {comparison.b}", highlight=False, markup=False, soft_wrap=True)
    for kind, title in _TITLES.items():
        shown = [outcome for outcome in comparison.outcomes if outcome.kind == kind and not outcome.same]
        if shown:
            console.print(_table(title, shown[:ROWS]))
        if len(shown) > ROWS:
            console.print(f"and {len(shown) - ROWS} more; --html FILE lists all of them.\n", highlight=False)
    console.print("Tolerances:")
    used = {outcome.tolerance for outcome in comparison.outcomes}
    for tolerance in (each for each in TOLERANCES if each in used):
        words = f"{tolerance.name}: {tolerance.words}; {tolerance.reason}."
        console.print(Padding(escape(words), (0, 0, 0, 2)), highlight=False)
    console.print(summary(comparison), highlight=False, soft_wrap=True)


def summary(comparison: Comparison) -> str:
    """Say in a sentence whether two runs are the same, and how much was compared."""
    counted = Counter(outcome.kind for outcome in comparison.outcomes)
    differing = Counter(outcome.kind for outcome in comparison.outcomes if outcome.differs)
    parts = ", ".join(f"{differing[kind]} of {count} {kind}s" for kind, count in sorted(counted.items()))
    return f"The same within tolerance ({parts} differ)." if comparison.same else f"They differ: {parts}."


def measured(outcome: Outcome) -> tuple[str, str, str]:
    """Return the three measures as they are shown; a dash where there is none."""
    error = "–" if outcome.relative_error is None else f"{outcome.relative_error:.2g}"
    return error, _share(outcome.sign_agreement), _share(outcome.rank_correlation)


def _share(value: float | None) -> str:
    """Four digits, rounded towards zero: what is not quite 1 does not look like 1."""
    return "–" if value is None else f"{int(value * 1e4) / 1e4:.4f}"


def _table(title: str, outcomes: list[Outcome]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("differs", overflow="fold")
    for column in ("error", "signs", "ranks"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for outcome in outcomes:
        said = "; ".join(filter(None, [outcome.words, outcome.tolerance.words]))
        table.add_row(escape(outcome.title), *measured(outcome), escape(said))
    return table
