"""Provenance names what made a file, and nothing that differs between two equal runs."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from nn_interpretability.storage.lock import RUN_VARIABLE, RunLock
from nn_interpretability.storage.product import write_text
from nn_interpretability.storage.provenance import _commit, _instruction_set_of_processor, provenance

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def describe(inputs: list[Path], **extra: object) -> dict[str, object]:
    return provenance(
        rule="attribute", wildcards={"attribution": "lrp_0", "n": 3}, code="0123456789abcdef",
        inputs=inputs, seed=7, device="cpu", extra=extra,
    )  # fmt: skip


def test_it_says_what_was_asked_for() -> None:
    found = describe([], passes="0-250")
    assert found["rule"] == "attribute"
    assert found["wildcards"] == {"attribution": "lrp_0", "n": "3"}
    assert found["code"] == "0123456789abcdef"
    assert (found["seed"], found["device"], found["passes"]) == (7, "cpu", "0-250")
    versions = found["versions"]
    assert isinstance(versions, dict)
    assert versions["python"] == platform.python_version()
    assert versions.keys() == {"python", "torch", "numpy", "h5py"}
    json.dumps(found, allow_nan=False)


def test_it_holds_no_path_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / "work"
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    inputs = [work / "out" / "data" / "a.h5", work / "config.yaml", tmp_path / "elsewhere" / "user.idx"]
    for path in inputs:
        write_text(path, "abc")
    monkeypatch.chdir(work)
    with RunLock().acquire(work / "out"):
        found = describe([inputs[0], Path("config.yaml"), inputs[2]])
    assert found["inputs"] == {"data/a.h5": ABC, "config.yaml": ABC, "user.idx": ABC}
    text = json.dumps(found)
    assert str(tmp_path) not in text
    assert platform.node() not in text


def test_a_recorded_digest_is_believed_and_a_file_without_one_is_read(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "x")
    (tmp_path / "a.txt.sha256").write_text(f"{ABC}  a.txt\n")
    (tmp_path / "b.txt").write_text("abc")
    assert describe([tmp_path / "a.txt", tmp_path / "b.txt"])["inputs"] == {"a.txt": ABC, "b.txt": ABC}


def test_extra_replaces_nothing() -> None:
    with pytest.raises(ValueError, match="extra may not replace 'seed'"):
        describe([], seed=3)


@pytest.mark.parametrize("before", ["", "import torch, h5py, numpy; "])
def test_it_is_the_same_in_every_process(before: str) -> None:
    """Also whether or not torch was imported before."""
    code = before + (
        "import json; from nn_interpretability.storage.provenance import provenance; "
        "print(json.dumps(provenance(rule='r', wildcards={}, code='c', inputs=[], seed=None, device='cpu')))"
    )
    source = Path(__file__).resolve().parents[2] / "src"
    printed = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(source)},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert json.loads(printed) == provenance(rule="r", wildcards={}, code="c", inputs=[], seed=None, device="cpu")


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_commit_is_that_of_the_repository_that_tracks_the_package(tmp_path: Path) -> None:
    package = tmp_path / "src"
    package.mkdir()
    (package / "__init__.py").touch()
    _commit.cache_clear()
    assert _commit(package) == "unknown"
    git(tmp_path, "init", "-q")
    _commit.cache_clear()
    assert _commit(package) == "unknown"
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    head = git(tmp_path, "rev-parse", "HEAD")
    _commit.cache_clear()
    assert _commit(package) == head
    (tmp_path / "untracked").touch()
    _commit.cache_clear()
    assert _commit(package) == head
    (package / "__init__.py").write_text("changed")
    assert _commit(package) == head  # asked once per process
    _commit.cache_clear()
    assert _commit(package) == f"{head}-dirty"


def test_an_environment_inside_a_foreign_repository_has_no_commit(tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "__init__.py").touch()
    (tmp_path / "notes").touch()
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "notes")
    git(tmp_path, "commit", "-q", "-m", "first")
    assert _commit(tmp_path / "venv") == "unknown"


def test_no_git_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _commit(tmp_path) == "unknown"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu avx2 fma avx512f avx512bw avx512dq avx512vl", "AVX512"),
        ("fpu avx2 fma avx512f", "AVX2"),
        ("fpu sse4_2", platform.machine()),
    ],
)
def test_the_instruction_set_comes_from_the_processor(tmp_path: Path, flags: str, expected: str) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    assert _instruction_set_of_processor(tmp_path / "cpuinfo") == expected
    assert _instruction_set_of_processor(tmp_path / "absent") == platform.machine()
