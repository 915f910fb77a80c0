"""A better source of digits makes the run start anew; a worse one never replaces what a better one has made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from workflow_runs import run

from nn_interpretability.data.digits import prepare
from nn_interpretability.errors import DataError
from nn_interpretability.storage.product import write_json

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


def test_what_was_made_with_data_that_went_away_is_not_replaced(tmp_path: Path) -> None:
    results = tmp_path / "results-smoke"
    reproduced, calibrated = (
        results / "replication" / "networks.json",
        results / "numbers/calibrations/calibration.json",
    )
    write_json(reproduced, {"measured": {"fig01.digit.0": {}}})
    write_json(calibrated, {"calibration.calibration.photographs.shown": {"value": "yes"}})
    for product, rule in ((reproduced, "reproduce_published"), (calibrated, "calibrate")) * 2:  # a second time, too
        before, name = product.read_bytes(), product.relative_to(tmp_path)
        told = run(tmp_path, "--forcerun", rule, "--", str(name))
        assert told.returncode == 1
        assert f"{name} was made with data that are no longer there" in told.stderr
        assert "are no longer there; what was made with them is kept" in told.stderr
        assert product.read_bytes() == before
    assert not (results / "data").exists()


def test_the_source_of_an_earlier_run_is_remembered(tmp_path: Path) -> None:
    assert asked(tmp_path)[0] == ""
    record = tmp_path / "results-smoke" / "data" / "digits.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"source": "mnist-local", "size": 54_950_048}), encoding="utf-8")
    source, said = asked(tmp_path)
    assert source == "mnist-local"
    assert "MNIST is no longer there" in said
