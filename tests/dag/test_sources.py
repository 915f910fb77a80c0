"""A better source of digits makes the run start anew; a worse one never replaces what a better one has made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from workflow_runs import run

from nn_interpretability.data.digits import prepare
from nn_interpretability.errors import DataError
from nn_interpretability.storage.job_record import available, record_of_log, write_record
from nn_interpretability.study.published import JOBS as PUBLISHED_JOBS
from nn_interpretability.study.reproduce import Settings, reproduce

SETTINGS = {"local": None, "download": False, "validation_share": 0.1, "seed": 0, "provenance": {}}


def test_mnist_is_not_replaced_by_the_embedded_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NN_INTERPRETABILITY_DATA", raising=False)
    output, record = tmp_path / "digits.h5", tmp_path / "digits.json"
    with pytest.raises(DataError, match="was not replaced by the embedded digits"):
        prepare(output, record, limits=None, at_least="mnist-local", **SETTINGS)
    assert list(tmp_path.iterdir()) == []


def asked(folder: Path, **variables: str) -> tuple[str, str]:
    """Return what `prepare_digits` would be told of the source, and what the planning said."""
    told = run(folder, "--dry-run", "--", "models", **variables)
    assert told.returncode == 0, told.stderr
    (line,) = {line for line in told.stdout.splitlines() if "earlier=" in line}
    return line.split("earlier=")[1], told.stderr


def test_what_an_earlier_run_found_in_the_data_folder_is_remembered(tmp_path: Path) -> None:
    jobs = [*(f"reproduce_published/{job}" for job in PUBLISHED_JOBS), "calibrate/calibration"]
    logs = [tmp_path / "results-smoke" / "logs" / f"{job}.log" for job in jobs]
    assert not any(available(False, log, "they") for log in logs)
    for log in logs:
        write_record(record_of_log(log), {"params": {"available": True}})
    assert all(available(False, log, "they") for log in logs)
    told = run(tmp_path, "--dry-run", "--", "replication")
    assert told.returncode == 0, told.stderr
    assert "the study's weights are no longer there; what was made from them is kept" in told.stderr
    assert "photographs and the weights of their network are no longer there" in told.stderr


def test_numbers_of_an_earlier_run_are_not_replaced_by_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NN_INTERPRETABILITY_DATA", raising=False)
    log = tmp_path / "logs" / "reproduce_published" / "networks.log"
    options = {"settings": Settings(seed=0), "device": "cpu", "provenance": {}}
    with pytest.raises(DataError, match=r"remove .*provenance/reproduce_published/networks\.json to go on without"):
        reproduce("digits.h5", tmp_path / "networks.json", job="networks", local=None, earlier=log, **options)
    assert list(tmp_path.iterdir()) == []


def test_the_source_of_an_earlier_run_is_remembered(tmp_path: Path) -> None:
    assert asked(tmp_path)[0] == ""
    record = tmp_path / "results-smoke" / "data" / "digits.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"source": "mnist-local", "size": 54_950_048}), encoding="utf-8")
    source, said = asked(tmp_path)
    assert source == "mnist-local"
    assert "MNIST is no longer there" in said
