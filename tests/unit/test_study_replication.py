"""Without the study's weights the table says so; with measurements it has verdicts, and what this run has measured."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn_interpretability.data.digits import load, prepare
from nn_interpretability.errors import DataError
from nn_interpretability.reporting.replication_table import replication_table
from nn_interpretability.storage.hdf5 import Array, write_hdf5
from nn_interpretability.storage.product import read_json, write_json
from nn_interpretability.study import published
from nn_interpretability.study.replicate import entries_of
from nn_interpretability.study.replication import compare
from nn_interpretability.study.reproduce import Settings, incomplete, reproduce

SETTINGS = {"passes": 1000, "seeds": 0, "pictures": 10}
KNOWN = published.load()


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded digits."""
    folder = tmp_path_factory.mktemp("digits")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("NN_INTERPRETABILITY_DATA", raising=False)
        limits = {"train_limit": 500, "test_limit": 100}
        options = {"local": None, "download": False, "validation_share": 0.1, "seed": 0, "provenance": {}}
        prepare(folder / "digits.h5", folder / "digits.json", limits=limits, **options)
    return folder / "digits.h5"


def nothing(folder: Path, reason: str | None, measured: dict[str, Any]) -> dict[str, Path]:
    """Files of the three jobs."""
    files = {job: folder / f"{job}.json" for job in published.JOBS}
    for job, path in files.items():
        of_job = {name: each for name, each in measured.items() if KNOWN[name.split(".")[0]].job == job}
        write_json(path, {"reason": reason, "measured": of_job})
    return files


def compared(
    folder: Path, jobs: dict[str, Path], products: dict[str, Path] | None = None, numbers: dict[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Rows by name, numbers for the text, and the whole file."""
    part = folder / "part.json"
    write_json(part, numbers or {})
    compare(
        jobs,
        products or {},
        [part],
        folder / "verdicts.json",
        folder / "numbers.json",
        settings=SETTINGS,
        provenance={},
    )
    verdicts = read_json(folder / "verdicts.json")
    return {row["name"]: row for row in verdicts["numbers"]}, read_json(folder / "numbers.json"), verdicts


def exact() -> dict[str, Any]:
    """Measurements that are just what was printed."""
    return {
        value.name: {"value": value.number}
        for table in KNOWN.values()
        if table.kind in published.COMPARED
        for value in table.values()
    }


def test_without_weights_the_job_says_why(tmp_path: Path, digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NN_INTERPRETABILITY_DATA", raising=False)
    files = {job: tmp_path / f"{job}.json" for job in published.JOBS}
    for job, path in files.items():
        options = {"local": None, "settings": Settings(seed=0), "device": "cpu", "provenance": {}}
        reproduce(digits, path, job=job, **options)
    rows, numbers, _ = compared(tmp_path, files)
    assert {row["verdict"] for row in rows.values()} == {"not run"}
    assert rows["fig09.row0.0"]["reason"].startswith("the study's weights are not there: data.local is not set")
    assert rows["deepdream.octave.1"]["reason"] == "the clock of the authors' GPU"
    assert numbers["replication.not_run"]["value"] == numbers["replication.count"]["value"] == len(rows)
    assert numbers["replication.list"]["text"] == "none"
    assert numbers["replication.test.dropout_off_accuracy"]["text"] == "not run"


def test_other_pictures_than_those_of_the_study(digits: Path) -> None:
    loaded = load(digits)
    assert "embedded digits" in incomplete(loaded)
    limited = dataclasses.replace(loaded, record={**loaded.record, "source": "mnist-local"})
    assert incomplete(limited) == "all of MNIST is needed, and this run has 500 training and 100 test pictures of it"


def test_planted_values_are_found(tmp_path: Path) -> None:
    measured = exact()
    measured["fig18_share.first.14"] = {"value": 82.03}
    measured["fig19_left.class.8"] = {"hits": 300, "draws": 1000}
    measured["dropout_off_accuracy.accuracy"]["test"] = 97.864
    rows, numbers, verdicts = compared(tmp_path, nothing(tmp_path, None, measured))
    assert [name for name, row in rows.items() if row["verdict"] == "not reproduced"] == [
        "fig18_share.first.14",
        "fig19_left.class.8",
    ]
    assert numbers["replication.not_reproduced"]["value"] == 2
    assert numbers["replication.compared"]["value"] == len(measured)
    assert numbers["replication.count.not_reproduced"]["value"] == 1
    assert numbers["replication.test.dropout_off_accuracy"]["text"] == "97.86"
    assert "first 14: 82.02, found 82.03 to 82.03" in numbers["replication.list"]["value"]
    table = replication_table(verdicts)
    assert table.count(r"\textbf{not reproduced}") == 2
    assert table.count("& reproduced &") == len(measured) - 2
    alone = table.count("& not run &")  # the networks of a report stand beside these
    assert alone + told_together(table) == len(rows) - len(measured)


def told_together(table: str) -> int:
    """How many numbers of a table share a paragraph with others that were not run."""
    return sum(line.count(": ") - 1 for line in table.splitlines() if "Not run: " in line)


def test_a_number_that_a_job_forgot_is_no_number_that_was_left_out(tmp_path: Path) -> None:
    measured = exact()
    del measured["fig03_left.digit.7"]
    rows, numbers, verdicts = compared(tmp_path, nothing(tmp_path, None, measured))
    assert "replication.seeds is 0" in rows["fig03_left.digit.7"]["reason"]
    assert numbers["replication.reason"]["value"] == rows["fig03_left.digit.7"]["reason"]
    places = [KNOWN[name].place for name in dict.fromkeys(row["table"] for row in rows.values())]
    assert places == [table.place for table in KNOWN.values()]
    table = replication_table(verdicts)
    assert table.index("notebook 11, cell 5") < table.index("Fig 1, left") < table.index("notebook 13, cells 37")
    del measured["fig09.row0.0"]
    with pytest.raises(DataError, match=r"fig09\.row0\.0 is to be computed by the job 'networks'"):
        compared(tmp_path, nothing(tmp_path, None, measured))


def test_what_this_run_has_measured(tmp_path: Path) -> None:
    turned = tmp_path / "turning_composite.h5"
    logits = np.zeros((2, 10))
    logits[0, [1, 8]], logits[1, [8, 2]] = [9, 5], [3, 2]
    hits = np.array([[0, 90, 0, 0, 0, 0, 0, 0, 10, 0], [0, 10, 20, 0, 0, 0, 0, 0, 70, 0]])
    arrays = {
        "undisturbed": Array(logits, ("sample", "class")),
        "counts": Array(hits, ("sample", "class")),
        "angle": Array(np.array([-7.0, -21.0]), ("sample",)),
    }
    write_hdf5(turned, arrays, schema="pass_attribution/1", params={}, provenance={})
    search = tmp_path / "am_gan_published.h5"
    ended = {
        "target": Array(np.array([3, 3, 7]), ("sample",)),
        "probability": Array(np.array([0.25, 0.75, 0.5]), ("sample",)),
    }
    write_hdf5(search, ended, schema="synthesis/1", params={}, provenance={})
    stated = {
        "model.dropout_cnn.test.accuracy": {"value": 98.0},
        "model.dropout_cnn.test.n": {"value": 10_000},
        "model.evidential_cnn.test.mean_evidence": {"value": None},
        "calibration.calibration.cnn.temperature": {"value": 1.25},
    }
    products = {"turning_composite": turned, "am_gan_published": search}
    rows, numbers, _ = compared(tmp_path, nothing(tmp_path, "no weights", {}), products, stated)

    def ours(name: str) -> Any:
        return rows[name]["replicated"]

    assert ours("fig18_class.first.21")["value"] == 8
    assert ours("fig18_class.second.21")["value"] == 2
    assert ours("fig18_class.first.14") is None  # no picture at this angle
    assert ours("fig18_share.first.7")["value"] == pytest.approx(100 / (1 + np.exp(-4) + 8 * np.exp(-9)))
    assert ours("fig19_left.class.8")["value"] == pytest.approx(700)
    assert ours("fig19_right.class.1")["value"] == pytest.approx(900)
    assert ours("fig03_left.digit.3") == {"value": 50.0, "low": 25.0, "high": 75.0}
    assert ours("fig03_left.digit.7") == {"value": 50.0, "low": 50.0, "high": 50.0}
    assert ours("dropout_off_accuracy.accuracy")["low"] < 98 < ours("dropout_off_accuracy.accuracy")["high"]
    assert ours("temperature.temperature")["value"] == 1.25
    assert ours("evidential_evidence.evidence") is None
    assert numbers["replication.replicated"]["value"] == sum(row["replicated"] is not None for row in rows.values())


def test_only_entries_that_a_configuration_has() -> None:
    assert entries_of({"syntheses": {"am_gan_published": {}}, "attributions": {"lrp_0": {}}}) == ["am_gan_published"]
