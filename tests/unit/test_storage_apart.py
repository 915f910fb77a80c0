"""Files are looked at by another process, whatever they do to it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nn_interpretability.storage.apart import Apart, NoReaderError
from nn_interpretability.storage.hdf5 import Array, write_hdf5
from nn_interpretability.storage.verify import verify

LOOKS = """
import os, time

def look(path):
    text = path.read_text()
    if text == "for ever":
        time.sleep(1000)
    if text == "crash":
        os.abort()
    if text:
        yield text
"""


@pytest.fixture
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Apart:
    (tmp_path / "looks.py").write_text(LOOKS)
    monkeypatch.syspath_prepend(str(tmp_path))
    return Apart("looks", "look", patience_s=2)


def file(folder: Path, text: str) -> Path:
    path = folder / "a file\nwith ünusual\udcff letters"
    path.write_text(text)
    return path


def test_faults_are_those_of_the_function(apart: Apart, tmp_path: Path) -> None:
    with apart:
        assert apart.faults(file(tmp_path, "")) == []
        assert apart.faults(file(tmp_path, "torn")) == ["torn"]
        with pytest.raises(FileNotFoundError):
            apart.faults(tmp_path / "gone")
        assert apart.faults(file(tmp_path, "torn")) == ["torn"]


def test_a_file_that_keeps_or_kills_its_reader_has_a_fault_and_the_next_file_has_a_reader(
    apart: Apart, tmp_path: Path
) -> None:
    with apart:
        assert apart.faults(file(tmp_path, "for ever")) == ["cannot be read (its reader did not come to an end in 2 s)"]
        assert apart.faults(file(tmp_path, "torn")) == ["torn"]
        assert apart.faults(file(tmp_path, "crash")) == ["cannot be read (it makes its reader crash)"]
        assert apart.faults(file(tmp_path, "")) == []
        assert apart._running is not None
        reader, _ = apart._running
    assert reader.poll() is not None


def test_a_reader_that_ended_since_is_replaced(apart: Apart, tmp_path: Path) -> None:
    with apart:
        assert apart.faults(file(tmp_path, "torn")) == ["torn"]
        assert apart._running is not None
        apart._running[0].kill()
        apart._running[0].wait()
        assert apart.faults(file(tmp_path, "torn")) == ["torn"]


def test_what_modules_print_and_files_of_the_caller_change_nothing(
    apart: Apart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = tmp_path / "looks.py"
    looks.write_text("print('hello')\n" + looks.read_text())
    here = tmp_path / "here"
    here.mkdir()
    (here / "select.py").write_text("raise SystemExit")
    monkeypatch.chdir(here)
    with apart:
        assert apart.faults(file(tmp_path, "torn")) == ["torn"]


def test_no_reader_is_no_fault_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Apart("no_such_module", "look") as apart, pytest.raises(NoReaderError, match="did not start; to see why: "):
        apart.faults(file(tmp_path, ""))
    results = tmp_path / "results"
    write_hdf5(results / "a.h5", {"x": Array(np.zeros(2), ("i",))}, schema="passes/1", params={}, provenance={})
    monkeypatch.setattr("sys.executable", str(tmp_path / "gone"))
    with pytest.raises(NoReaderError, match="could not be started"):
        verify(results, set_aside=True)
    assert (results / "a.h5").is_file()


def test_a_reader_ends_by_itself_when_its_parent_was_killed(tmp_path: Path) -> None:
    (tmp_path / "looks.py").write_text(LOOKS)
    waits = file(tmp_path, "for ever")
    program = (
        "import os, pathlib, signal, sys, threading, time; from nn_interpretability.storage import apart\n"
        "apart._LATER_S = 0; looked = apart.Apart('looks', 'look', patience_s=2)\n"
        f"path = pathlib.Path(os.fsdecode({os.fsencode(waits)!r}))\n"
        "threading.Thread(target=looked.faults, args=[path], daemon=True).start()\n"
        "while looked._running is None: time.sleep(0.01)\n"
        "time.sleep(0.5); print(looked._running[0].pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    told = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False)
    assert told.stdout.strip().isdigit(), told.stderr
    reader = Path("/proc", told.stdout.strip())
    give_up = time.monotonic() + 30
    while reader.exists() and "Z" not in (reader / "stat").read_text().rpartition(")")[2].split()[0]:
        assert time.monotonic() < give_up, "the reader lives on"
        time.sleep(0.1)
