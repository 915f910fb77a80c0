"""The test cluster as the tests see it: runs on it, its jobs, its node."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from types import ModuleType

from workflow_runs import REPOSITORY, environment

from nn_interpretability.storage.product import recorded_digest

STUDY = REPOSITORY / "tests" / "cluster" / "study.yaml"
TARGETS = ("figures", "numbers", "metrics", "passes")
#: Seconds; a busy machine takes long.
PATIENCE = 300.0


@cache
def tool() -> ModuleType:
    """Return the program that starts the test cluster, as a module."""
    spec = importlib.util.spec_from_file_location("slurm_cluster", REPOSITORY / "tools" / "slurm_cluster.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def why_no_cluster() -> str | None:
    """Return why the tests of this folder cannot run; None if our cluster runs."""
    if tool().own_processes(tool().Places()) and tool().node_states():
        return None
    return "no test cluster runs here: 'make test-cluster' starts one (root on Debian or Ubuntu, no other Slurm)"


@dataclass(frozen=True)
class SlurmJob:
    """What Slurm says of a job.

    Attributes
    ----------
    number
        Slurm's number of the job.
    state
        Such as ``"COMPLETED"``.
    comment
        The rule and its wildcards, as Snakemake's plugin notes them.
    gpus
        GPUs that the job asked for.
    submitted, started, ended
        When; None if not yet.
    """

    number: int
    state: str
    comment: str
    gpus: int
    submitted: datetime | None
    started: datetime | None
    ended: datetime | None


def ask(*words: str) -> str:
    """Call a program of Slurm and return what it prints."""
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout


def jobs(folder: Path) -> list[SlurmJob]:
    """Return the jobs of all runs in a folder, in the order of their numbers."""
    found = []
    for line in ask("scontrol", "show", "job", "--oneliner").splitlines():
        pairs = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if pairs.get("WorkDir") == str(folder):
            times = (_time(pairs.get(name)) for name in ("SubmitTime", "StartTime", "EndTime"))
            gpus = int(pairs.get("TresPerJob", ":0").rpartition(":")[2])
            found.append(SlurmJob(int(pairs["JobId"]), pairs["JobState"], pairs.get("Comment", ""), gpus, *times))
    return sorted(found, key=lambda job: job.number)


def _time(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text or "")
    except ValueError:
        return None


def queue() -> list[str]:
    """Return the state of each job that waits, runs or is being ended."""
    return ask("squeue", "--noheader", "--format=%T").split()


def set_node(state: str) -> None:
    """Drain or resume the node."""
    node = ask("sinfo", "--noheader", "--format=%n").strip()
    ask("scontrol", "update", f"nodename={node}", f"state={state}", "reason=test")


def wait_for(condition: Callable[[], object], running: subprocess.Popen[str] | None = None) -> None:
    """Wait until a condition holds, while a run goes on."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        if running is not None and running.poll() is not None:
            raise AssertionError(f"the run ended: {running.communicate()[1]}")
        assert time.monotonic() < give_up, "it never came"
        time.sleep(0.1)


@dataclass(frozen=True)
class Run:
    """A folder in which the small study runs on the cluster.

    Attributes
    ----------
    folder, checkout
        Where it runs, and the code.
    """

    folder: Path
    checkout: Path

    @property
    def results(self) -> Path:
        """The results folder."""
        return self.folder / "results"

    def words(self, *targets: str, options: Sequence[str] = (), status: str = "squeue") -> list[str]:
        """Return the call of Snakemake that runs jobs on the cluster."""
        words = [sys.executable, "-m", "snakemake", "--snakefile", str(self.checkout / "Snakefile")]
        words += ["--workflow-profile", str(self.checkout / "profiles" / "slurm"), "--configfile", str(STUDY)]
        words += ["--config", "device=auto", "--default-resources", "slurm_partition=main", "mem_mb=1000", "runtime=20"]
        words += ["--slurm-status-command", status, "--slurm-init-seconds-before-status-checks", "1"]
        return [*words, "--latency-wait", "10", *options, "--", *targets]

    def generic_words(self, *targets: str) -> list[str]:
        """Return the call of Snakemake that runs jobs through the generic executor, which knows nothing of Slurm."""
        profiles = self.folder / "profiles"  # the profile names its script as people call it, from the checkout
        if not profiles.exists():
            profiles.symlink_to(self.checkout / "profiles")
        words = [sys.executable, "-m", "snakemake", "--snakefile", str(self.checkout / "Snakefile")]
        words += [
            "--workflow-profile",
            "profiles/cluster-generic",
            "--configfile",
            str(STUDY),
            "--config",
            "device=auto",
        ]
        words += ["--default-resources", "gpu=0", "mem_mb=1000", "runtime=20"]
        words += ["--seconds-between-status-checks", "1"]
        return [*words, "--", *targets]

    def run(self, *targets: str, **options: str) -> subprocess.CompletedProcess[str]:
        """Run and wait."""
        return self.told(self.words(*targets, **options))

    def told(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        """Call a program in the folder."""
        return subprocess.run(
            words,
            cwd=self.folder,
            env=pretending(self.checkout),
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )

    def start(self, *targets: str) -> subprocess.Popen[str]:
        """Run in a session of its own, so that it can be interrupted as from a keyboard."""
        return self.started(self.words(*targets))

    def started(self, words: list[str]) -> subprocess.Popen[str]:
        """Start a program in the folder, in a session of its own.

        Tests that were started in the background ignore interrupts, and so would what they start.
        """
        words = ["env", "--default-signal=INT", *words]
        return subprocess.Popen(
            words, cwd=self.folder, env=pretending(self.checkout), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def forget(self, *names: str) -> None:
        """Remove products."""
        for name in names:
            (self.results / name).unlink()

    def processes_of(self, script: str) -> list[int]:
        """Return the processes that execute a script of the workflow in this folder."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    if (entry / "cwd").readlink() == self.folder and any(
                        word.endswith(f".{script}.py".encode()) for word in words[1:3]
                    ):
                        found.append(int(entry.name))
                except OSError:
                    continue
        return found


def pretending(checkout: Path) -> dict[str, str]:
    """Return the environment of a run, with a pretended GPU, and without data of the person who runs the tests."""
    return environment(checkout, NN_INTERPRETABILITY_PRETEND_GPU="1")


def local_run(folder: Path, checkout: Path) -> subprocess.CompletedProcess[str]:
    """Run the same study on this machine, without the cluster."""
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(checkout / "Snakefile"), "--configfile", str(STUDY)]
    words += ["--cores", str(min(2, os.cpu_count() or 1)), "--", *TARGETS]
    env = pretending(checkout)
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=900, check=False)


def digests(results: Path) -> dict[str, str | None]:
    """Return the SHA-256 of every product, as its writer recorded it."""
    found = (path.with_suffix("") for path in results.rglob("*.sha256"))
    return {str(path.relative_to(results)): recorded_digest(path) for path in found}
