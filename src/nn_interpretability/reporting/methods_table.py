"""The table of methods in the documentation, from the registry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nn_interpretability.registry import METHODS

BEGIN = "<!-- The table is written by `make docs` from the registry. -->"
END = "<!-- End of the table. -->"
_HEAD = ("name", "class", "computes", "values", "sums to the score", "needs", "cost", "paper")


def methods_table() -> str:
    """All methods, in Markdown, in alphabetical order."""
    rows = []
    for name, entry in sorted(METHODS.items()):
        words = (entry.summary, entry.values, entry.conserves, entry.needs, entry.cost, entry.paper)
        rows.append((f"`{name}`", f"`{entry.name}`", *words))
    return markdown_table(_HEAD, rows)


def with_methods_table(page: str) -> str:
    """A page with the table between its two marks written anew.

    Raises
    ------
    ValueError
        If the marks are not there.
    """
    return with_table(page, methods_table(), BEGIN)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))


def with_table(page: str, table: str, begin: str) -> str:
    """A page with a table written anew between a mark that begins it and :data:`END`.

    Raises
    ------
    ValueError
        If the marks are not there.
    """
    before, mark, rest = page.partition(begin)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"The page has no {begin!r} followed by {END!r}.")
    return f"{before}{begin}\n\n{table}\n\n{END}{after}"
