"""What a job read, with what parameters, code and versions: a record per job, below ``provenance/`` of the results.

A record is called like the job's log, ``provenance/attribute/cnn_lrp.json`` for ``logs/attribute/cnn_lrp.log``, and is
written once the job has succeeded.  ``provenance/code.json`` says which modules each digest of code stands for, and
``provenance/run.json`` with which configuration the last run was made.  None of them is a product: a run that finds
them missing makes nothing again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nn_interpretability.storage.disk import disk_errors_named
from nn_interpretability.storage.product import plain

FOLDER = "provenance"


def record_of_log(log: Path | str) -> Path | None:
    """Where the record of a job with this log file lies; None for a log outside of a folder ``logs``."""
    parts = Path(log).parts
    if "logs" not in parts:
        return None
    place = len(parts) - 1 - parts[::-1].index("logs")
    return Path(*parts[:place], FOLDER, *parts[place + 1 :]).with_suffix(".json")


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record whole or not at all.

    Raises
    ------
    DiskError
        The disk is full, read-only, ...
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    text = json.dumps(record, sort_keys=True, indent=1, ensure_ascii=False, default=_plain)
    try:
        with disk_errors_named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(text + "\n", encoding="utf-8")
            temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()


def read_records(results: Path | str) -> dict[str, dict[str, Any]]:
    """All records of jobs, by the path of their file below ``provenance/``."""
    folder = Path(results, FOLDER)
    files = (file for file in sorted(folder.rglob("*.json")) if file.parent != folder or "outputs" in _read(file))
    return {file.relative_to(folder).as_posix(): _read(file) for file in files}


def record_of(results: Path | str, product: str) -> dict[str, Any] | None:
    """The record of the job that made a product; the product is named relative to the results folder."""
    return next((record for record in read_records(results).values() if product in record["outputs"]), None)


def write_run(results: Path | str, *, files: Iterable[str], alone: bool) -> None:
    """Record with what a run was called, and what its digests of code stand for.

    Parameters
    ----------
    results
        The results folder.
    files, alone
        Configuration files of the command line, and whether they replace ``config.yaml``.
    """
    from nn_interpretability.code_digest import digests_of_modules

    folder = Path(results, FOLDER)
    write_record(folder / "run.json", {"configfiles": list(files), "replace_config": alone})
    write_record(folder / "code.json", {**read_code(results), **digests_of_modules()})


def read_code(results: Path | str) -> dict[str, dict[str, str]]:
    """The digest of each module behind each digest of code that a run has used."""
    file = Path(results, FOLDER, "code.json")
    return _read(file) if file.is_file() else {}


def read_run(results: Path | str) -> dict[str, Any]:
    """The configuration of the last run; empty if none was recorded."""
    file = Path(results, FOLDER, "run.json")
    return _read(file) if file.is_file() else {}


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _plain(value: Any) -> Any:
    try:
        return plain(value)
    except TypeError:
        return str(value)
