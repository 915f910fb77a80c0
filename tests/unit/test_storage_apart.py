"""Files are looked at by another process, whatever they do to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nn_interpretability.storage.apart import Apart

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
        reader = apart._process
        assert reader is not None
    assert reader.poll() is not None
