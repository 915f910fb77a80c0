"""The report: the same bytes each time, from any place, and clear words when something is wrong."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from figures.results import REPOSITORY, Results, copied

from nn_interpretability.config.files import merged
from nn_interpretability.config.report import fit
from nn_interpretability.config.validate import checked
from nn_interpretability.errors import BrokenProductError, ConfigError
from nn_interpretability.reporting import pdf
from nn_interpretability.storage.product import read_json, write_text

needs_latex = pytest.mark.skipif(shutil.which("latexmk") is None, reason="needs latexmk and LaTeX")

MAIN = r"""
\ifdefined\pdftrailerid \pdftrailerid{}\fi
\ifdefined\pdfsuppressptexinfo \pdfsuppressptexinfo=-1 \fi
\documentclass{article}
\usepackage{results}
\input{numbers}
\begin{document}
%s
\end{document}
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "sources with spaces, Größe"
    folder.mkdir()
    shutil.copy(REPOSITORY / "report/results.sty", folder)
    (folder / "main.tex").write_text(MAIN % r"Accuracy \result{model.cnn.accuracy}.")
    return folder


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Path]:
    path = tmp_path / "pro dukte, ß" / "n.tex"
    write_text(path, "\\DefineResult{model.cnn.accuracy}{\\qty{99.12}{\\percent}}\n")
    return {"numbers.tex": path}


@pytest.fixture(scope="module")
def results(made_up_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    return copied(made_up_results, tmp_path_factory.mktemp("report"))


@needs_latex
def test_the_bytes_do_not_depend_on_place_or_time(source: Path, inputs: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "elsewhere")
    pdf.build(source, tmp_path / "eins/ü.pdf", inputs=inputs)
    pdf.build(tmp_path / "elsewhere", tmp_path / "two.pdf", inputs=inputs)

    first = (tmp_path / "eins/ü.pdf").read_bytes()
    assert first.startswith(b"%PDF")
    assert first == (tmp_path / "two.pdf").read_bytes()
    assert sorted(path.name for path in source.iterdir()) == ["main.tex", "results.sty"]


REFERRING = MAIN % r"\section{One}\label{one} Section~\ref{one}, \result{model.cnn.accuracy}."


def runs(log: Path) -> int:
    """Count the runs of LaTeX in a build."""
    return log.read_text(encoding="utf-8").count("Run number")


@needs_latex
def test_a_build_begins_where_the_last_one_ended(source: Path, inputs: dict[str, Path], tmp_path: Path) -> None:
    (source / "main.tex").write_text(REFERRING)
    kept = tmp_path / "kept.json"
    for name in ("scratch", "again"):
        pdf.build(source, tmp_path / f"{name}.pdf", inputs=inputs, kept=kept)
    assert (runs(tmp_path / "scratch.log"), runs(tmp_path / "again.log")) == (2, 1)
    scratch = (tmp_path / "scratch.pdf").read_bytes()
    assert (tmp_path / "again.pdf").read_bytes() == scratch

    (source / "main.tex").write_text(REFERRING.replace("One", "Two").replace("one", "two"))
    pdf.build(source, tmp_path / "other.pdf", inputs=inputs, kept=kept)
    assert "undefined" not in (tmp_path / "other.log").read_text(encoding="utf-8").rpartition("Run number")[2]
    (source / "main.tex").write_text(REFERRING)
    pdf.build(source, tmp_path / "back.pdf", inputs=inputs, kept=kept)
    assert (tmp_path / "back.pdf").read_bytes() == scratch


@needs_latex
@pytest.mark.parametrize(
    "damaged", ["", "{", "[]", "3", json.dumps({"main.aux": r"\gone"}), json.dumps({"../main.aux": "no"})]
)
def test_auxiliary_files_that_do_not_serve_are_forgotten(
    source: Path, inputs: dict[str, Path], tmp_path: Path, damaged: str
) -> None:
    (source / "main.tex").write_text(REFERRING)
    pdf.build(source, tmp_path / "scratch.pdf", inputs=inputs)
    kept = tmp_path / "kept.json"
    kept.write_text(damaged)
    pdf.build(source, tmp_path / "again.pdf", inputs=inputs, kept=kept)
    assert (tmp_path / "again.pdf").read_bytes() == (tmp_path / "scratch.pdf").read_bytes()
    assert json.loads(kept.read_text())["main.aux"] != r"\gone"


@needs_latex
def test_an_unknown_result_stops_the_build_and_is_named(source: Path, inputs: dict[str, Path], tmp_path: Path) -> None:
    (source / "main.tex").write_text(MAIN % r"\section{S}\result{model.cnn.acuracy}")
    output, log = tmp_path / "r.pdf", tmp_path / "logs/latex.log"
    output.write_bytes(b"old")

    with pytest.raises(pdf.ReportError) as caught:
        pdf.build(source, output, inputs=inputs, log=log)
    message = str(caught.value)
    assert "There is no result called 'model.cnn.acuracy'" in message
    assert "main.tex:8" in message
    assert "Did you mean model.cnn.accuracy?" in message
    assert str(log) in message
    assert "model.cnn.acuracy" in log.read_text()
    assert output.read_bytes() == b"old"


@needs_latex
def test_an_unknown_margin_link_stops_the_build(source: Path, inputs: dict[str, Path], tmp_path: Path) -> None:
    (source / "main.tex").write_text(MAIN % r"\marginlink{fig99}")

    with pytest.raises(pdf.ReportError, match="no margin link for 'fig99'"):
        pdf.build(source, tmp_path / "r.pdf", inputs=inputs)


@needs_latex
def test_errors_of_latex_are_told_with_their_line(source: Path, inputs: dict[str, Path], tmp_path: Path) -> None:
    (source / "main.tex").write_text(MAIN % r"\nosuchcommand")

    with pytest.raises(pdf.ReportError, match=r"main\.tex:8: Undefined control sequence"):
        pdf.build(source, tmp_path / "r.pdf", inputs=inputs)


@needs_latex
def test_a_damaged_input_is_named(source: Path, inputs: dict[str, Path], tmp_path: Path) -> None:
    inputs["numbers.tex"].write_text("changed")

    with pytest.raises(BrokenProductError, match=r"n\.tex is damaged"):
        pdf.build(source, tmp_path / "r.pdf", inputs=inputs)
    assert not (tmp_path / "r.pdf").exists()


def test_missing_latex_is_told_with_the_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigError) as caught:
        pdf.require_latex()
    for words in ("latexmk and pdflatex", *pdf.DEBIAN_PACKAGES, "make report-html"):
        assert words in str(caught.value)


def test_the_packages_named_are_those_that_are_installed() -> None:
    listed = (REPOSITORY / "envs/apt.txt").read_text().splitlines()

    assert set(pdf.DEBIAN_PACKAGES) <= {line.split()[0] for line in listed if line.strip()}


def test_a_folder_without_main_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "require_latex", lambda: None)

    with pytest.raises(ConfigError, match=r"no main\.tex"):
        pdf.build(tmp_path, tmp_path / "r.pdf", inputs={})


@pytest.mark.parametrize(
    ("words", "errors"),
    [
        ("a\n! Emergency stop.\nb", ["! Emergency stop."]),
        ("./x.tex:3: Undefined.\nl.3 \\foo\n", ["./x.tex:3: Undefined.", "l.3 \\foo"]),
        ("Package: results 2026/01/01 12:30 words\nfine", []),
    ],
)
def test_errors_are_found_in_the_output(words: str, errors: list[str]) -> None:
    assert pdf.errors_in(words) == errors


def test_the_report_names_only_results_that_exist(results: Results) -> None:
    known = set(read_json(results.folder / "numbers.json"))
    for path in sorted((REPOSITORY / "report").rglob("*.tex")):
        used = re.findall(r"\\result\{([^}]*)\}", path.read_text())
        assert set(used) <= known, f"{path.name} names unknown results"


def test_the_report_states_no_measured_number_by_hand() -> None:
    """Percentages in the text come from results; those of the original, and levels of intervals, are listed here."""
    by_hand = {"10 to 20", "80", "50", "30 and 60", "97.95", "97.37", "95", "97.5", "99.9"}
    for path in sorted((REPOSITORY / "report/sections").glob("*.tex")):
        text = path.read_text()
        found = re.findall(r"([\d.]+(?: (?:to|and) [\d.]+)?)\\,?\\%", text)
        found += re.findall(r"\\qty\{([\d.]+)\}\{\\percent\}", text)
        assert set(found) <= by_hand, path.name


@pytest.fixture(scope="module")
def small(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Typeset the report of a small study in a folder, and keep LaTeX's auxiliary files there."""
    folder = tmp_path_factory.mktemp("small")
    study, example = REPOSITORY / "config.yaml", REPOSITORY / "workflow/configs/my_model.example.yaml"
    left_out = fit(REPOSITORY / "report", checked(merged([example])), study).left_out
    inputs = {place: path for place, path in results.report_inputs().items() if "figures/" not in place}
    output, kept = folder / "report.pdf", folder / "kept.json"
    pdf.build(REPOSITORY / "report", output, inputs=inputs, left_out=left_out, kept=kept)
    return folder


@needs_latex
def test_the_report_is_typeset_without_complaints(results: Results, small: Path, tmp_path: Path) -> None:
    inputs = results.report_inputs()
    pdf.build(REPOSITORY / "report", tmp_path / "report.pdf", inputs=inputs)
    log = (tmp_path / "report.log").read_text()

    last = log[log.rindex("This is pdfTeX") :]
    assert "undefined" not in last
    assert "multiply defined" not in last
    assert not [points for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", last) if float(points) > 2]

    # From another place, and from the page numbers of quite another report.
    shutil.copytree(REPOSITORY / "report", tmp_path / "a copy")
    kept = shutil.copy(small / "kept.json", tmp_path)
    pdf.build(tmp_path / "a copy", tmp_path / "again.pdf", inputs=inputs, kept=kept)
    assert (tmp_path / "again.pdf").read_bytes() == (tmp_path / "report.pdf").read_bytes()


def test_what_sticks_out_is_told_with_its_file_and_lines() -> None:
    log = """(./main.tex (./sections/one.tex (./tables/jobs.tex
Overfull \\hbox (11.6pt too wide) in alignment at lines 2--7
 [] (not a file

Overfull \\hbox (1.2pt too wide) in paragraph at lines 8--9
 []

)) (./sections/two.tex (pdftex.def) Info
Overfull \\hbox (3.5pt too wide) in paragraph at lines 35--36
"""
    assert pdf.too_wide(log) == [
        "tables/jobs.tex: 11.6 pt too wide, in alignment at lines 2--7",
        "sections/two.tex: 3.5 pt too wide, in paragraph at lines 35--36",
    ]


@needs_latex
def test_the_report_of_a_small_study_leaves_the_rest_out(small: Path) -> None:
    log = (small / "report.log").read_text()

    last = log[log.rindex("This is pdfTeX") :]
    assert "undefined" not in last
    assert "[section: left out]" not in last
    assert "figures/" not in last
