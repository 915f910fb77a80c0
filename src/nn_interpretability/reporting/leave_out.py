r"""Leave out of the report what a run has not computed.

The rule is the same everywhere, and the sources need no marks for it: a paragraph, float or table that states a number,
or shows a figure or table, that this run's configuration leaves out is left out, too.  A section that lost something
and of which no result remains is left out as a whole.  References to what is gone become words, and the macro
``\leftout``, which the front page prints, says section by section what it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nn_interpretability.reporting.sources import GENERATED, MAIN, mentions_in, without_comments

_HEADING = re.compile(r"\\(section|subsection|subsubsection)\*?(?:\[[^\]]*\])?\{")
_LEVEL = {"section": 1, "subsection": 2, "subsubsection": 3}
_SETUP = re.compile(
    r"\s*(\\(renewcommand|newcommand|providecommand|setcounter|setlength|FloatBarrier|clearpage|appendix)\b|$)"
)
_FLOAT = re.compile(
    r"\\(studyfigure|studyfigurewith|extrafigure|appendixfigure)\b|\\begin\{(figure|table|algorithm)\*?\}"
)
_PAGE = re.compile(r"\s*\\input\{(?!tables/)([^}]+)\}\s*$")
_LABEL = re.compile(r"\\label\{([^}]+)\}")
_STUDY_LABEL = re.compile(r"\\studyfigure(?:with)?(?:\[[^\]]*\])?\{[^}]*\}(?:\{[^}0-9]+[^}]*\})?\{(\d+)\}")
_NAMED_LABEL = re.compile(r"\\appendixfigure(?:\[[^\]]*\])?\{([^}]+)\}")
_NOTE_LABEL = re.compile(r"\\begin\{methodnote\}\{([^}#]+)\}")
_REFERENCE = re.compile(r"\\([cC]ref|ref|eqref)\{([^}]+)\}")
_ALWAYS = ("data.", "run.")
"""Numbers that every run has; a text that states no others is about no result."""
_WORDS = {
    "fig": "figure",
    "tab": "table",
    "eq": "equation",
    "alg": "algorithm",
    "sec": "section",
    "app": "appendix",
    "note": "note",
}


@dataclass
class _Piece:
    """A heading, a paragraph, a float, or a line that includes another page."""

    text: str
    file: str = ""
    level: int = 0
    page: str = ""
    gone: bool = False

    @property
    def is_setup(self) -> bool:
        return all(_SETUP.match(line) for line in without_comments(self.text).splitlines())

    @property
    def title(self) -> str:
        found = _HEADING.search(self.text)
        return _argument(self.text, found.end() - 1) if found else ""


def leave_out(folder: Path | str, left_out: Mapping[str, Sequence[str]]) -> None:
    r"""Change the sources of a report in place, and write ``left_out.tex`` beside them.

    Parameters
    ----------
    folder
        A copy of the report's sources.
    left_out
        Names by kind (``number``, ``figure``, ``table``), from :class:`nn_interpretability.config.report.Fit`.
    """
    folder = Path(folder)
    gone = {(kind, name) for kind, names in left_out.items() for name in names}
    wholly: list[str] = []
    partly: dict[str, list[str]] = {}
    if gone:
        pieces = list(_pieces(folder, MAIN))
        for piece in pieces:
            piece.gone = any((each.kind, each.name) in gone for each in mentions_in(piece.text))
        lost = _by_section(pieces)
        wholly = _drop_empty_sections(pieces)
        standing = {piece.title for piece in pieces if piece.level and not piece.gone} | {""}
        partly = {title: things for title, things in lost.items() if title in standing}
        labels = {label for piece in pieces if piece.gone for label in labels_of(piece.text)}
        for file in dict.fromkeys(piece.file for piece in pieces):
            kept = "".join(piece.text for piece in pieces if piece.file == file and not piece.gone)
            (folder / file).write_text(_with_words(kept, labels), encoding="utf-8")
    (folder / "left_out.tex").write_text(_list(wholly, partly), encoding="utf-8")


def _pieces(folder: Path, page: str) -> Iterator[_Piece]:
    """Pieces of a page and of those that it includes, in the order of the text."""
    for piece in split((folder / page).read_text(encoding="utf-8")):
        piece.file = page
        yield piece
        if piece.page and piece.page not in GENERATED:
            yield from _pieces(folder, piece.page if piece.page.endswith(".tex") else f"{piece.page}.tex")


def _by_section(pieces: Sequence[_Piece]) -> dict[str, list[str]]:
    """What goes, in words, by the title of the section it stands in."""
    found: dict[str, list[str]] = {}
    title = ""
    for piece in pieces:
        title = piece.title or title
        if piece.gone and not piece.level:
            found.setdefault(title, []).append(_what(piece))
    return found


def _what(piece: _Piece) -> str:
    number = _STUDY_LABEL.search(piece.text)
    floats = _FLOAT.search(without_comments(piece.text))
    if number:
        return f"Figure~{number.group(1)}"
    if floats and "figure" in floats.group():
        return "a figure"
    is_table = (floats and "table" in floats.group()) or r"\input{tables/" in piece.text
    return "a table" if is_table else "a paragraph"


def _drop_empty_sections(pieces: Sequence[_Piece]) -> list[str]:
    """Drop the sections that lost something and in which no result remains; their titles, outermost ones alone."""
    titles: dict[int, str] = {}
    for place, heading in reversed(list(enumerate(pieces))):
        after = range(place + 1, len(pieces))
        end = next((at for at in after if 0 < pieces[at].level <= heading.level), len(pieces))
        inside = pieces[place + 1 : end]
        kept = [each for each in inside if not each.gone]
        if not heading.level or len(kept) == len(inside) or any(_has_results(each.text) for each in kept):
            continue
        for each in (each for each in [heading, *kept] if each.file != MAIN):  # that has the frame of the document
            each.gone = not each.is_setup and not each.page
        titles = {place: heading.title} | {at: title for at, title in titles.items() if at >= end}
    return [titles[place] for place in sorted(titles)]


def _has_results(text: str) -> bool:
    results = (each for each in mentions_in(text) if each.kind != "page")
    return any(each.kind != "number" or not each.name.startswith(_ALWAYS) for each in results)


def split(text: str) -> list[_Piece]:
    """Pieces of a page; joined, they are the page."""
    pieces: list[_Piece] = []
    current: list[str] = []
    depth = 0

    def close() -> None:
        if current:
            pieces.append(_Piece("".join(current)))
            current.clear()

    for line, plain in zip(text.splitlines(True), without_comments(text).splitlines(True), strict=True):
        heading, page = _HEADING.match(plain), _PAGE.match(plain)
        if depth == 0 and (heading or page or _FLOAT.match(plain.lstrip())):
            close()
        current.append(line)
        depth += _opened(plain)
        if depth == 0 and page:
            close()
            pieces[-1].page = page.group(1)
        elif depth == 0 and heading:
            close()
            pieces[-1].level = _LEVEL[heading.group(1)]
        elif depth == 0 and pieces and not heading and _is_label_of(pieces[-1], plain, current):
            pieces[-1].text += current.pop()
        elif depth == 0 and not plain.strip():
            close()
    close()
    return pieces


def _is_label_of(piece: _Piece, plain: str, current: list[str]) -> bool:
    """Whether a line is the label, or an empty line, right below a heading."""
    return bool(piece.level) and len(current) == 1 and bool(re.fullmatch(r"\s*(\\label\{[^}]+\}\s*)?", plain))


def _opened(plain: str) -> int:
    """How many environments and braces a line opens more than it closes; the document itself does not count."""
    plain = re.sub(r"\\(begin|end)\{document\}|\\[{}]", "", plain)
    environments = len(re.findall(r"\\begin\{", plain)) - len(re.findall(r"\\end\{", plain))
    return environments + plain.count("{") - plain.count("}")


def labels_of(text: str) -> list[str]:
    """Labels that a piece of the text defines, also by the macros of figures."""
    plain = without_comments(text)
    figures = [f"fig:{name}" for pattern in (_STUDY_LABEL, _NAMED_LABEL) for name in pattern.findall(plain)]
    notes = [f"note:{name}" for name in _NOTE_LABEL.findall(plain)]
    return [*figures, *notes, *_LABEL.findall(plain)]


def _with_words(text: str, labels: set[str]) -> str:
    """References to labels that are gone, as words in brackets."""

    def worded(found: re.Match[str]) -> str:
        command, names = found.group(1), [name.strip() for name in found.group(2).split(",")]
        kept = [name for name in names if name not in labels]
        if len(kept) == len(names):
            return found.group()
        words = " and ".join(dict.fromkeys(_word(name) for name in names if name in labels))
        return (
            f"\\{command}{{{','.join(kept)}}} " if kept else ""
        ) + f"{{[{words}: left out]}}"  # at the start of a row, bare brackets would be an option

    return _REFERENCE.sub(worded, text)


def _word(label: str) -> str:
    kind, _, name = label.partition(":")
    return f"Figure~{name}" if kind == "fig" and name.isdecimal() else _WORDS.get(kind, "part")


def _list(wholly: Sequence[str], partly: Mapping[str, Sequence[str]]) -> str:
    r"""Definition of ``\leftout``; none where all is there."""
    if not wholly and not partly:
        return "% Nothing is left out.\n"
    sections = f"Whole sections: {'; '.join(wholly)}.\n" if wholly else ""
    items = [f"\\item {title or 'Front page'}: {_counted(things)}." for title, things in partly.items()]
    listed = "\\begin{itemize}\n" + "\n".join(items) + "\n\\end{itemize}\n" if items else ""
    body = f"\\leftoutlist{{%\n{sections}{listed}}}"
    return f"\\renewcommand{{\\whencomplete}}[1]{{}}\n\\renewcommand{{\\leftout}}{{{body}}}\n"


def _counted(things: Sequence[str]) -> str:
    """Words for things, the same ones counted: ``2 paragraphs, Figure 7``."""
    counts = {thing: things.count(thing) for thing in dict.fromkeys(things)}
    return ", ".join(thing if count == 1 else f"{count} {thing[2:]}s" for thing, count in counts.items())


def _argument(text: str, start: int) -> str:
    """What stands between the brace at a place and its partner."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[start + 1 : place]
    return text[start + 1 :]
