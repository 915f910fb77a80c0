"""What a run has not computed is left out of the report, and the report says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow_runs import REPOSITORY

from nn_interpretability.reporting.leave_out import labels_of, leave_out, split
from nn_interpretability.reporting.sources import without_comments

MAIN = r"""\documentclass{article}
\input{numbers}
\begin{document}
\input{sections/one}
\input{sections/two}
\end{document}
"""

ONE = r"""\section{One}
\label{sec:one}

Stated: \result{a.there}. See \cref{fig:2,fig:3} and \cref{sec:two}; \Cref{fig:3} again.

Not stated: \result{a.gone}, and % a comment with a brace {
a formula
\begin{equation}
  x = 1

\end{equation}

\studyfigure{fig02}{2}{There}

\studyfigure{fig03}{3}{Gone: a caption with

an empty line}

\begin{table}
  \caption{Numbers}\label{tab:gone}
  \input{tables/gone}
\end{table}
"""

TWO = r"""\section{Two}
\label{sec:two}

Words about the data alone: \result{data.name}.

\subsection{Inner}

\renewcommand{\thefigure}{A\arabic{figure}}

\appendixfigure{more}{Gone}
"""

LEFT_OUT = {"number": ["a.gone"], "figure": ["fig03", "more"], "table": ["gone"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sections").mkdir()
    for name, text in {"main": MAIN, "sections/one": ONE, "sections/two": TWO}.items():
        (tmp_path / f"{name}.tex").write_text(text, encoding="utf-8")
    return tmp_path


def test_paragraphs_floats_and_sections_go_and_the_rest_stays(folder: Path) -> None:
    leave_out(folder, LEFT_OUT)
    one = (folder / "sections" / "one.tex").read_text(encoding="utf-8")
    assert "a.there" in one
    assert r"\studyfigure{fig02}" in one
    assert "a.gone" not in one
    assert "equation" not in one
    assert "empty line" not in one
    assert "table" not in one.replace(r"\cref", "")
    two = (folder / "sections" / "two.tex").read_text(encoding="utf-8")
    assert two.strip() == r"\renewcommand{\thefigure}{A\arabic{figure}}"
    assert (folder / "main.tex").read_text(encoding="utf-8") == MAIN


def test_references_to_what_is_gone_become_words(folder: Path) -> None:
    leave_out(folder, LEFT_OUT)
    one = (folder / "sections" / "one.tex").read_text(encoding="utf-8")
    assert r"See \cref{fig:2} {[Figure~3: left out]} and {[section: left out]}; {[Figure~3: left out]} again." in one


def test_the_report_says_what_is_left_out(folder: Path) -> None:
    leave_out(folder, LEFT_OUT)
    words = (folder / "left_out.tex").read_text(encoding="utf-8")
    assert "Whole sections: Two." in words
    assert r"\item One: a paragraph, Figure~3, a table." in words
    assert r"\renewcommand{\whencomplete}[1]{}" in words


def test_nothing_is_touched_where_all_is_there(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.tex")}
    leave_out(folder, {"number": [], "figure": [], "table": []})
    assert (folder / "left_out.tex").read_text(encoding="utf-8").startswith("%")
    (folder / "left_out.tex").unlink()
    assert {path: path.read_bytes() for path in folder.rglob("*.tex")} == before


@pytest.mark.parametrize("page", sorted((REPOSITORY / "report").rglob("*.tex")), ids=lambda path: path.stem)
def test_pieces_of_the_report_put_together_are_the_report(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    pieces = split(text)
    assert "".join(piece.text for piece in pieces) == text
    for piece in pieces:
        plain = without_comments(piece.text)
        balance = plain.count(r"\begin{") - plain.count(r"\end{")
        assert balance == 0 or page.name == "main.tex", piece.text


def test_figures_have_the_labels_that_their_macros_give_them() -> None:
    text = r"\studyfigurewith{fig08}{fig08_conv1}{8}{x}\studyfigure[t]{fig01}{1}{y}\appendixfigure{more}{z}"
    assert sorted(labels_of(text)) == ["fig:1", "fig:8", "fig:more"]
    assert labels_of(r"\begin{methodnote}{gradient}{Gradient}{see}") == ["note:gradient"]
