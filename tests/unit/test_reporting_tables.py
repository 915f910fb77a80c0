"""Tables say what the results say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from figures.results import Results, copied

from nn_interpretability.claims.rules import load_rules
from nn_interpretability.reporting.tables import DEFINITIONS, TABLES, figure_number, write_tables
from nn_interpretability.reporting.tex import code
from nn_interpretability.storage.product import write_json

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def results(made_up_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    return copied(made_up_results, tmp_path_factory.mktemp("tables"))


@pytest.fixture(scope="module")
def tables(results: Results) -> dict[str, str]:
    write_json(
        results.folder / "timings.json",
        {
            "schema": "timings/1",
            "machine": {},
            "jobs": [
                {"rule": "draw_figure", "wildcards": {"figure": "fig12"}, "seconds": 2.0, "max_rss_mib": 90.4},
                {"rule": "draw_figure", "wildcards": {"figure": "fig06"}, "seconds": 0.5, "max_rss_mib": 9999.0},
                {"rule": "attribute", "wildcards": {"attribution": "lrp_0"}, "seconds": 3.0, "max_rss_mib": 300.0},
            ],
        },
    )
    return results.write_tables(timings=results.folder / "timings.json")


def rows(table: str) -> list[list[str]]:
    table = re.sub(r"\\endfirsthead.*?\\endhead", "", table, flags=re.DOTALL)  # the head of the second page
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)&", line.removesuffix(r" \\"))]
        for line in table.splitlines()
        if line.endswith(r"\\") and "&" in line
    ]


@pytest.mark.parametrize("name", [name for name in TABLES if name not in DEFINITIONS])
def test_every_row_has_as_many_cells_as_the_head(tables: dict[str, str], name: str) -> None:
    found = [row for row in rows(tables[name]) if r"\multicolumn" not in "".join(row)]

    assert len({len(row) for row in found}) == 1
    assert len(found) > 1
    kinds = [kind for kind in ("tabular", "longtable") if rf"\begin{{{kind}}}" in tables[name]]
    assert len(kinds) == 1
    assert tables[name].count(rf"\begin{{{kinds[0]}}}") == tables[name].count(rf"\end{{{kinds[0]}}}") == 1


def test_areas_stand_above_their_intervals(tables: dict[str, str]) -> None:
    found = rows(tables["auroc"])
    names = [row[0] for row in found if row[0]]
    assert names.count(code("dropout_cnn")) == 3
    assert names.count(code("cnn")) == 1
    assert [row[1] for row in found if "dropout" in row[0]] == [r"$1 - \max p$", "$H$ of passes", "$I$ of passes"]
    place = next(place for place, row in enumerate(found) if row[1] == "$H$ of passes")
    assert found[place][2:4] == [r"\num{12}", r"\num{0.750}"]
    assert found[place + 1] == ["", "", "", *[r"{\scriptsize[\num{0.700}, \num{0.800}]}"] * 4]


def test_conservation(tables: dict[str, str]) -> None:
    found = {row[0]: row for row in rows(tables["conservation"])}

    assert found["LRP-0"][2:4] == [r"\qty{10}{\percent}", r"\qty{10}{\percent}"]


def test_methods_of_the_study_are_no_rows_of_the_table_of_conservation(tables: dict[str, str]) -> None:
    found = [row[0] for row in rows(tables["conservation"])]

    assert not [name for name in found if "transposed" in name or "LinearRescale" in name]


def test_a_figure_without_number_in_the_original_is_named_by_its_label(tables: dict[str, str]) -> None:
    assert figure_number("fig08_conv1") == "8, conv1"
    assert figure_number("transposed") == r"\figurelabelled{transposed}"
    figures = [row[0].split("}{}}", 1)[-1] for row in rows(tables["figure_provenance"])]
    assert r"\figurelabelled{modes}" in figures


def test_relevance_sinks_stand_beside_those_of_the_published_settings(tables: dict[str, str]) -> None:
    found = rows(tables["relevance_sinks"])
    place = next(index for index, row in enumerate(found) if row[0] == "LRP-0")

    assert found[place][1] == r"\texttt{classifier.\allowbreak{}fc2}"
    assert found[place][2:6] == [r"\num{10.00}", r"\num{0.00}", r"\num{0.00}", r"\num{90.00}"]
    assert found[place + 2][2:] == [r"\num{0.00}", r"\num{20.00}", r"\num{0.00}", r"\num{70.00}"] * 2


def test_times_are_looked_up_by_job(tables: dict[str, str]) -> None:
    figures = {row[0].split("}")[-1]: row for row in rows(tables["figure_provenance"])}

    assert figures["12"][-1] == r"\qty{5.0}{\second}"  # drawing and one attribution
    assert figures["13"][-1] == "--"
    jobs = {row[0]: row[1:] for row in rows(tables["jobs"])}
    assert jobs[r"\texttt{draw\_\allowbreak{}figure}"] == [
        r"\num{2}",
        r"\qty{2.5}{\second}",
        r"\qty{2.0}{\second}",
        r"\qty{90}{\mebi\byte}",
    ]


def test_provenance_leads_to_weights_probe_and_commit(tables: dict[str, str]) -> None:
    row = next(row for row in rows(tables["figure_provenance"]) if row[0].endswith("12"))

    assert r"\hypertarget{prov:fig12}" in row[0]
    assert row[3:7] == [r"\texttt{bbbbbbbb}", r"\texttt{aaaaaaaa}", "1519062249", r"\texttt{12345678}"]


def test_margin_links_name_the_job_and_the_data(tables: dict[str, str]) -> None:
    assert r"\DefineMarginLink{fig12}{draw\_figure}{dddddddd}" in tables["margin_links"]


def test_without_clock_readings_the_tables_say_so(results: Results) -> None:
    tables = results.write_tables(timings=None)

    assert "no clock readings" in tables["jobs"]
    assert all(row[-1] == "--" for row in rows(tables["figure_provenance"])[1:])


def test_tables_are_the_same_bytes_each_time(results: Results) -> None:
    assert results.write_tables(timings=None) == results.write_tables(timings=None)
    assert write_tables.__doc__


def test_the_text_is_told_of_the_claims_of_a_section_and_of_a_method(tables: dict[str, str]) -> None:
    lists = tables["claim_lists"]
    assert r"\DefineClaims{2.2.2}{Deconvolution fails without pooling;" in lists
    assert r"(\hyperlink{claim:c29}{claim~29}: \emph{supported})." in lists
    assert r"\DefineClaims{deepdream}{\hyperlink{claim:c24}{claim~24} (\emph{not run}), " in lists


def test_every_list_of_claims_that_the_text_prints_can_be_there() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "report").rglob("*.tex"))
    sections = {rule.place.partition(",")[0] for rule in load_rules()}
    assert set(re.findall(r"\\claimsmade\{([^}]+)\}", text)) == sections
    notes = set(re.findall(r"\\begin\{methodnote\}\{(\w+)\}", text))
    assert {method for rule in load_rules() for method in rule.methods} <= notes
