"""The table of methods in the documentation, from the registry."""

from __future__ import annotations

from nn_interpretability.registry import METHODS

BEGIN = "<!-- The table is written by `make docs` from the registry. -->"
END = "<!-- End of the table. -->"
_HEAD = ("name", "class", "computes", "values", "sums to the score", "needs", "cost", "paper")


def methods_table() -> str:
    """All methods, in Markdown, in alphabetical order."""
    rows = [_HEAD, ("---",) * len(_HEAD)]
    for name, entry in sorted(METHODS.items()):
        words = (entry.summary, entry.values, entry.conserves, entry.needs, entry.cost, entry.paper)
        rows.append((f"`{name}`", f"`{entry.name}`", *words))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def with_methods_table(page: str) -> str:
    """A page with the table between its two marks written anew.

    Raises
    ------
    ValueError
        If the marks are not there.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The page has no {BEGIN!r} followed by {END!r}.")
    return f"{before}{BEGIN}\n\n{methods_table()}\n\n{END}{after}"
