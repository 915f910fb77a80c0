"""A draft of the report comes from whatever is there, also from nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from workflow_runs import REPOSITORY

from nn_interpretability.plotting.style import figure_style
from nn_interpretability.reporting.draft import draft, grey_box
from nn_interpretability.storage.product import write_json

needs_latex = pytest.mark.skipif(shutil.which("latexmk") is None, reason="needs latexmk and LaTeX")

MAIN = r"""
\documentclass{article}
\usepackage{results}
\input{numbers}
\input{tables/margin_links}
\input{left_out}
\begin{document}
There \result{a.there}, not there \result{a.missing}.
\appendixfigure{drawn}{Words} \appendixfigure{missing_one}{Words}
\input{tables/evidence}
\end{document}
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "report"
    folder.mkdir()
    shutil.copy(REPOSITORY / "report" / "results.sty", folder)
    (folder / "main.tex").write_text(MAIN, encoding="utf-8")
    return folder


@needs_latex
def test_what_is_missing_is_a_box_or_question_marks(source: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_json(results / "numbers" / "part.json", {"a.there": {"value": 3, "text": "3", "unit": ""}})
    (results / "figures").mkdir()
    with figure_style():
        from matplotlib.figure import Figure

        Figure((2, 1)).savefig(results / "figures" / "drawn.pdf")
    pdf = draft(source, results, tmp_path / "draft")
    assert pdf.read_bytes().startswith(b"%PDF")
    folder = pdf.parent
    assert (folder / "figures" / "drawn.pdf").read_bytes() == (results / "figures" / "drawn.pdf").read_bytes()
    assert (folder / "figures" / "missing_one.pdf").read_bytes() == grey_box("missing_one")
    numbers = (folder / "numbers.tex").read_text(encoding="utf-8")
    assert r"\DefineResult{a.there}{\num{3}}" in numbers
    assert r"\DefineResult{a.missing}{\textbf{??}}" in numbers
    assert "is not there yet" in (folder / "tables" / "evidence.tex").read_text(encoding="utf-8")


@needs_latex
def test_the_whole_report_is_drafted_from_nothing_and_the_results_are_left_alone(tmp_path: Path) -> None:
    pdf = draft(REPOSITORY / "report", tmp_path / "nothing", tmp_path / "draft")
    assert pdf.stat().st_size > 100_000
    assert not (tmp_path / "nothing").exists()
