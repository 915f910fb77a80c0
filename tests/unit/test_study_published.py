"""The list of printed numbers is complete and keeps its digits; mistakes in it are named."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

from nn_interpretability.errors import ConfigError
from nn_interpretability.study.published import FILE, KINDS, load

GOOD = """
fig_a: &base
  place: Fig 0
  quantity: probability
  unit: "%"
  kind: deterministic
  tolerance: printed
  why: nothing is random
  job: networks
  columns: 0 1
  rows: {digit: 100.00 .5}
fig_b:
  <<: *base
  kind: count
  draws: 1000
  rows: {class: 5 -}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "published.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_number_of_the_study() -> None:
    tables = load()
    numbers = [value for table in tables.values() for value in table.values()]
    assert Counter(value.table.kind for value in numbers) == {
        "deterministic": 184,
        "count": 52,
        "random mean": 2,
        "random start": 26,
        "clock": 8,
        "not available": 33,
    }
    assert len({value.name for value in numbers}) == len(numbers)
    assert {table.kind for table in tables.values()} == set(KINDS)
    sums = {
        name: sum(value.number for value in tables[name].values()) for name in ("fig19_left", "fig23", "fig19_right")
    }
    assert sums == {"fig19_left": 1000, "fig23": 2000, "fig19_right": 1006}


def test_digits_are_kept(tmp_path: Path) -> None:
    table = load(written(tmp_path, GOOD))["fig_a"]
    first, second = table.values()
    assert (first.name, first.text, first.number, first.tolerance) == ("fig_a.digit.0", "100.00", 100.0, 0.005)
    assert (second.text, second.number, second.tolerance) == (".5", 0.5, 0.05)


def test_what_was_not_printed_is_no_number(tmp_path: Path) -> None:
    table = load(written(tmp_path, GOOD))["fig_b"]
    assert [value.name for value in table.values()] == ["fig_b.class.0"]
    assert (table.draws, table.unit) == (1000, "%")


@pytest.mark.parametrize(
    ("wrong", "right", "told"),
    [
        ("100.00 .5", "100.00", "fig_a.digit has 1 values for 2 columns"),
        ("100.00 .5", "100.00 5O", "fig_a.digit has the value '5O'; write a number as it was printed, or '-'"),
        ("kind: deterministic", "kind: exact", "fig_a.kind is 'exact'; allowed are 'deterministic', 'count'"),
        ("tolerance: printed", "tolerance: small", "fig_a.tolerance is 'small'; allowed is 'printed' or a number"),
        ("draws: 1000", "draws: 0", "fig_b.draws is '0'; allowed is a whole number above 0"),
        ("  draws: 1000\n", "", "fig_b: 'draws' belongs to the kinds 'count' and 'random mean', and to no other"),
        ("  why: nothing is random\n", "", "fig_a has no 'why', which the kind 'deterministic' needs"),
        ("  job: networks\n", "", "fig_a has no 'job', which the kind 'deterministic' needs"),
        ("kind: count\n  draws: 1000", "kind: clock", "fig_b has no 'reason', which the kind 'clock' needs"),
        ("columns: 0 1", "columns: 0 0", "fig_a has the same column twice"),
        ("  place: Fig 0\n", "", "fig_a: 'place' is a required property"),
        ("  why:", "  because:", "fig_a: Additional properties are not allowed ('because' was unexpected)"),
        ("fig_b:", "Fig-B:", "the file has the name 'Fig-B'; a name has small letters"),
        ("fig_b:", "fig_b: [", "is no YAML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, wrong: str, right: str, told: str) -> None:
    assert wrong in GOOD
    with pytest.raises(ConfigError) as refused:
        load(written(tmp_path, GOOD.replace(wrong, right)))
    assert told in str(refused.value)
    assert str(refused.value).startswith("published.yaml ")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("100.00 .5", "100.00").replace("  draws: 1000\n", "")
    with pytest.raises(ConfigError, match=r"(?s)fig_a\.digit.*fig_b: 'draws'"):
        load(written(tmp_path, text))


def test_the_wheel_has_the_list() -> None:
    project = (FILE.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert '"reference/published.yaml" = "nn_interpretability/reference/published.yaml"' in project
    assert len(yaml.safe_load(FILE.read_text(encoding="utf-8"))) == len(load())
