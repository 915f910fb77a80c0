"""What the text of the report names, and whether a configuration makes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow_runs import REPOSITORY

from nn_interpretability.config.files import merged
from nn_interpretability.config.report import fit
from nn_interpretability.config.validate import checked
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.reporting.sources import mentions, mentions_in, pages
from nn_interpretability.storage.product import read_json
from nn_interpretability.study.number_keys import declared_numbers
from nn_interpretability.study.number_part import DeclaredKeys, write_part

STUDY = REPOSITORY / "config.yaml"
EXAMPLE = REPOSITORY / "workflow" / "configs" / "my_model.example.yaml"


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    return checked(merged([STUDY]))


@pytest.fixture
def report(tmp_path: Path):
    """A report of one section, whose text is given."""

    def write(text: str) -> Path:
        folder = tmp_path / "report"
        (folder / "sections").mkdir(parents=True, exist_ok=True)
        (folder / "main.tex").write_text("\\input{numbers}\n\\input{sections/one}\n", encoding="utf-8")
        (folder / "sections" / "one.tex").write_text(text, encoding="utf-8")
        (folder / "sections" / "unread.tex").write_text(r"\result{no.such.number}", encoding="utf-8")
        return folder

    return write


def test_every_way_to_name_something_is_found_with_its_line() -> None:
    text = r"""
\result{a.b} 100\,\% \result{c} % \result{in.a.comment}
\studyfigure[!htb]{fig01}{1}{Caption with \result{d}}
\studyfigurewith{fig08}{fig08_conv1}{8}{Caption}
\extrafigure{extra}{x} \appendixfigure{more}{y}
\marginlink{group}\includegraphics[width=3cm]{figures/group}
\input{tables/evidence}\input{sections/other}
"""
    found = [(each.kind, each.name, each.line) for each in mentions_in(text)]
    assert found == [
        ("number", "a.b", 2),
        ("number", "c", 2),
        ("number", "d", 3),
        *(("figure", name, line) for name, line in [("fig01", 3), ("fig08", 4), ("fig08_conv1", 4)]),
        *(("figure", name, line) for name, line in [("extra", 5), ("more", 5), ("group", 6), ("group", 6)]),
        ("table", "evidence", 7),
        ("page", "sections/other", 7),
    ]


def test_pages_come_in_the_order_of_the_text_and_a_missing_one_is_named(report) -> None:
    folder = report(r"\input{sections/two}")
    (folder / "sections" / "two.tex").write_text("", encoding="utf-8")
    assert pages(folder) == ["main.tex", "sections/one.tex", "sections/two.tex"]
    (folder / "sections" / "two.tex").unlink()
    with pytest.raises(ConfigError, match=r"one\.tex:1: .*there is no sections/two\.tex"):
        pages(folder)


def test_the_text_of_the_report_names_only_what_jobs_make(study: dict[str, Any]) -> None:
    found = fit(REPOSITORY / "report", study, STUDY)
    assert found.left_out == {"number": [], "figure": [], "table": []}
    assert found.unshown == []
    assert len(mentions(REPOSITORY / "report")) > 400


@pytest.mark.parametrize(
    ("text", "place", "near"),
    [
        ("\n\\result{figure.fig12.limmit}", r"one\.tex:2: \\result\{figure\.fig12\.limmit\}", "figure.fig12.limit"),
        (r"\appendixfigure{transposd}{x}", r"one\.tex:1: the figure transposd: there is no such figure", "transposed"),
        (r"\input{tables/evidnce}", r"one\.tex:1: .*no job makes this table", "evidence"),
        (r"\result{model.cnn.test.acuracy}", r"no job writes this number", "model.cnn.test.accuracy"),
    ],
)
def test_what_no_job_makes_is_named_with_its_place_and_what_was_meant(
    report, study: dict[str, Any], text: str, place: str, near: str
) -> None:
    with pytest.raises(ConfigError, match=place) as told:
        fit(report(text), study, STUDY)
    assert f"did you mean '{near}'?" in str(told.value)


def test_a_figure_on_no_page_stops_the_pages_alone(report, study: dict[str, Any]) -> None:
    figures = {name: study["figures"][name] for name in ("fig06", "fig12")}
    found = fit(report(r"\studyfigure{fig12}{12}{x}"), {**study, "figures": figures}, STUDY)
    assert found.unshown == ["fig06"]
    with pytest.raises(ConfigError, match=r"shows fig06: give .* a caption, add \\appendixfigure\{fig06\}\{caption\}"):
        found.pages("a.tex")


def test_what_a_smaller_configuration_leaves_out_is_no_mistake() -> None:
    found = fit(REPOSITORY / "report", checked(merged([EXAMPLE])), STUDY)
    assert "fig12" in found.left_out["figure"]
    assert "model.cnn.test.accuracy" in found.left_out["number"]
    assert "evidence" in found.left_out["table"]
    assert "data.name" in found.left_out["number"]  # it looks at no digits
    assert "run.seed" not in found.left_out["number"]
    assert list(found.own) == ["mine_relevance", "mine_contributions"]
    assert found.pages("a.tex") == ["a.tex"]


def test_patterns_stand_for_what_only_the_run_knows() -> None:
    declared = DeclaredKeys(["a.layers.*", "b"])
    assert "a.layers.features.conv1.bias" in declared
    assert "b" in declared
    assert "b.c" not in declared
    assert "a.layer" not in declared


def test_a_number_that_is_not_declared_is_refused_by_name(tmp_path: Path) -> None:
    write_part(tmp_path / "n.json", {"a.b": {"value": 1}}, keys=["a.*"])
    assert read_json(tmp_path / "n.json") == {"a.b": {"value": 1}}
    with pytest.raises(DataError, match=r"'a\.c' \(and 1 more\) is not declared"):
        write_part(tmp_path / "n.json", {"a.c": 1, "a.d": 1, "a.b": 1}, keys=["a.b"])


def test_each_part_declares_keys_of_its_own(study: dict[str, Any]) -> None:
    parts = declared_numbers(study)
    keys = [key for part in parts.values() for key in part]
    assert len(keys) == len(set(keys))
    assert {f"figures/{name}" for name in study["figures"]} < parts.keys()
    more = yaml.safe_load("figures: {fig12: {panels: [lrp_0, gradient]}}")
    parts = declared_numbers(checked({**study, **more}))
    assert "figure.fig12.apart.gradient" in parts["figures/fig12"]
