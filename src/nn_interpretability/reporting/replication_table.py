r"""The table of every printed number: a heading for each place, a row for each number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nn_interpretability.reporting.tex import escape, number

Verdicts = Mapping[str, Any]

NONE = "--"
_COLUMNS = r"@{\quad}lr@{\hspace{1.5em}}rlrr@{}"
_HEAD = ("number", "printed", "their networks", "verdict", "test pictures", "networks here")
_FAILED = "not reproduced"
_NOT_RUN = "not run"


NO_NUMBERS: Verdicts = {"tables": {}, "numbers": []}
"""What there is where a run does not compare the printed numbers."""


def replication_table(verdicts: Verdicts) -> str:
    r"""A ``longtable`` of all numbers; the text defines ``\tabletitle``, caption and label.

    Parameters
    ----------
    verdicts
        Content of ``replication/verdicts.json``.
    """
    head = " & ".join(_HEAD) + r" \\"
    lines = [rf"\begin{{longtable}}{{{_COLUMNS}}}", r"\tabletitle\\"]
    lines += [r"\toprule", head, r"\midrule", r"\endfirsthead", r"\toprule", head, r"\midrule", r"\endhead"]
    names = dict.fromkeys(row["table"] for row in verdicts["numbers"])  # in the order of the list
    for place, name in enumerate(names):
        table = verdicts["tables"][name]
        rows = [row for row in verdicts["numbers"] if row["table"] == name]
        several = len({row["row"] for row in rows}) > 1
        lines += [r"\addlinespace"] if place else []
        lines.append(_heading(table) + r" \\*")
        alone = [row for row in rows if _is_compared(row)]
        lines += [" & ".join(_cells(row, several=several)) + r" \\" for row in alone]
        lines += _together([row for row in rows if not _is_compared(row)], several=several)
    return "\n".join([*lines, r"\bottomrule", r"\end{longtable}"]) + "\n"


def _is_compared(row: Mapping[str, Any]) -> bool:
    """Whether there is anything beside what was printed."""
    return row["verdict"] != _NOT_RUN or row["test"] is not None or row["replicated"] is not None


def _together(rows: Sequence[Mapping[str, Any]], *, several: bool) -> list[str]:
    """All that was printed and not run, in one paragraph: a row for each would be pages of dashes."""
    if not rows:
        return []
    printed = (f"{escape(_label(row, several=several))}: {_number(row['printed'])}" for row in rows)
    return [_paragraph(f"Not run: {'; '.join(printed)}.", indent=True) + r" \\"]


def _paragraph(words: str, *, indent: bool = False) -> str:
    """Words over all columns."""
    margin = r"@{\quad}" if indent else "@{}"
    width = r"p{\dimexpr\linewidth-2em\relax}" if indent else r"p{\dimexpr\linewidth-1em\relax}"
    return rf"\multicolumn{{6}}{{{margin}>{{\raggedright\arraybackslash}}{width}@{{}}}}{{{words}}}"


def _heading(table: Mapping[str, Any]) -> str:
    """Place, what the numbers are said to be, what they are, and how they are compared."""
    unit = f" ({table['unit']})" if table["unit"] else ""
    told = [f"{table['quantity']}{unit}", table["really"], _compared(table)]
    words = "; ".join(escape(part) for part in told if part)
    return _paragraph(rf"\textbf{{{escape(table['place'])}}}: {words}.")


def _compared(table: Mapping[str, Any]) -> str:
    if table["reason"]:
        return f"not run: {table['reason']}"
    words = table["kind"]
    if table["tolerance"] is not None:
        words += f", tolerance {table['tolerance']:.10f}".rstrip("0")
    return f"{words} ({table['why']})"


def _cells(row: Mapping[str, Any], *, several: bool) -> list[str]:
    decimals = len(row["printed"].partition(".")[2])
    verdict = {_FAILED: r"\textbf{not reproduced}"}.get(row["verdict"], escape(row["verdict"]))
    return [
        escape(_label(row, several=several)),
        _number(row["printed"]),
        _interval(row["reproduced"], decimals),
        verdict,
        NONE if row["test"] is None else _fixed(row["test"], decimals),
        _interval(row["replicated"], decimals),
    ]


def _label(row: Mapping[str, Any], *, several: bool) -> str:
    """Names of the row and of the column, as far as it has them."""
    name, column = str(row["row"]).replace("_", " "), str(row["column"])
    return (name + (", " if several and column else " ") + column).strip()


def _interval(found: Mapping[str, float] | None, decimals: int) -> str:
    if found is None:
        return NONE
    value, low, high = (_fixed(found[key], decimals) for key in ("value", "low", "high"))
    return value if found["low"] == found["high"] else f"{value} [{low}, {high}]"


def _fixed(value: float, decimals: int) -> str:
    return number(f"{round(value, decimals) + 0.0:.{decimals}f}")


def _number(printed: str) -> str:
    return number(f"0{printed}" if printed.startswith(".") else printed)
