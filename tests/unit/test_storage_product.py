"""A product is written whole or not at all, and a damaged one is never read."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nn_interpretability.errors import BrokenProductError, DiskError
from nn_interpretability.storage.lock import RUN_VARIABLE, RunLock
from nn_interpretability.storage.product import (
    digest_of,
    read_csv,
    read_json,
    recorded_digest,
    sidecar_of,
    verified,
    write_csv,
    write_json,
    write_text,
    writing,
)


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.suffix != ".sha256"}


def test_the_sidecar_is_what_sha256sum_understands(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of "abc", FIPS 180
    assert sidecar_of(tmp_path / "a.txt").read_text() == f"{digest}  a.txt\n"
    assert recorded_digest(tmp_path / "a.txt") == digest_of(tmp_path / "a.txt") == digest
    subprocess.run(["sha256sum", "--check", "--quiet", "a.txt.sha256"], cwd=tmp_path, check=True)


def test_the_temporary_file_is_hidden_and_keeps_the_suffix(tmp_path: Path) -> None:
    with writing(tmp_path / "sub" / "figure.png") as temporary:
        temporary.write_text("x")
        assert temporary.parent == tmp_path / "sub"
        assert temporary.name.startswith(".")
        assert temporary.suffix == ".png"
        assert not (tmp_path / "sub" / "figure.png").exists()
    assert content(tmp_path / "sub") == {"figure.png": "x"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    write_text(tmp_path / "a.txt", "old")

    def write_half() -> None:
        with writing(tmp_path / "a.txt") as temporary:
            temporary.write_text("ne")
            raise error

    with pytest.raises(error):
        write_half()
    assert content(tmp_path) == {"a.txt": "old"}
    assert verified(tmp_path / "a.txt")


def test_a_refused_check_leaves_the_old_file(tmp_path: Path) -> None:
    def refuse(temporary: Path) -> None:
        assert temporary.read_text() == "new"
        raise ValueError("not like this")

    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(ValueError, match="not like this"), writing(tmp_path / "a.txt", check=refuse) as temporary:
        temporary.write_text("new")
    assert content(tmp_path) == {"a.txt": "old"}


def test_a_writer_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"a\.txt was not made"), writing(tmp_path / "a.txt"):
        pass
    assert not list(tmp_path.iterdir())


def leftover(name: str, pid: int, *, run: str = "alone", machine: str | None = None) -> str:
    host = re.sub(r"[^A-Za-z0-9_-]", "_", platform.node()) if machine is None else machine
    return f".{name}.{run}.{host}.{pid}.tmp.txt"


def dead_process() -> int:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    return dead.pid


def hidden(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name.startswith(".") and path.name != ".lock"}


def test_leftovers_of_dead_writers_are_removed_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    dead, living = dead_process(), os.getppid()
    for name in ("a.txt", "b.txt"):
        (tmp_path / leftover(name, dead)).touch()
        (tmp_path / leftover(name, living)).touch()
    write_text(tmp_path / "a.txt", "new")
    assert hidden(tmp_path) == {leftover("a.txt", living), leftover("b.txt", dead), leftover("b.txt", living)}


def test_a_writer_on_another_machine_keeps_its_file_unless_its_run_has_ended(tmp_path: Path) -> None:
    """In a shared folder the number of a process says nothing about a process of another machine."""
    dead = dead_process()
    with RunLock().acquire(tmp_path):
        ours = os.environ[RUN_VARIABLE]
        of_this_run = leftover("a.txt", dead, run=ours, machine="node-2")
        of_nobody = leftover("a.txt", dead, machine="node-2")
        of_an_earlier_run = leftover("a.txt", dead, run="0123456789abcdef", machine="node-2")
        for name in (of_this_run, of_nobody, of_an_earlier_run):
            (tmp_path / name).touch()
        write_text(tmp_path / "a.txt", "new")
        assert hidden(tmp_path) == {of_this_run, of_nobody}
    write_text(tmp_path / "a.txt", "newer")
    assert hidden(tmp_path) == {of_this_run, of_nobody}


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    code = (
        "import os, signal, sys\n"
        "from nn_interpretability.storage.product import writing\n"
        "with writing(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('ne')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = run_python(code, tmp_path / "a.txt")
    assert killed.returncode == -9
    assert verified(tmp_path / "a.txt").read_text() == "old"
    assert len(content(tmp_path)) == 2  # the leftover is there ...
    write_text(tmp_path / "a.txt", "new")
    assert content(tmp_path) == {"a.txt": "new"}  # ... until the next writer comes


def test_a_full_disk_gives_one_message(tmp_path: Path) -> None:
    """A limit on file sizes stands for the disk: the write fails in the same place."""
    code = (
        "import resource, signal, sys\n"
        "import numpy as np\n"
        "from nn_interpretability.storage.hdf5 import Array, write_hdf5\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "noise = np.random.default_rng(0).random(50_000)\n"
        "before = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))\n"
        "try:\n"
        "    write_hdf5(sys.argv[1], {'v': Array(noise, ('n',))}, schema='a/1', params={}, provenance={})\n"
        "finally:\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, before)  # what measures coverage writes a file at the end\n"
    )
    write_text(tmp_path / "a.h5", "old")
    failed = run_python(code, tmp_path / "a.h5")
    assert failed.returncode == 1, failed.stderr
    last = failed.stderr.strip().splitlines()[-1]
    assert f"{tmp_path / 'a.h5'} was not written" in last
    assert "raise the limit" in last
    assert content(tmp_path) == {"a.h5": "old"}


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "")
    with pytest.raises(DiskError, match=r"file/a\.txt was not written: a part of the path is a file"):
        write_text(tmp_path / "file" / "a.txt", "new")
    if os.path.ismount("/sys"):  # no folder of a plain file system keeps root from writing
        with pytest.raises(DiskError, match=r"/sys/kernel/a\.txt was not written: the (folder|file system) is"):
            write_text("/sys/kernel/a.txt", "new")


def test_an_error_about_another_file_keeps_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(PermissionError, match="elsewhere") as caught, writing(tmp_path / "a.txt"):
        raise PermissionError(13, "elsewhere", "/data/input.idx")
    assert caught.value.filename == "/data/input.idx"


@pytest.mark.parametrize("damage", ["flip", "truncate", "no digest"])
def test_a_damaged_product_is_set_aside(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.txt"
    with RunLock().acquire(tmp_path):
        write_text(path, "abcdef")
    expected = digest_of(path)
    if damage == "no digest":
        sidecar_of(path).unlink()
    else:
        path.write_text("abcdeg" if damage == "flip" else "abc")
    found = digest_of(path)
    with pytest.raises(BrokenProductError) as caught:
        verified(path)
    message = str(caught.value)
    assert str(path) in message
    assert found in message
    assert ("a.txt.sha256 is missing" if damage == "no digest" else expected) in message
    assert "the next run of the same command makes it again" in message
    assert {p.name for p in tmp_path.iterdir()} == {"a.txt.broken", ".lock"}


def test_a_copy_without_its_digest_is_left_as_it_is(tmp_path: Path) -> None:
    """Outside of any results folder it may be a file of the user's."""
    (tmp_path / "copy.h5").write_text("abc")
    with pytest.raises(BrokenProductError, match=r"copy\.h5\.sha256 is missing: copy that too"):
        verified(tmp_path / "copy.h5")
    assert content(tmp_path) == {"copy.h5": "abc"}
    subprocess.run("sha256sum copy.h5 > copy.h5.sha256", shell=True, cwd=tmp_path, check=True)
    assert verified(tmp_path / "copy.h5")


def test_a_missing_product_is_named(tmp_path: Path) -> None:
    with pytest.raises(BrokenProductError, match=r"a\.json is missing"):
        read_json(tmp_path / "a.json")


def test_json_is_sorted_plain_and_read_back(tmp_path: Path) -> None:
    value = {"b": np.float32(0.5), "a": [np.int64(1), np.arange(2)], "ä": None, "p": Path("x/y"), "t": True}
    write_json(tmp_path / "a.json", value)
    write_json(tmp_path / "b.json", dict(reversed(value.items())))
    expected = {"a": [1, [0, 1]], "b": 0.5, "p": "x/y", "t": True, "ä": None}
    assert read_json(tmp_path / "a.json") == expected
    assert (tmp_path / "a.json").read_text() == json.dumps(expected, indent=2, ensure_ascii=False) + "\n"
    assert digest_of(tmp_path / "a.json") == digest_of(tmp_path / "b.json")


@pytest.mark.parametrize(
    "value", [{"a": [0.0, float("nan")]}, {"a": [0.0, np.float32("nan")]}, {"a": np.array([0.0, np.nan])}]
)
def test_json_refuses_nan_and_says_where(tmp_path: Path, value: object) -> None:
    with pytest.raises(ValueError, match=r"a\.json: a\[1\] is nan"):
        write_json(tmp_path / "a.json", value)
    assert not list(tmp_path.iterdir())


def test_a_table_reads_back_exactly(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(size=50) ** 9
    frame = pd.DataFrame({"method": ["nan", "NA"] * 25, "image": pd.array([1, None] * 25, "Int64"), "value": numbers})
    write_csv(tmp_path / "a.csv", frame)
    back = read_csv(tmp_path / "a.csv")
    assert back["value"].to_numpy().tobytes() == numbers.tobytes()
    assert back["method"].tolist() == ["nan", "NA"] * 25
    assert back["image"].isna().tolist() == [False, True] * 25
    assert (tmp_path / "a.csv").read_bytes().count(b"\r") == 0


@pytest.mark.parametrize("dtype", ["float32", "float64", "Float64"])
def test_a_table_refuses_nan_and_says_where(tmp_path: Path, dtype: str) -> None:
    with pytest.raises(ValueError, match=r"a\.csv: column 'value' has nan in row 1"):
        write_csv(tmp_path / "a.csv", pd.DataFrame({"value": pd.array([1.0, None], dtype=dtype)}))
    assert not list(tmp_path.iterdir())


def test_writing_costs_no_torch_no_pandas_no_h5py() -> None:
    code = (
        "import sys\n"
        "import nn_interpretability.storage.product, nn_interpretability.storage.manifest\n"
        "import nn_interpretability.storage.verify, nn_interpretability.storage.provenance\n"
        "import nn_interpretability.code_digest\n"
        "print(sorted({'torch', 'pandas', 'h5py', 'numpy'} & set(sys.modules)))\n"
    )
    assert run_python(code).stdout.strip() == "[]"


def run_python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    source = Path(__file__).resolve().parents[2] / "src"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(source)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
