r"""What the TeX sources of the report name: numbers, figures and generated tables, each with its file and line.

Numbers stand in ``\result{key}``, figures in ``\studyfigure``, ``\studyfigurewith``, ``\extrafigure``,
``\appendixfigure``, ``\marginlink`` and ``\includegraphics{figures/...}``, tables in ``\input{tables/...}``.  Only
files that ``main.tex`` includes count: others are no pages.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from nn_interpretability.errors import ConfigError

MAIN = "main.tex"
GENERATED = ("numbers", "left_out", "own_figures", "figure_list")
"""Files that the workflow writes beside the tables."""

_OPTIONAL = r"(?:\[[^\]]*\])?"
_NAMED: dict[str, re.Pattern[str]] = {
    "number": re.compile(r"\\result\{(?P<a>[^}\\#]+)\}"),
    "figure": re.compile(
        rf"\\(?:studyfigurewith{_OPTIONAL}\{{(?P<a>[^}}\\#]+)\}}\{{(?P<b>[^}}\\#]+)\}}"
        rf"|(?:studyfigure|extrafigure|appendixfigure|marginlink){_OPTIONAL}\{{(?P<c>[^}}\\#]+)\}}"
        rf"|includegraphics{_OPTIONAL}\{{figures/(?P<d>[^}}\\#]+)\}})"
    ),
    "table": re.compile(r"\\input\{tables/(?P<a>[^}]+)\}"),
    "page": re.compile(r"\\(?:input|include)\{(?!tables/)(?P<a>[^}]+)\}"),
}


@dataclass(frozen=True)
class Mention:
    r"""One place where the text names something.

    Attributes
    ----------
    kind
        ``"number"``, ``"figure"``, ``"table"`` or ``"page"``.
    name
        The key of a number; the name of a figure, table, or file.
    file, line
        Where.
    """

    kind: str
    name: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def mentions_in(text: str, file: str = MAIN) -> Iterator[Mention]:
    """All that a piece of TeX names, comments left out."""
    plain = without_comments(text)
    for kind, pattern in _NAMED.items():
        for found in pattern.finditer(plain):
            line = plain.count("\n", 0, found.start()) + 1
            yield from (Mention(kind, name, file, line) for name in found.groupdict().values() if name)


def without_comments(text: str) -> str:
    """The text with comments blanked, every other character in its place."""
    return re.sub(r"(?<!\\)%[^\n]*", lambda found: " " * len(found.group()), text)


def pages(folder: Path | str, *, generated: bool = False) -> list[str]:
    """Files of the report in the order of the text: ``main.tex`` and what it includes, as paths below the folder.

    Parameters
    ----------
    folder
        The sources.
    generated
        Whether files that the workflow writes are among them, as far as they are there: while the PDF is built.

    Raises
    ------
    ConfigError
        If one of them does not exist.
    """
    waiting, found = [MAIN], []
    while waiting:
        page = waiting.pop(0)
        found.append(page)
        included = [each for each in mentions_in(_read(folder, page), page) if each.kind == "page"]
        for each in included:
            path = each.name if each.name.endswith(".tex") else f"{each.name}.tex"
            if each.name not in GENERATED and not Path(folder, path).is_file():
                raise ConfigError(f"{Path(folder, each.file)}:{each.line}: \\input{{{each.name}}}: there is no {path}.")
        read = [each.name for each in included if generated or each.name not in GENERATED]
        names = [f"{name.removesuffix('.tex')}.tex" for name in read]
        waiting = [name for name in names if Path(folder, name).is_file()] + waiting
    return found


def mentions(folder: Path | str) -> list[Mention]:
    """All that the report names, in the order of its pages."""
    return [each for page in pages(folder) for each in mentions_in(_read(folder, page), page)]


def nearest(name: str, known: Collection[str]) -> str:
    """The known name that is most like another one; empty if none is."""
    return next(iter(difflib.get_close_matches(name, known, n=1)), "")


def _read(folder: Path | str, page: str) -> str:
    return Path(folder, page).read_text(encoding="utf-8")
