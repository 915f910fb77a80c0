"""The table of metrics in the documentation, from their registry."""

from __future__ import annotations

from nn_interpretability.metrics.registry import METRICS
from nn_interpretability.reporting.methods_table import markdown_table, with_table

BEGIN = "<!-- The table is written by `make docs` from the registry of metrics. -->"
_HEAD = ("name", "measures", "better", "values", "forward passes", "paper")


def metrics_table() -> str:
    """All metrics, in Markdown: those that ask the model first, then those of maps, then those of two maps."""
    rows = [
        (f"`{name}`", entry.measures, entry.better, entry.values, entry.cost, entry.paper)
        for name, entry in METRICS.items()
    ]
    return markdown_table(_HEAD, rows)


def with_metrics_table(page: str) -> str:
    """A page with the table between its two marks written anew.

    Raises
    ------
    ValueError
        If the marks are not there.
    """
    return with_table(page, metrics_table(), BEGIN)
