"""One run per results folder, with real processes: refusal, death of the holder, orphans."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nn_interpretability.errors import LockedError
from nn_interpretability.storage.lock import RUN_VARIABLE, RunLock, results_root, still_ours
from nn_interpretability.storage.product import verified, write_text

SOURCE = Path(__file__).resolve().parents[2] / "src"

# A run: takes the lock, says so, lives until its input is closed.
HOLDER = (
    "import sys\n"
    "from nn_interpretability.storage.lock import RunLock\n"
    "lock = RunLock().acquire(sys.argv[1])\n"
    "print('locked', flush=True)\n"
    "sys.stdin.read()\n"
)
FORKING_HOLDER = (
    "import os, sys, time\n"
    "from nn_interpretability.storage.lock import RunLock\n"
    "lock = RunLock().acquire(sys.argv[1])\n"
    "child = os.fork()\n"
    "if child:\n"
    "    print(child, flush=True)\n"
    "time.sleep(60)\n"
)
# A run with a job that outlives it: the job writes when it is told to.
RUN_WITH_JOB = (
    "import subprocess, sys\n"
    "from nn_interpretability.storage.lock import RunLock\n"
    "lock = RunLock().acquire(sys.argv[1])\n"
    "job = subprocess.Popen([sys.executable, '-c', sys.argv[2], *sys.argv[1:2]])\n"
    "print(job.pid, flush=True)\n"
    "job.wait()\n"
)
JOB = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from nn_interpretability.storage.product import writing\n"
    "results = Path(sys.argv[1])\n"
    "try:\n"
    "    with writing(results / 'sub' / 'a.txt') as temporary:\n"
    "        temporary.write_text('from the job')\n"
    "        (results / 'ready').write_text('yes')\n"
    "        while not (results / 'go').exists():\n"
    "            time.sleep(0.01)\n"
    "    (results / 'outcome').write_text('written')\n"
    "except Exception as error:\n"
    "    (results / 'outcome').write_text(f'{type(error).__name__}: {error}')\n"
)

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    processes: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(SOURCE)}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture(autouse=True)
def no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RUN_VARIABLE, raising=False)


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def wait_for(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists() or not path.stat().st_size:
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.01)


def test_a_second_run_is_refused_with_the_first_one_s_process(tmp_path: Path, start: Start) -> None:
    holder = start(HOLDER, tmp_path)
    assert first_line(holder) == "locked"
    with pytest.raises(LockedError) as caught:
        RunLock().acquire(tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path} is in use by another run (process {holder.pid} on ")
    assert "\n" not in message
    assert RUN_VARIABLE not in os.environ
    holder.communicate("")  # the first run ends in peace
    with RunLock().acquire(tmp_path):
        pass


def test_sigkill_of_the_holder_frees_the_lock(tmp_path: Path, start: Start) -> None:
    holder = start(HOLDER, tmp_path)
    assert first_line(holder) == "locked"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with RunLock().acquire(tmp_path):
        assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path, start: Start) -> None:
    holder = start(FORKING_HOLDER, tmp_path)
    child = int(first_line(holder))
    try:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        os.kill(child, 0)  # it lives on
        with RunLock().acquire(tmp_path):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("successor", [False, True])
def test_an_orphan_refuses_to_write(tmp_path: Path, start: Start, successor: bool) -> None:
    run = start(RUN_WITH_JOB, tmp_path, JOB)
    assert first_line(run).isdigit()
    wait_for(tmp_path / "ready")
    run.send_signal(signal.SIGKILL)
    run.wait()
    lock = RunLock()
    if successor:
        lock.acquire(tmp_path)
        write_text(tmp_path / "sub" / "a.txt", "from the successor")
    (tmp_path / "go").touch()
    wait_for(tmp_path / "outcome")
    outcome = (tmp_path / "outcome").read_text()
    assert outcome.startswith("LockedError")
    assert f"{tmp_path / 'sub' / 'a.txt'} was not written" in outcome
    assert "ended" in outcome
    left = {path.name for path in (tmp_path / "sub").iterdir()}
    assert left == ({"a.txt", "a.txt.sha256"} if successor else set())
    if successor:
        assert verified(tmp_path / "sub" / "a.txt").read_text() == "from the successor"
    lock.release()


def test_a_job_of_a_living_run_writes(tmp_path: Path, start: Start) -> None:
    (tmp_path / "go").touch()
    run = start(RUN_WITH_JOB, tmp_path, JOB)
    assert first_line(run).isdigit()
    wait_for(tmp_path / "outcome")
    run.wait()
    assert (tmp_path / "outcome").read_text() == "written"
    assert verified(tmp_path / "sub" / "a.txt").read_text() == "from the job"


def test_a_job_that_the_run_did_not_start_itself_writes_while_the_run_lives(tmp_path: Path, start: Start) -> None:
    """As a cluster starts it: no child of the run, which it knows by its environment and the folder alone."""
    holder = start(HOLDER, tmp_path)
    assert first_line(holder) == "locked"
    run = json.loads((tmp_path / ".lock").read_text())["run"]
    (tmp_path / "go").touch()
    for name, outcome in ((run, "written"), ("0123456789abcdef", "LockedError")):
        (tmp_path / "outcome").unlink(missing_ok=True)
        job = subprocess.Popen(
            [sys.executable, "-c", JOB, str(tmp_path)], start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(SOURCE), RUN_VARIABLE: name},
        )  # fmt: skip
        assert job.wait(timeout=60) == 0
        assert (tmp_path / "outcome").read_text().startswith(outcome)


def test_outside_of_a_run_everybody_may_write(tmp_path: Path) -> None:
    assert still_ours(tmp_path / "a.txt")


def test_inside_of_a_run_the_folder_must_be_locked(tmp_path: Path) -> None:
    with RunLock().acquire(tmp_path / "results"):
        assert still_ours(tmp_path / "results" / "a.txt")
        assert still_ours(tmp_path / "results" / "sub" / "sub" / "a.txt")
        assert not still_ours(tmp_path / "elsewhere" / "a.txt")
        (tmp_path / "results" / ".lock").unlink()
        assert not still_ours(tmp_path / "results" / "a.txt")
    assert RUN_VARIABLE not in os.environ


def test_a_nested_call_of_the_workflow_is_part_of_the_run(tmp_path: Path) -> None:
    with RunLock().acquire(tmp_path) as outer:
        with RunLock().acquire(tmp_path):
            assert still_ours(tmp_path / "a.txt")
        assert still_ours(tmp_path / "a.txt")
        outer.release()
        assert (tmp_path / ".lock").read_text() == '{"run": null}\n'  # no clock or host stays


def test_a_process_of_an_ended_run_starts_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUN_VARIABLE, "0123456789abcdef")
    with pytest.raises(LockedError, match="the run that started this process has ended"):
        RunLock().acquire(tmp_path)


def test_an_orphan_leaves_a_damaged_file_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(tmp_path / "a.txt", "whole")
    (tmp_path / "a.txt").write_text("changed")
    (tmp_path / ".lock").touch()
    monkeypatch.setenv(RUN_VARIABLE, "0123456789abcdef")
    with pytest.raises(LockedError, match=r"a\.txt is damaged, but was left in place"):
        verified(tmp_path / "a.txt")
    assert (tmp_path / "a.txt").exists()


def test_asking_does_not_turn_a_new_run_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that asks whether the lock is held holds it itself for a moment."""
    (tmp_path / ".lock").touch()
    asking = os.open(tmp_path / ".lock", os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        os.close(asking)

    monkeypatch.setattr("nn_interpretability.storage.lock.time.sleep", nap)
    with RunLock().acquire(tmp_path):
        assert still_ours(tmp_path / "a.txt")
    assert len(naps) == 1


def test_the_lock_file_of_another_program_makes_no_results_folder(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text(str(os.getpid()))
    assert results_root(tmp_path / "a.txt") != tmp_path
    with RunLock().acquire(tmp_path / "results"):
        assert not still_ours(tmp_path / "a.txt")
        assert results_root(tmp_path / "results" / "a.txt") == tmp_path / "results"
    assert results_root(tmp_path / "results" / "a.txt") == tmp_path / "results"


def test_a_results_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "results").symlink_to("disk")
    with RunLock().acquire(tmp_path / "results"):
        assert results_root(tmp_path / "results" / "sub" / ".." / "a.txt") == tmp_path / "results"
        assert still_ours(tmp_path / "results" / "a.txt")
        write_text(tmp_path / "results" / "a.txt", "x")
