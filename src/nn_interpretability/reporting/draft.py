r"""The report from whatever a results folder holds, without running a job.

A missing figure is a grey box with its name, a missing number ``??``, a missing table a line that names it.  Auxiliary
files stay beside the draft, so that the next one is typeset in one pass.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nn_interpretability.reporting.figure_list import write_figure_list
from nn_interpretability.reporting.pdf import ReportError, explain, latexmk, require_latex
from nn_interpretability.reporting.sources import MAIN, Mention, mentions
from nn_interpretability.reporting.tables import DEFINITIONS
from nn_interpretability.reporting.tex import code, definitions
from nn_interpretability.storage.product import read_json

UNKNOWN = r"\textbf{??}"
_BOX = (431, 140)
"""Width of the text and height of a grey box, in points of a PDF."""


def draft(source: Path | str, results: Path | str, folder: Path | str) -> Path:
    """Typeset a draft.

    Parameters
    ----------
    source
        The report's TeX sources.
    results
        A results folder; it may be empty, or not exist.
    folder
        Where the draft and its auxiliary files go.

    Returns
    -------
    Path
        The PDF.

    Raises
    ------
    ConfigError
        If LaTeX is not installed, or the sources include a file that does not exist.
    ReportError
        If LaTeX fails.
    """
    require_latex()
    source, results, folder = Path(source), Path(results), Path(folder)
    named = mentions(source)
    shutil.copytree(source, folder, dirs_exist_ok=True)
    _write(folder / "numbers.tex", _numbers(results, named))
    _write(folder / "left_out.tex", "% A draft leaves nothing out.\n")
    _write(folder / "own_figures.tex", "% A draft shows the figures that the text names.\n")
    for kind, place in (("figure", "figures/{}.pdf"), ("table", "tables/{}.tex")):
        for name in {each.name for each in named if each.kind == kind}:
            _bring(results / place.format(name), results / "report" / place.format(name), folder / place.format(name))
    _write(folder / "tables" / "margin_links.tex", _margin_links(folder / "tables" / "margin_links.tex", named))
    write_figure_list(folder)
    finished = latexmk(folder)
    if finished.returncode != 0:
        raise ReportError(explain(folder, finished.stdout, folder / MAIN.replace(".tex", ".log")))
    return folder / MAIN.replace(".tex", ".pdf")


def _numbers(results: Path, named: list[Mention]) -> str:
    """Definitions of the numbers that are there, and question marks for the others."""
    known: dict[str, Mapping[str, Any]] = {}
    for part in sorted((results / "numbers").rglob("*.json")):
        known |= read_json(part)
    unknown = sorted({each.name for each in named if each.kind == "number"} - known.keys())
    return definitions(known) + "".join(f"\\DefineResult{{{key}}}{{{UNKNOWN}}}\n" for key in unknown)


def _bring(one: Path, other: Path, target: Path) -> None:
    """Copy a figure or table, or put something in its place that says that it is missing."""
    found = next((path for path in (one, other) if path.is_file()), None)
    target.parent.mkdir(parents=True, exist_ok=True)
    if found is not None:
        _write(target, found.read_bytes())
    elif target.suffix == ".pdf":
        _write(target, grey_box(target.stem))
    elif target.stem in DEFINITIONS:
        _write(target, f"% There is nothing yet.\n{DEFINITIONS[target.stem]}\n")
    else:
        _write(target, f"{{\\sffamily\\small [The table {code(target.stem)} is not there yet.]}}\n")


def _margin_links(file: Path, named: list[Mention]) -> str:
    """Those that are there, and one that says nothing for every other figure."""
    there = file.read_text(encoding="utf-8") if file.is_file() else ""
    there = there if r"\DefineMarginLink" in there else ""
    figures = sorted({each.name for each in named if each.kind == "figure"})
    missing = [name for name in figures if f"\\DefineMarginLink{{{name}}}" not in there]
    return there + "".join(f"\\DefineMarginLink{{{name}}}{{not drawn}}{{--}}\n" for name in missing)


def _write(path: Path, content: str | bytes) -> None:
    """Write a file, unless it says the same already: latexmk looks at what has changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode("utf-8") if isinstance(content, str) else content
    if not path.is_file() or path.read_bytes() != data:
        path.write_bytes(data)


def grey_box(name: str) -> bytes:
    """A PDF of one page, a grey box with a name in it."""
    width, height = _BOX
    words = name.replace("\\", "").replace("(", "").replace(")", "")
    drawing = f"0.85 g 0 0 {width} {height} re f 0.35 g BT /F 12 Tf 14 {height // 2 - 4} Td ({words}) Tj ET"
    font = "<< /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents 4 0 R /Resources {font} >>",
        f"<< /Length {len(drawing)} >>\nstream\n{drawing}\nendstream",
    ]
    text, places = "%PDF-1.5\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(text))
        text += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    return f"{text}{end}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(text)}\n%%EOF\n".encode(
        "ascii"
    )
