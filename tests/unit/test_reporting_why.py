"""What made a product, and what changed since, in words; changes are planted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from workflow_runs import environment

from nn_interpretability.code_digest import code_digest, digests_of_modules
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.reporting.plan import Planned
from nn_interpretability.reporting.why import differences, why
from nn_interpretability.storage.job_record import read_records, record_of, record_of_log, write_record
from nn_interpretability.storage.product import write_text

SNAKEFILE = """
configfile: "config.yaml"
from nn_interpretability.code_digest import code_digest
from nn_interpretability.storage.job_record import write_run
from nn_interpretability.storage.lock import RunLock
lock = RunLock()
onstart:
    lock.acquire(config["results"])
    write_run(config["results"], files=[], alone=False)
rule first:
    input: "source.txt"
    output: config["results"] + "/first.txt"
    log: config["results"] + "/logs/first.log"
    params: code=code_digest("nn_interpretability.errors"), value=config["value"], seed=7
    script: "make.py"
rule second:
    input: rules.first.output
    output: config["results"] + "/second.txt"
    log: config["results"] + "/logs/second.log"
    params: code=code_digest("nn_interpretability.errors")
    script: "make.py"
"""

MAKE = """
from nn_interpretability.progress import job
with job(snakemake) as this:
    from nn_interpretability.storage.product import write_text
    write_text(snakemake.output[0], open(snakemake.input[0]).read() + "!")
"""


@pytest.fixture
def workflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which two jobs have run."""
    for name, text in {"Snakefile": SNAKEFILE, "make.py": MAKE, "source.txt": "words"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "config.yaml").write_text("results: out\nvalue: {epochs: 3, names: [a, b]}\n", encoding="utf-8")
    words = [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", "out/second.txt"]
    told = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", environment())
    return tmp_path


def test_it_says_what_made_a_product_and_that_nothing_changed(workflow: Path) -> None:
    words = why("out/first.txt", checkout=workflow)
    assert "made by   first" in words
    assert "seed      7" in words
    assert "device    cpu" in words
    assert "from      source.txt" in words
    assert "Nothing that it depends on has changed." in words
    assert "Snakemake would not make it again." in words


def test_a_changed_parameter_is_told_with_both_values_also_upstream(workflow: Path) -> None:
    (workflow / "config.yaml").write_text("results: out\nvalue: {epochs: 4, names: [b, c]}\n", encoding="utf-8")
    words = why("out/first.txt", checkout=workflow)
    assert "parameter value.epochs: was 3, now 4" in words
    assert "parameter value.names: now without ['a'] and with ['c']" in words
    assert "Snakemake: Params have changed" in words
    words = why("out/second.txt", checkout=workflow)
    assert "Before it, first would run again:\n  - parameter value.epochs: was 3, now 4" in words


def test_a_changed_input_and_missing_files_are_told(workflow: Path) -> None:
    (workflow / "source.txt").write_text("other words", encoding="utf-8")
    assert "input source.txt has changed: " in why("out/first.txt", checkout=workflow)
    (workflow / "out" / "first.txt").unlink()
    assert "  - the file is missing" in why("out/first.txt", checkout=workflow)
    assert "input first.txt is missing" in why("out/second.txt", checkout=workflow)
    (workflow / "out" / "second.txt").write_text("edited by hand", encoding="utf-8")
    assert "the file is no longer what its job wrote" in why("out/second.txt", checkout=workflow)


def test_what_no_rule_makes_and_what_lies_elsewhere_is_refused(workflow: Path) -> None:
    with pytest.raises(ConfigError, match=r"No rule makes out/third\.txt"):
        why("out/third.txt", checkout=workflow)
    with pytest.raises(DataError, match="lies in no folder of results"):
        why("source.txt", checkout=workflow)


RECORD: dict[str, Any] = {"rule": "attribute", "params": {"code": "old", "target": "label"}, "inputs": {}}


def told(params: dict[str, Any], code: dict[str, dict[str, str]], rule: str = "attribute") -> list[str]:
    job = Planned(rule, {}, params, (), (), "")
    return list(differences(RECORD, job, code))


def test_changed_code_is_told_by_module() -> None:
    code = {"old": {"a": "1", "b": "2", "c": "3"}, "new": {"a": "1", "b": "20", "d": "4"}}
    assert told({"code": "new", "target": "label"}, code) == [
        "the code has changed: b has changed",
        "the code has changed: c is no longer used",
        "the code has changed: d is new",
    ]
    assert told({"code": "old", "target": "label"}, code) == []
    assert "which modules was not recorded" in told({"code": "new", "target": "label"}, {})[0]


def test_a_renamed_rule_and_new_and_lost_parameters_are_told() -> None:
    assert told({"code": "old", "start": 1}, {}, rule="explain") == [
        "another rule makes it now: explain instead of attribute",
        "parameter target is gone; it was 'label'",
        "parameter start is new: 1",
    ]


def test_a_digest_of_code_stands_for_its_modules() -> None:
    digest = code_digest("nn_interpretability.storage.disk")
    assert "nn_interpretability.storage.disk" in digests_of_modules()[digest]


def test_records_are_called_like_logs_and_found_by_product(tmp_path: Path) -> None:
    assert record_of_log("results/logs/attribute/lrp.log") == Path("results/provenance/attribute/lrp.json")
    assert record_of_log("elsewhere/lrp.log") is None
    write_record(
        tmp_path / "provenance" / "attribute" / "lrp.json", {"outputs": ["attributions/a.h5"], "value": Path("p")}
    )
    write_record(tmp_path / "provenance" / "run.json", {"configfiles": []})
    assert list(read_records(tmp_path)) == ["attribute/lrp.json"]
    found = record_of(tmp_path, "attributions/a.h5")
    assert found is not None
    assert found["value"] == "p"
    assert record_of(tmp_path, "attributions/b.h5") is None
    write_text(tmp_path / "x.txt", "")
