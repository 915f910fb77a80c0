"""A comparison as one HTML page that needs nothing but itself."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

from nn_interpretability.comparison.outcome import Outcome
from nn_interpretability.comparison.pictures import difference_map
from nn_interpretability.comparison.results import Comparison
from nn_interpretability.comparison.terminal import measured, summary
from nn_interpretability.comparison.tolerances import TOLERANCES

__all__ = ["page", "write_page"]

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 110rem; padding: 0 1rem; }
body { color: #1d2733; box-sizing: border-box; }
h1 { font-size: 1.5rem; }
h2 { font-size: 1.15rem; margin-top: 2.2rem; border-top: 1px solid #c8d0d8; padding-top: 1rem; }
table { border-collapse: collapse; margin: .8rem 0; }
th, td { padding: .2rem .7rem; text-align: left; overflow-wrap: anywhere; }
th { border-bottom: 1px solid #7a8794; } tr:nth-child(even) td { background: #f4f6f8; }
td.n { text-align: right; font-variant-numeric: tabular-nums; } .differs { color: #9c0a1e; } .same { color: #1d6b3a; }
.sides { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 1rem; align-items: start; }
figure { margin: 0; } img { width: 100%; border: 1px solid #d6dce2; } figcaption { color: #55616d; }
summary { cursor: pointer; color: #34506b; } .one img { width: 33%; }
"""
#: Rows of claims or numbers that are shown unasked.
FEW = 20
# Beside the promise, the browser's own guard: pictures inside the page, and nothing else, are loaded.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_page(comparison: Comparison, output: Path) -> None:
    """Write the page; see :func:`page`."""
    output.write_text(page(comparison), encoding="utf-8")


def page(comparison: Comparison) -> str:
    """Return the page: what differs most first, figures side by side with a map of their differences.

    Parameters
    ----------
    comparison
        Two results folders, of which the pictures are read again.

    Returns
    -------
    str
        HTML without scripts and without references to anything outside of it.
    """
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><link rel="icon" href="data:,">',
            f"<title>Comparison of two runs</title><style>{_STYLE}</style></head><body>",
            "<h1>Comparison of two runs</h1>",
            f"<p>A: {escape(str(comparison.a))}<br>B: {escape(str(comparison.b))}</p>",
            f'<p class="{"same" if comparison.same else "differs"}">{escape(summary(comparison))}</p>',
            *_tolerances(comparison),
            *_section(comparison, "claim", "Claims"),
            *_section(comparison, "number", "Numbers"),
            *(part for figure in comparison.figures() for part in _figure(comparison, figure)),
            "</body></html>\n",
        ]
    )


def _tolerances(comparison: Comparison) -> Iterator[str]:
    used = {outcome.tolerance for outcome in comparison.outcomes}
    yield "<details><summary>Tolerances</summary><table><tr><th>compared<th>by<th>because</tr>"
    for tolerance in (each for each in TOLERANCES if each in used):
        cells = (tolerance.name, tolerance.words, tolerance.reason)
        yield "<tr>" + "".join(f"<td>{escape(cell)}" for cell in cells) + "</tr>"
    yield "</table></details>"


def _section(comparison: Comparison, kind: str, title: str) -> Iterator[str]:
    outcomes = [outcome for outcome in comparison.outcomes if outcome.kind == kind]
    differing = [outcome for outcome in outcomes if not outcome.same]
    if outcomes:
        opened = "open" if len(differing) <= FEW else ""
        yield f"<h2>{title}</h2><details {opened}><summary>{len(differing)} of {len(outcomes)} differ</summary>"
        yield from _table(differing)
        yield "</details>"


def _figure(comparison: Comparison, figure: str) -> Iterator[str]:
    outcomes = [o for o in comparison.outcomes if o.group == figure and o.kind in ("array", "picture")]
    differing = [outcome for outcome in outcomes if not outcome.same]
    word = "differs" if any(outcome.differs for outcome in outcomes) else "same"
    yield f'<section id="{escape(figure)}"><h2>{escape(figure)}: <span class="{word}">{word}</span></h2>'
    a, b = (folder / "figures" / f"{figure}.png" for folder in (comparison.a, comparison.b))
    if differing:
        yield from _side_by_side(a, b)
        yield from _table(differing)
    elif a.is_file():
        yield f'<details class="one"><summary>The picture</summary>{_image(a.read_bytes(), "in both")}</details>'
    equal = [outcome for outcome in outcomes if outcome.same]
    if equal:
        yield f"<details><summary>{len(equal)} within tolerance</summary>"
        yield from _table(equal)
        yield "</details>"
    yield "</section>"


def _side_by_side(a: Path, b: Path) -> Iterator[str]:
    there = [path for path in (a, b) if path.is_file()]
    yield '<div class="sides">'
    for side, path in (("A", a), ("B", b)):
        yield _image(path.read_bytes(), side) if path in there else f"<p>{side} has no picture.</p>"
    if len(there) == 2:
        yield _image(difference_map(a, b), "difference: white where equal, dark red where largest")
    yield "</div>"


def _image(png: bytes, caption: str) -> str:
    source = f"data:image/png;base64,{b64encode(png).decode('ascii')}"
    return f'<figure><img src="{source}" alt="{escape(caption)}"><figcaption>{escape(caption)}</figcaption></figure>'


def _table(outcomes: Iterable[Outcome]) -> Iterator[str]:
    rows = list(outcomes)
    if rows:
        heads = ("of", "name", "relative error", "signs", "ranks", "tolerance", "")
        yield "<table><tr>" + "".join(f"<th>{head}" for head in heads) + "</tr>"
        for each in rows:
            names = "".join(f"<td>{escape(word)}" for word in (each.group, each.name))
            numbers = "".join(f'<td class="n">{number}' for number in measured(each))
            yield f"<tr>{names}{numbers}<td>{escape(each.tolerance.words)}<td>{escape(each.words)}</tr>"
        yield "</table>"
