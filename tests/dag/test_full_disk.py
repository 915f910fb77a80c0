"""A results folder that is full or read-only: one message, nothing lost, and the next run goes on.

Needs a small file system of its own, which root may mount.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from workflow_runs import REPOSITORY, environment

STUDY = REPOSITORY / "tests" / "cluster" / "study.yaml"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 40 MB; skip where that is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        told = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", folder], capture_output=True, text=True, check=False
        )
        reason = told.stderr.strip() if told.returncode else None
    except OSError as error:
        reason = str(error)
    if reason is not None:
        pytest.skip(f"no file system can be mounted here ({reason})")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def run(disk: Path, target: str) -> subprocess.CompletedProcess[str]:
    results = disk / "results"
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--cores", "1"]
    words += ["--configfile", str(STUDY), "--config", f"results={results}", "--", str(results / target)]
    return subprocess.run(
        words, cwd=disk.parent, env=environment(), capture_output=True, text=True, timeout=300, check=False
    )


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fill(disk: Path) -> Path:
    """Leave no byte free; return the file that takes the room."""
    filling = disk / "filling"
    with filling.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filling


def test_nothing_is_lost_and_the_next_run_goes_on(disk: Path) -> None:
    assert run(disk, "data/digits.h5").returncode == 0
    results, target = disk / "results", "probes/turning.h5"
    data, before = content(results / "data"), content(disk)

    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    told = run(disk, target)
    assert told.returncode == 1
    assert "results/.lock was not written: the file system is read-only; choose another results folder" in told.stderr
    assert 'File "' not in told.stderr
    assert content(disk) == before
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)

    filling = fill(disk)
    told = run(disk, target)
    assert told.returncode == 1
    assert "was not written: the disk is full; free some space" in told.stderr
    assert 'File "' not in told.stderr
    assert not (results / target).exists()
    assert content(results / "data") == data

    filling.unlink()
    told = run(disk, target)
    assert told.returncode == 0, told.stderr
    assert (results / target).stat().st_size > 0
    assert not list(results.rglob(".*.tmp*"))
    assert content(results / "data") == data
