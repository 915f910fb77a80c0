"""The list of figures: the beginning of each caption, with its number."""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow_runs import REPOSITORY

from nn_interpretability.reporting.figure_list import beginning, listed, write_figure_list
from nn_interpretability.reporting.pdf import own_pages
from nn_interpretability.reporting.sources import mentions


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("Maps of ten digits. More words.", "Maps of ten digits"),
        ("LRP-0 and LRP-$\\gamma$ (the left panel)", "LRP-0 and LRP-$\\gamma$"),
        ("A formula $a. b$ stays\n whole; more", "A formula $a. b$ stays whole"),
        (
            "A digit of class~\\result{figure.fig20.label} turned: words",
            "A digit of class~\\result{figure.fig20.label} turned",
        ),
        ("\\textbf{Extra figure}\\quad What it shows.", "What it shows"),
    ],
)
def test_a_caption_begins_with_what_the_figure_shows(caption: str, words: str) -> None:
    assert beginning(caption) == words


def test_every_figure_of_the_report_is_listed_once() -> None:
    names = [name for name, _, _ in listed(REPOSITORY / "report")]
    assert len(names) == len(set(names))
    shown = {each.name for each in mentions(REPOSITORY / "report") if each.kind == "figure"}
    assert shown - set(names) == {"fig08_conv1"}  # the second drawing of Figure 8
    assert set(names) - shown == {"fig:14"}  # drawn in the text


def test_numbers_are_those_of_the_study_or_references(tmp_path: Path) -> None:
    (tmp_path / "main.tex").write_text(
        "\\studyfigurewith{fig08}{fig08_conv1}{8}{Both of them together.}\n"
        "\\appendixfigure[t]{more}{One more, with a brace \\{ in it.}\n"
        "\\extrafigure{extra}{Something without number.}\n"
        "\\begin{figure}\\caption{Drawn in the text.}\\label{fig:14}\\end{figure}\n",
        encoding="utf-8",
    )
    assert [(name, number) for name, number, _ in listed(tmp_path)] == [
        ("fig08", "8"),
        ("more", "\\ref{fig:more}"),
        ("extra", "--"),
        ("fig:14", "\\ref{fig:14}"),
    ]
    write_figure_list(tmp_path)
    text = (tmp_path / "figure_list.tex").read_text(encoding="utf-8")
    assert "\\listedfigure{\\hyperlink{figure:fig08}}{8}{Both of them together}{page:fig08}" in text
    assert "\\listedfigure{\\hyperref[fig:14]}{\\ref{fig:14}}{Drawn in the text}{fig:14}" in text


def test_a_configuration_s_own_figures_are_listed_once_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "main.tex").write_text("\\input{own_figures}\n", encoding="utf-8")
    assert list(listed(tmp_path)) == []
    (tmp_path / "own_figures.tex").write_text(own_pages({"mine": "Maps of birds. More."}), encoding="utf-8")
    assert list(listed(tmp_path)) == [("mine", "\\ref{fig:mine}", "Maps of birds")]
