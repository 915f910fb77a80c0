r"""The list of figures, from the sources of the report: the beginning of each caption, with its number and its page.

LaTeX's own list would need a second, short caption for each figure; a caption here begins with what the figure shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from nn_interpretability.errors import DataError
from nn_interpretability.reporting.sources import pages, without_comments

_MACROS = {"studyfigurewith": 4, "studyfigure": 3, "appendixfigure": 2, "extrafigure": 2}
_BEGIN = re.compile(
    r"\\(studyfigurewith|studyfigure|appendixfigure|extrafigure)(?:\[[^\]]*\])?(?=\{)|\\begin\{figure\*?\}"
)
_ENDS = (". ", ": ", "; ", " (", ", as in ", ".\n")
_SHORTEST = 12


def write_figure_list(folder: Path | str) -> None:
    r"""Write ``figure_list.tex`` beside the sources: ``\listedfigure{link}{number}{words}{label}`` for each."""
    lines = [
        f"\\listedfigure{{{link(name)}}}{{{number}}}{{{words}}}{{{page(name)}}}"
        for name, number, words in listed(folder)
    ]
    body = "\\begin{figurelist}\n" + "\n".join(lines) + "\n\\end{figurelist}\n" if lines else "% No figures.\n"
    Path(folder, "figure_list.tex").write_text(body, encoding="utf-8")


def link(name: str) -> str:
    r"""A link to a figure: to its note in the margin, or to its label."""
    return f"\\hyperref[{name}]" if ":" in name else f"\\hyperlink{{figure:{name}}}"


def page(name: str) -> str:
    """The label on the page of a figure."""
    return name if ":" in name else f"page:{name}"


def listed(folder: Path | str) -> Iterator[tuple[str, str, str]]:
    """File (or label, without one), number (in TeX) and first words of the caption of each figure."""
    for each in pages(folder, generated=True):
        text = without_comments(Path(folder, each).read_text(encoding="utf-8"))
        for found in _BEGIN.finditer(text):
            macro = found.group(1)
            if macro:
                arguments = list(_arguments(text, found.end(), _MACROS[macro]))
                name, caption = arguments[0], arguments[-1]
                numbers = {"appendixfigure": f"\\ref{{fig:{name}}}", "extrafigure": "--"}
                yield name, numbers.get(macro, arguments[-2]), beginning(caption)
            else:
                yield from _float(text[found.start() : text.index("\\end{figure", found.end())])


def _float(text: str) -> Iterator[tuple[str, str, str]]:
    """A figure that the text puts together itself."""
    name, caption = re.search(r"\\marginlink\{([^}]+)\}", text), re.search(r"\\caption\*?(?=\{)", text)
    label = re.search(r"\\label\{([^}]+)\}", text)
    known = name or label
    if known and caption:
        (words,) = _arguments(text, caption.end(), 1)
        yield known.group(1), f"\\ref{{{label.group(1)}}}" if label else "--", beginning(words)


def _arguments(text: str, place: int, count: int) -> Iterator[str]:
    """Arguments in braces, one after the other."""
    for _ in range(count):
        start = text.index("{", place)
        end = _partner(text, start)
        yield text[start + 1 : end]
        place = end + 1


def _partner(text: str, start: int) -> int:
    """Place of the brace that closes the one at a place."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0) if text[place - 1] != "\\" else 0
        if depth == 0:
            return place
    raise DataError(f"A brace is not closed: {text[start : start + 60]!r}.")


def beginning(caption: str) -> str:
    """What a caption says first: up to the end of a sentence or a bracket, outside of formulas and arguments."""
    words = re.sub(r"^\\textbf\{[^}]*\}\s*(\\quad\s*)?", "", re.sub(r"\s+", " ", caption).strip())
    depth, formula = 0, False
    for place, letter in enumerate(words):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        formula ^= letter == "$"
        if depth == 0 and not formula and place >= _SHORTEST and words.startswith(_ENDS, place):
            return words[:place]
    return words.rstrip(".")
