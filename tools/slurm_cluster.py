"""Start a Slurm cluster of one node on this machine, for the tests in tests/cluster, and remove it without a trace.

Run by `make test-cluster`; needs root on Debian or Ubuntu, and the standard library only. The cluster needs no systemd
and no accounting, listens on loopback alone, and has one pretended GPU (its device file is /dev/null). Its only file
outside of its own folder is /etc/slurm/slurm.conf, where clients look for it, and gres.conf and cgroup.conf beside it.

A machine that has a Slurm already is left alone: nothing is touched where there is a slurm.conf without our mark, or
where a daemon of Slurm runs that is not ours. What an earlier call of this tool left over (a killed one) is removed.

    slurm_cluster.py start | stop | status | run COMMAND...
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

MARK = "# Made by tools/slurm_cluster.py of nn_interpretability for its tests, which remove it again."
PACKAGES = {"slurmctld": "slurmctld", "slurmd": "slurmd", "slurm-client": "squeue", "munge": "munged"}
DAEMONS = ("slurmctld", "slurmd", "slurmdbd")
CLUSTER = "nn_interpretability_tests"
CPUS, MEMORY_MB = 4, 8000
SECONDS_TO_START, SECONDS_TO_STOP = 30.0, 15.0


REFUSED = 69
"""Exit code, EX_UNAVAILABLE of sysexits.h, which pytest does not use."""


class Refused(Exception):  # noqa: N818 - it is an answer, not a defect
    """Why nothing was done, in one sentence that says what can be."""


@dataclass(frozen=True)
class Places:
    """Where things lie.

    Attributes
    ----------
    run
        The cluster's own folder: state, logs, keys, numbers of processes.
    etc
        Where clients of Slurm look for their configuration.
    proc
        What the kernel says about processes.
    """

    run: Path = Path("/run/nn_interpretability-slurm")
    etc: Path = Path("/etc/slurm")
    proc: Path = Path("/proc")

    @property
    def configuration(self) -> Path:
        """The file by which clients find a cluster."""
        return self.etc / "slurm.conf"

    @property
    def pid_files(self) -> list[Path]:
        """In the order in which daemons are stopped."""
        return [self.run / name for name in ("slurmd.pid", "slurmctld.pid", "munged.pid")]


# What is there ------------------------------------------------------------------------------------------------------


def has_mark(file: Path) -> bool:
    """Whether a file was made here."""
    try:
        return file.read_text(errors="replace").startswith(MARK)
    except OSError:
        return False


def is_alive(pid: int, proc: Path) -> bool:
    """Whether a process runs; one that has ended but was not yet waited for (a zombie) does not."""
    try:
        status = (proc / str(pid) / "stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def own_processes(places: Places) -> dict[int, Path]:
    """Return the daemons of our cluster that run, by number, with the file that names each."""
    found = {}
    for file in places.pid_files:
        try:
            pid = int(file.read_text())
        except (OSError, ValueError):
            continue
        if is_alive(pid, places.proc):
            found[pid] = file
    return found


def processes_called(names: Iterable[str], proc: Path) -> dict[int, str]:
    """Return the running processes of these names, by number."""
    wanted, found = set(names), {}
    for entry in proc.iterdir():
        if entry.name.isdigit() and is_alive(int(entry.name), proc):
            try:
                name = (entry / "comm").read_text().strip()
            except OSError:
                continue
            if name in wanted:
                found[int(entry.name)] = name
    return found


def own_jobs(places: Places) -> list[int]:
    """Return the processes of jobs of our cluster: Slurm writes the cluster's name into the environment of each."""
    mark, found = f"SLURM_CLUSTER_NAME={CLUSTER}".encode(), []
    for entry in places.proc.iterdir():
        if entry.name.isdigit() and is_alive(int(entry.name), places.proc):
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if mark in environment:
                found.append(int(entry.name))
    return found


def why_not_here(places: Places) -> str | None:
    """Return why this machine's Slurm must be left alone; None if there is none, or only our own left-over."""
    if places.configuration.exists() and not has_mark(places.configuration):
        return f"{places.configuration} belongs to a Slurm that is not ours"
    foreign = processes_called(DAEMONS, places.proc).items() - {
        (pid, file.stem) for pid, file in own_processes(places).items()
    }
    if foreign:
        names = ", ".join(f"{name} (process {pid})" for pid, name in sorted(foreign))
        return f"a Slurm that is not ours runs here: {names}"
    return None


def why_not_installable(missing: Mapping[str, str], *, is_root: bool, has_apt: bool) -> str | None:
    """Return why the cluster cannot be started with what is there; None if it can."""
    if not is_root:
        return "it needs root"
    if missing and not has_apt:
        return f"these programs are missing, and this system has no apt-get: {', '.join(missing.values())}"
    return None


# What is written ----------------------------------------------------------------------------------------------------


def configurations(run: Path, host: str, port: int) -> dict[str, str]:
    """Return the configuration files of the cluster by name.

    What is particular: loopback alone; no systemd, cgroups or accounting; more CPUs than the machine may have
    (config_overrides), so that jobs can wait for the GPU and for nothing else; jobs are remembered for an hour.
    """
    settings = {
        "ClusterName": CLUSTER,
        "SlurmctldHost": f"{host}(127.0.0.1)",
        "SlurmctldPort": port,
        "SlurmdPort": port + 1,
        "SlurmUser": "root",
        "SlurmdUser": "root",
        "AuthType": "auth/munge",
        "AuthInfo": f"socket={run}/munged.socket",
        "CredType": "cred/munge",
        "CommunicationParameters": "NoInAddrAny,NoCtldInAddrAny",
        "StateSaveLocation": f"{run}/state",
        "SlurmdSpoolDir": f"{run}/spool",
        "SlurmctldPidFile": f"{run}/slurmctld.pid",
        "SlurmdPidFile": f"{run}/slurmd.pid",
        "SlurmctldLogFile": f"{run}/slurmctld.log",
        "SlurmdLogFile": f"{run}/slurmd.log",
        "ProctrackType": "proctrack/linuxproc",
        "SlurmdParameters": "config_overrides",
        "TaskPlugin": "task/none",
        "SwitchType": "switch/none",
        "MpiDefault": "none",
        "ReturnToService": 2,
        "SchedulerType": "sched/backfill",
        "SchedulerParameters": "sched_interval=2,bf_interval=2,batch_sched_delay=0",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_CPU_Memory",
        "GresTypes": "gpu",
        "AccountingStorageType": "accounting_storage/none",
        "JobAcctGatherType": "jobacct_gather/none",
        "JobCompType": "jobcomp/none",
        "MinJobAge": 3600,
        "KillWait": 5,
    }
    lines = [f"{name}={value}" for name, value in settings.items()]
    lines += [f"NodeName={host} NodeAddr=127.0.0.1 CPUs={CPUS} RealMemory={MEMORY_MB} Gres=gpu:1 State=UNKNOWN"]
    lines += [f"PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP"]
    files = {
        "slurm.conf": "\n".join(lines),
        "gres.conf": f"NodeName={host} Name=gpu File=/dev/null",
        "cgroup.conf": "CgroupPlugin=autodetect",
    }
    return {name: f"{MARK}\n{text}\n" for name, text in files.items()}


def write_configurations(places: Places, host: str, port: int) -> None:
    """Write the configuration where clients look for it; in a new folder if there is none."""
    if not places.etc.exists():
        places.etc.mkdir()
        (places.run / "made_etc").touch()
    for name, text in configurations(places.run, host, port).items():
        target = places.etc / name
        if target.exists() and not has_mark(target):
            raise Refused(f"{target} is not ours; nothing was started. Remove it, or run the tests on another machine.")
        target.write_text(text)


def remove_configurations(places: Places) -> None:
    """Remove what carries our mark, and the folder if we made it."""
    for name in configurations(places.run, "host", 0):
        if has_mark(places.etc / name):
            (places.etc / name).unlink()
    if (places.run / "made_etc").exists() and not any(places.etc.iterdir()):
        places.etc.rmdir()


# Starting and stopping ----------------------------------------------------------------------------------------------


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition holds; return whether it did in time."""
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.1)
    return True


def missing_programs() -> dict[str, str]:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return {package: program for package, program in PACKAGES.items() if not shutil.which(program, path=path)}


def install(packages: Sequence[str]) -> None:
    """Install Debian packages, which stay; without a configuration no daemon of Slurm starts by itself."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    print(f"Installing Debian packages for the test cluster: {' '.join(packages)} (about 4 MB).", flush=True)
    apt = ["apt-get", "--quiet=2"]
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run(
            [*apt, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        if done.returncode != 0:
            print(done.stdout.decode(errors="replace"), file=sys.stderr)
            raise Refused(f"'{' '.join([*apt, *words])}' failed, see above; nothing was started.")


def free_port() -> int:
    """Return a port such that it and the next one are free on loopback."""
    import socket

    for port in range(26817, 27817, 2):
        try:
            for number in (port, port + 1):
                with socket.create_server(("127.0.0.1", number)):
                    pass
        except OSError:
            continue
        return port
    raise Refused("no two neighbouring ports from 26817 to 27816 are free on 127.0.0.1; nothing was started.")


def start(places: Places) -> None:
    """Start the cluster; whatever goes wrong, nothing of it stays."""
    refuse_if_foreign(places)
    missing = missing_programs()
    reason = why_not_installable(missing, is_root=os.geteuid() == 0, has_apt=shutil.which("apt-get") is not None)
    if reason:
        raise Refused(f"The test cluster cannot be started: {reason}. Nothing was done.")
    stop(places)
    if missing:
        before = processes_called(DAEMONS, places.proc)
        install(list(missing))
        if processes_called(DAEMONS, places.proc).keys() - before.keys():
            raise Refused(
                "Installing the packages started a daemon of Slurm; stop it (systemctl stop slurmctld slurmd)."
            )
    began = time.monotonic()
    try:
        _start_daemons(places)
    except BaseException:
        tell_logs(places)
        stop(places)
        raise
    print(f"The test cluster is up after {time.monotonic() - began:.1f} s.", flush=True)


def refuse_if_foreign(places: Places) -> None:
    reason = why_not_here(places)
    if reason:
        raise Refused(f"The test cluster is not started: {reason}. Nothing was touched; use another machine.")


def _start_daemons(places: Places) -> None:
    run, host = places.run, os.uname().nodename.partition(".")[0]
    for folder in (run, run / "state", run / "spool"):
        folder.mkdir(mode=0o755, exist_ok=True)
    key = run / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    write_configurations(places, host, free_port())
    named = {"key-file": key, "socket": "munged.socket", "pid-file": "munged.pid", "log-file": "munged.log"}
    named["seed-file"] = "munged.seed"
    _call("munged", *(f"--{option}={run / value}" for option, value in named.items()))
    for daemon in ("slurmctld", "slurmd"):
        _call(daemon, "-f", str(places.configuration))
    if not wait_until(lambda: "idle" in node_states(), SECONDS_TO_START):
        raise Refused(f"the node did not become idle within {SECONDS_TO_START:.0f} s: {node_states() or 'no answer'}")


def _call(program: str, *arguments: str) -> None:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    done = subprocess.run(
        [program, *arguments], env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0:
        raise Refused(f"{program} did not start: {(done.stderr or done.stdout).strip()}")


def node_states() -> str:
    """Return what the cluster says of its nodes; empty while it does not answer."""
    try:
        told = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.strip()


def tell_logs(places: Places) -> None:
    """Print the end of each log, for whoever wonders."""
    for log in sorted(places.run.glob("*.log")):
        print(f"--- {log}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:]), file=sys.stderr)


def stop(places: Places) -> None:
    """End our daemons and the jobs they run, and remove all files of the cluster; without effect if there is none."""
    if has_mark(places.configuration) and own_processes(places):
        subprocess.run(["scancel", "--state=PENDING,RUNNING"], capture_output=True, timeout=30, check=False)
        wait_until(lambda: not _jobs_left(), SECONDS_TO_STOP)
    end_processes(places)
    remove_configurations(places)
    shutil.rmtree(places.run, ignore_errors=True)


def _jobs_left() -> bool:
    try:
        told = subprocess.run(["squeue", "-h"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return bool(told.stdout.strip())


def end_processes(places: Places) -> None:
    """End our daemons, and jobs that are left, one after the other: with SIGTERM, and with SIGKILL those that stay."""
    for pid in [*own_processes(places), *own_jobs(places)]:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                break
            if wait_until(lambda pid=pid: not is_alive(pid, places.proc), SECONDS_TO_STOP):
                break


def status(places: Places) -> str:
    """Say in one line what there is."""
    reason = why_not_here(places)
    if reason:
        return f"Not ours: {reason}."
    running = own_processes(places)
    if not running:
        left = " (files of an ended one are left; stop removes them)" if has_mark(places.configuration) else ""
        return f"No test cluster runs{left}."
    daemons = ", ".join(file.stem for file in running.values())
    return f"The test cluster runs ({daemons}); node: {node_states() or 'silent'}."


# The command --------------------------------------------------------------------------------------------------------


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end this process as an exception does, so that the cluster is stopped."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_with_cluster(places: Places, command: Sequence[str]) -> int:
    """Start the cluster, run a command, stop the cluster, whatever happens; return the command's exit code."""
    with ended_by_signals():
        start(places)
        try:
            return run_until_ended(command)
        finally:
            stop(places)


def run_until_ended(command: Sequence[str]) -> int:
    """Run a command and return its exit code; if this process is ended meanwhile, end it too, as from a keyboard."""
    with subprocess.Popen(command) as running:
        try:
            return running.wait()
        except BaseException:
            running.send_signal(signal.SIGINT)
            if not wait_until(lambda: running.poll() is not None, SECONDS_TO_STOP):
                running.kill()
            raise


def main(arguments: Sequence[str] | None = None, places: Places | None = None) -> int:
    """Do what is asked; return the exit code, 69 if it was refused."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("action", choices=["start", "stop", "status", "run"])
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run with the cluster; only with run")
    options = parser.parse_args(arguments)
    places = places or Places()
    try:
        if options.action == "run":
            return run_with_cluster(places, options.command)
        if options.action == "status":
            print(status(places))
        else:
            {"start": start, "stop": stop}[options.action](places)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
