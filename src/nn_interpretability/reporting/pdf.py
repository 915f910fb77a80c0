r"""The report as PDF, by latexmk, the same bytes each time.

The sources and everything they include are copied to an empty folder under plain names and built there, so that
paths with spaces or letters beyond ASCII and the place of the checkout do not matter.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from nn_interpretability.errors import ConfigError
from nn_interpretability.reporting import auxiliary
from nn_interpretability.reporting.figure_list import write_figure_list
from nn_interpretability.reporting.leave_out import leave_out
from nn_interpretability.reporting.sources import MAIN
from nn_interpretability.reporting.tex import escape
from nn_interpretability.storage.product import verified, writing

LOGGER = logging.getLogger(__name__)

DEBIAN_PACKAGES = ("latexmk", "texlive-latex-recommended", "texlive-latex-extra", "texlive-science", "lmodern")

# Any fixed second serves: TeX prints no date in the report, but writes one into the file.
_EPOCH = "1593561600"

_COMMAND = ("latexmk", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "-file-line-error", MAIN)

_UNKNOWN_RESULT = re.compile(r"There is no result called '([^']+)'")


class ReportError(RuntimeError):
    """LaTeX refused the report; the message holds its errors."""


def require_latex() -> None:
    """Make sure that latexmk and LaTeX can be found; call it before computing anything.

    Raises
    ------
    ConfigError
        Naming the Debian packages, and the way without LaTeX.
    """
    missing = [program for program in ("latexmk", "pdflatex") if shutil.which(program) is None]
    if missing:
        raise ConfigError(
            f"The PDF report needs {' and '.join(missing)}. On Debian or Ubuntu:\n"
            f"    apt-get install --no-install-recommends {' '.join(DEBIAN_PACKAGES)}\n"
            "Without LaTeX, `make report-html` builds the HTML report from the same results."
        )


def build(
    source: Path | str,
    output: Path | str,
    *,
    inputs: Mapping[str, Path | str],
    left_out: Mapping[str, Sequence[str]] | None = None,
    own_figures: Mapping[str, str] | None = None,
    log: Path | str | None = None,
    kept: Path | str | None = None,
) -> None:
    """Typeset the report.

    Parameters
    ----------
    source
        Folder with ``main.tex`` and all that belongs to it; only read.
    output
        The PDF.
    inputs
        What the sources include, by its place in the folder of the build: ``"numbers.tex"``,
        ``"tables/conservation.tex"``, ``"figures/fig12.pdf"``.  All are products of the workflow.
    left_out
        What this run's configuration leaves out, by kind; see :mod:`nn_interpretability.reporting.leave_out`.
    own_figures
        Captions, in plain words, of figures of the configuration that the text does not show, by name.
    log
        Where to keep LaTeX's log; default: beside the PDF, with the suffix ``.log``.
    kept
        A file that keeps LaTeX's auxiliary files for the next build, which begins with them; see
        :mod:`nn_interpretability.reporting.auxiliary`.

    Raises
    ------
    ConfigError
        If LaTeX is not installed, or the sources have no ``main.tex``.
    BrokenProductError
        If an input is damaged.
    ReportError
        If LaTeX fails; the message holds its errors and the place of the log.
    """
    require_latex()
    source, output = Path(source), Path(output)
    log = Path(log) if log is not None else output.with_suffix(".log")
    if not (source / MAIN).is_file():
        raise ConfigError(f"{source} has no {MAIN}: give the folder with the report's sources.")
    with tempfile.TemporaryDirectory(prefix="report-") as name:
        folder = Path(name)
        _gather(source, inputs, folder)
        leave_out(folder, left_out or {})
        (folder / "own_figures.tex").write_text(own_pages(own_figures or {}), encoding="utf-8")
        write_figure_list(folder)
        finished = _typeset(folder, Path(kept) if kept is not None else None)
        _keep_log(folder, finished, log)
        if finished.returncode != 0:
            raise ReportError(explain(folder, finished.stdout, log))
        for place in too_wide(_last_run(folder)):
            LOGGER.warning("the report sticks out of its text: %s", place)
        with writing(output) as temporary:
            shutil.copyfile(folder / MAIN.replace(".tex", ".pdf"), temporary)


def _typeset(folder: Path, kept: Path | None) -> subprocess.CompletedProcess[str]:
    """Run latexmk from the auxiliary files of the last build, or from nothing where there are none that serve."""
    restored = kept is not None and auxiliary.restore(kept, folder)
    finished = latexmk(folder)
    if restored and finished.returncode != 0:  # they may name what the sources no longer define
        auxiliary.remove(folder)
        finished = latexmk(folder)
    if kept is not None and finished.returncode == 0:
        auxiliary.keep(folder, kept)
    return finished


def own_pages(captions: Mapping[str, str]) -> str:
    """An appendix that shows figures of which the text says nothing; empty without any."""
    if not captions:
        return "% None.\n"
    shown = (f"\\appendixfigure{{{name}}}{{{escape(caption)}}}\n" for name, caption in captions.items())
    return "\\section{Figures of this configuration}\n\\label{app:own}\n" + "\\FloatBarrier\n".join(shown)


def _gather(source: Path, inputs: Mapping[str, Path | str], folder: Path) -> None:
    shutil.copytree(source, folder, dirs_exist_ok=True)
    for place, path in inputs.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(verified(path), target)


def latexmk(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run latexmk in a folder with ``main.tex``; the outcome has all that it said."""
    settings = {
        "SOURCE_DATE_EPOCH": _EPOCH,
        "FORCE_SOURCE_DATE": "1",
        "max_print_line": "10000",  # messages are not broken in the middle of a word
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TEXINPUTS")}
    return subprocess.run(
        [*_COMMAND],
        cwd=folder,
        env={**environment, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def _last_run(folder: Path) -> str:
    log = folder / MAIN.replace(".tex", ".log")
    return log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""


def _keep_log(folder: Path, finished: subprocess.CompletedProcess[str], log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(f"{finished.stdout}\n{_last_run(folder)}", encoding="utf-8")


def errors_in(words: str) -> list[str]:
    """The errors in the output of LaTeX and BibTeX: each line that names one, with the line it points to."""
    lines = words.splitlines()
    found: list[str] = []
    for index, line in enumerate(lines):
        if re.match(r"(!|[^\s:]+:\d+:) ", line) and line not in found:
            found.append(line)
            found += [after for after in lines[index + 1 : index + 6] if re.match(r"l\.\d+ ", after)]
    return found


def too_wide(words: str, allowed: float = 2.0) -> list[str]:
    """Lines, tables and figures that stick out of the text in LaTeX's log, each with its file and lines.

    Parameters
    ----------
    words
        The log, its lines not broken.
    allowed
        Points that nobody sees.
    """
    found: list[str] = []
    files: list[str] = []
    in_message = False
    for line in words.splitlines():
        message = re.match(r"Overfull \\hbox \(([\d.]+)pt too wide\) (.*)", line)
        in_message = bool(message) or (in_message and bool(line.strip()))
        if message and float(message.group(1)) > allowed:
            place = next((file for file in reversed(files) if file), MAIN)
            found.append(f"{place}: {message.group(1)} pt too wide, {message.group(2)}")
        if not in_message:
            for bracket, file in re.findall(r"([()])(?:\./([^\s()]+))?", line):
                if bracket == "(":
                    files.append(file)
                elif files:
                    files.pop()
    return list(dict.fromkeys(found))


def explain(folder: Path, words: str, log: Path) -> str:
    """What LaTeX complains of, from what it said, and where its log is."""
    errors = errors_in(words) or words.splitlines()[-15:]
    message = ["LaTeX could not typeset the report:", *(f"    {line}" for line in errors)]
    keys = _UNKNOWN_RESULT.findall("\n".join(errors))
    numbers = folder / "numbers.tex"
    known = re.findall(r"\\DefineResult{([^}]*)}", numbers.read_text()) if numbers.is_file() else []
    for key in dict.fromkeys(keys):
        near = difflib.get_close_matches(key, known, n=3)
        if near:
            message.append(f"Did you mean {' or '.join(near)}?")
    message.append(f"LaTeX's own log: {log}")
    return "\n".join(message)
