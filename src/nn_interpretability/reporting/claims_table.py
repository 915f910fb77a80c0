r"""The ledger of claims as a table: assertion, what was measured of it, verdict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from nn_interpretability.reporting.tex import escape, number
from nn_interpretability.study.numbers import printed

LedgerEntry = Mapping[str, Any]

_LEFT = r">{\raggedright"
_COLUMNS = (
    rf"@{{}}{_LEFT}}}p{{0.05\linewidth}}{_LEFT}}}p{{0.71\linewidth}}{_LEFT}\arraybackslash}}p{{0.16\linewidth}}@{{}}"
)
_HEAD = r"\toprule claim & assertion, and what was measured & verdict \\ \midrule"


def claims_table(ledger: Sequence[LedgerEntry]) -> str:
    r"""One row per claim, over several pages; the text defines ``\tabletitle``, caption and label.

    Parameters
    ----------
    ledger
        Entries of ``claims.json``.
    """
    rows = "\n".join(_row(each) for each in ledger)
    return (
        f"\\begin{{longtable}}{{{_COLUMNS}}}\n\\tabletitle\\\\\n{_HEAD}\n\\endfirsthead\n{_HEAD}\n\\endhead\n"
        f"\\bottomrule\n\\endfoot\n{rows}\n\\end{{longtable}}\n"
    )


def claim_lists(ledger: Sequence[LedgerEntry]) -> str:
    r"""Definitions for the text: what became of the claims of each section, and of those on each method.

    Parameters
    ----------
    ledger
        Entries of ``claims.json``; empty where the run decides none, and the text then says nothing of claims.
    """
    sections: dict[str, list[str]] = defaultdict(list)
    methods: dict[str, list[str]] = defaultdict(list)
    for claim in ledger:
        link = rf"\hyperlink{{claim:{claim['id']}}}{{claim~{_number(claim)}}}"
        said = escape(str(claim["statement"]).removesuffix("."))
        sections[claim["place"].partition(",")[0]].append(rf"{said} ({link}: \emph{{{escape(claim['verdict'])}}}).")
        for method in claim["methods"]:
            methods[method].append(rf"{link} (\emph{{{escape(claim['verdict'])}}})")
    lines = [rf"\DefineClaims{{{section}}}{{{' '.join(found)}}}" for section, found in sections.items()]
    lines += [rf"\DefineClaims{{{method}}}{{{', '.join(found)}}}" for method, found in methods.items()]
    return "\n".join(lines) + "\n"


def _number(claim: LedgerEntry) -> str:
    return str(claim["id"]).removeprefix("c").lstrip("0")


def _row(claim: LedgerEntry) -> str:
    name = rf"\hypertarget{{claim:{claim['id']}}}{{{_number(claim)}}}"
    said = [rf"{escape(claim['statement'])} {{\itshape ({escape(claim['place'])})}}"]
    said += [_condition(each) for each in claim["conditions"]]
    said += [escape(sentence) for sentence in (claim["note"], claim["reason"]) if sentence]
    verdict = rf"\textbf{{{escape(claim['verdict'])}}}"
    return " & ".join([name, r"\newline ".join(said), rf"{verdict}\newline {_sample(claim)}"]) + " \\\\\n\\addlinespace"


def _condition(condition: Mapping[str, Any]) -> str:
    low, high = condition["interval"]
    value = number(printed(float(condition["value"]), digits=2))
    if low != high:
        value += rf" [{number(printed(low, digits=2))}, {number(printed(high, digits=2))}]"
    bound = number(printed(float(condition["bound"]), digits=2))
    relation = "$>$" if condition["side"] == "above" else "$<$"
    return rf"{{\sffamily\scriptsize {escape(condition['words'])}: {value}; to be {relation} {bound}}}"


def _sample(claim: LedgerEntry) -> str:
    if claim["images"] is None:
        return ""
    p = "" if claim["p"] is None else rf", $p$ {_p_value(claim['p'])}"
    units = f"{number(str(claim['images']))} units, {_counted(claim['seeds'], 'seed')}"
    return rf"{{\sffamily\scriptsize {units}{p}; rule {escape(_commit(claim['rule_commit']))}}}"


def _commit(found: str) -> str:
    """The first digits of a commit; words as they are."""
    return found if " " in found or not any(letter.isdigit() for letter in found) else found[:7]


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _p_value(p: float) -> str:
    return "$<$ 0.001" if p < 0.001 else number(f"{p:.2g}")
