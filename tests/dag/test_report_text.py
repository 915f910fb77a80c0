"""The report's text is compared with what the jobs make when the DAG is built."""

from __future__ import annotations

from pathlib import Path

from workflow_runs import REPOSITORY, STUDY, planned, run, snapshot

EXTRA = "figures: {mine: {section: lrp, panels: [lrp_0]}}"


def test_a_misspelled_number_stops_every_dry_run(tmp_path: Path) -> None:
    checkout = snapshot(tmp_path / "checkout")
    section = checkout / "report" / "sections" / "lrp.tex"
    lines = section.read_text(encoding="utf-8").splitlines()
    section.write_text("\n".join([*lines, r"\result{figure.fig12.limmit}"]), encoding="utf-8")
    told = run(tmp_path, "--dry-run", "--", "models", checkout=checkout)
    assert told.returncode == 1
    assert f"report/sections/lrp.tex:{len(lines) + 1}: \\result{{figure.fig12.limmit}}" in told.stderr
    assert "did you mean 'figure.fig12.limit'?" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_figure_on_no_page_stops_the_pdf_alone(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(EXTRA, encoding="utf-8")
    assert planned(tmp_path, "--", "figures", configs=(STUDY, mine))["draw_figure_lrp"] == 1
    told = run(tmp_path, "--dry-run", "--", "report", configs=(STUDY, mine))
    assert told.returncode == 1
    said = told.stdout + told.stderr
    assert "No page of the report shows mine: give the entry under figures: a caption, " in said
    assert "add \\appendixfigure{mine}{caption} to a file" in said


def test_every_rule_that_writes_numbers_declares_them() -> None:
    declaring = set()
    for file in sorted((REPOSITORY / "workflow" / "rules").glob("*.smk")):
        for rule in file.read_text(encoding="utf-8").split("rule ")[1:]:
            outputs = rule.partition("output:")[2].partition("log:")[0]
            if "numbers/" in outputs or "_NUMBERS" in outputs:
                assert "declared=" in rule, rule
                declaring.add(rule.partition(":")[0])
    assert {"measure_models", "measure_attributions", "measure_evidence", "calibrate", "numbers"} <= declaring
