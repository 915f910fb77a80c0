"""The tool that starts a Slurm for tests: what it leaves alone, what it writes, what it removes; nothing is started."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "slurm_cluster.py"
SPEC = importlib.util.spec_from_file_location("tools_slurm_cluster", TOOL)
assert SPEC is not None
assert SPEC.loader is not None
tool = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = tool
SPEC.loader.exec_module(tool)


@pytest.fixture
def places(tmp_path: Path):
    """Return a machine of its own: no process, no Slurm."""
    for name in ("run", "proc"):
        (tmp_path / name).mkdir()
    return tool.Places(run=tmp_path / "run", etc=tmp_path / "etc", proc=tmp_path / "proc")


def process(places, pid: int, name: str, state: str = "S") -> None:
    folder = places.proc / str(pid)
    folder.mkdir()
    (folder / "comm").write_text(f"{name}\n")
    (folder / "stat").write_text(f"{pid} ({name} (odd) name) {state} 1 1\n")


def test_an_empty_machine_is_free(places) -> None:
    assert tool.why_not_here(places) is None
    assert tool.status(places) == "No test cluster runs."


def test_a_slurm_with_a_configuration_is_left_alone(places, capsys: pytest.CaptureFixture[str]) -> None:
    places.etc.mkdir()
    places.configuration.write_text("ClusterName=ours\n")
    assert "slurm.conf belongs to a Slurm that is not ours" in tool.why_not_here(places)
    assert tool.main(["start"], places) == tool.main(["run", "true"], places) == tool.REFUSED
    assert "Nothing was touched" in capsys.readouterr().err
    assert tool.main(["stop"], places) == 0
    assert places.configuration.read_text() == "ClusterName=ours\n"
    assert [path.name for path in places.etc.iterdir()] == ["slurm.conf"]


def test_a_running_daemon_is_left_alone(places) -> None:
    process(places, 7, "slurmd")
    process(places, 8, "bash")
    assert tool.why_not_here(places) == "a Slurm that is not ours runs here: slurmd (process 7)"
    with pytest.raises(tool.Refused, match="Nothing was touched"):
        tool.start(places)
    assert not places.etc.exists()


def test_a_daemon_that_has_ended_and_our_own_are_none(places) -> None:
    process(places, 7, "slurmctld", state="Z")
    process(places, 9, "slurmd")
    (places.run / "slurmd.pid").write_text("9\n")
    (places.run / "slurmctld.pid").write_text("7\n")
    (places.run / "munged.pid").write_text("no number")
    assert tool.own_processes(places) == {9: places.run / "slurmd.pid"}
    assert tool.why_not_here(places) is None


def test_the_number_of_our_daemon_given_to_another_one_is_not_ours(places) -> None:
    process(places, 9, "slurmctld")
    (places.run / "slurmd.pid").write_text("9\n")
    assert "slurmctld (process 9)" in tool.why_not_here(places)


def test_files_of_an_ended_cluster_are_told_and_removed(places) -> None:
    tool.write_configurations(places, "host", 26817)
    assert tool.why_not_here(places) is None
    assert "are left" in tool.status(places)
    (places.etc / "plugstack.conf").write_text("of the package\n")
    tool.stop(places)
    assert [path.name for path in places.etc.iterdir()] == ["plugstack.conf"]
    assert not places.run.exists()


def test_a_folder_that_was_made_is_removed(places) -> None:
    tool.write_configurations(places, "host", 26817)
    tool.remove_configurations(places)
    assert not places.etc.exists()


def test_a_file_of_somebody_else_is_not_overwritten(places) -> None:
    places.etc.mkdir()
    (places.etc / "gres.conf").write_text("Name=gpu\n")
    with pytest.raises(tool.Refused, match=r"gres\.conf is not ours"):
        tool.write_configurations(places, "host", 26817)
    tool.remove_configurations(places)
    assert {path.name: path.read_text() for path in places.etc.iterdir()} == {"gres.conf": "Name=gpu\n"}


def test_the_cluster_listens_on_loopback_has_a_pretended_gpu_and_keeps_no_accounting() -> None:
    files = tool.configurations(Path("/run/x"), "host", 26817)
    assert all(text.startswith(tool.MARK) for text in files.values())
    slurm = files["slurm.conf"].splitlines()
    assert {
        "SlurmctldHost=host(127.0.0.1)",
        "CommunicationParameters=NoInAddrAny,NoCtldInAddrAny",
        "AccountingStorageType=accounting_storage/none",
        "SlurmctldPort=26817",
        "SlurmdPort=26818",
    } <= set(slurm)
    assert re.search(r"^NodeName=host NodeAddr=127\.0\.0\.1 .* Gres=gpu:1 ", files["slurm.conf"], flags=re.MULTILINE)
    assert "File=/dev/null" in files["gres.conf"]


@pytest.mark.parametrize(
    ("missing", "is_root", "has_apt", "reason"),
    [
        ({}, True, False, None),
        ({"slurmd": "slurmd"}, True, True, None),
        ({}, False, True, "it needs root"),
        ({"slurmd": "slurmd"}, True, False, "these programs are missing, and this system has no apt-get: slurmd"),
    ],
)
def test_what_is_needed(missing: dict[str, str], is_root: bool, has_apt: bool, reason: str | None) -> None:
    assert tool.why_not_installable(missing, is_root=is_root, has_apt=has_apt) == reason


@pytest.mark.parametrize("stubborn", [False, True])
def test_processes_are_ended_by_their_numbers_and_by_force_if_they_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stubborn: bool
) -> None:
    monkeypatch.setattr(tool, "SECONDS_TO_STOP", 0.5)
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN);" if stubborn else ""
    code = f"import signal, time; {ignore} print('ready', flush=True); time.sleep(60)"
    running = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    (tmp_path / "slurmd.pid").write_text(str(running.pid))
    monkeypatch.setattr(tool, "CLUSTER", f"tests_{os.getpid()}")  # a test cluster may run meanwhile
    # The process stays a zombie until it is waited for, as where nobody waits for orphans.
    tool.end_processes(tool.Places(run=tmp_path, etc=tmp_path / "etc"))
    assert running.wait() == (-signal.SIGKILL if stubborn else -signal.SIGTERM)


def test_jobs_that_outlive_the_daemons_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "CLUSTER", f"tests_{os.getpid()}")  # a test cluster may run meanwhile
    others, ours = (
        subprocess.Popen(["sleep", "60"], env={**os.environ, "SLURM_CLUSTER_NAME": name})
        for name in ("of_somebody_else", tool.CLUSTER)
    )
    try:
        tool.end_processes(tool.Places(run=tmp_path, etc=tmp_path / "etc"))
        assert ours.wait(timeout=30) == -signal.SIGTERM
        assert others.poll() is None
    finally:
        others.kill()
        others.wait()


def test_the_cluster_is_stopped_whatever_ends_the_command(places, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    note = places.run / "interrupted"
    monkeypatch.setattr(tool, "start", lambda _: done.append("start"))
    monkeypatch.setattr(tool, "stop", lambda _: done.append("stop"))
    assert tool.main(["run", sys.executable, "-c", "raise SystemExit(5)"], places) == 5
    assert done == ["start", "stop"]
    script = f"trap 'echo > {note}' INT; sleep 1; kill -TERM {os.getpid()}; sleep 5"
    with pytest.raises(SystemExit):
        tool.run_with_cluster(places, ["env", "--default-signal=INT", "sh", "-c", script])
    assert note.exists()
    assert done == ["start", "stop"] * 2
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_what_a_failed_start_has_made_is_removed(places, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(given) -> None:
        given.run.mkdir()
        tool.write_configurations(given, "host", 26817)
        (given.run / "slurmctld.log").write_text("fatal: no\n")
        raise tool.Refused("slurmctld did not start: no")

    monkeypatch.setattr(tool, "_start_daemons", fail)
    monkeypatch.setattr(tool, "missing_programs", dict)
    monkeypatch.setattr(tool.os, "geteuid", lambda: 0)
    assert tool.main(["start"], places) == tool.REFUSED
    assert not places.etc.exists()
    assert not places.run.exists()
