"""One run per results folder, by a lock that the kernel frees when its holder dies, whatever killed it.

The main process of a run holds an exclusive ``flock`` on ``<results>/.lock`` from start to end, and passes
the identity of the run to its jobs through the environment variable ``NN_INTERPRETABILITY_RUN``. A writer
asks :func:`still_ours` before it renames a product into place: a job whose main process was killed goes on
computing, and must not overwrite what a later run has made meanwhile.

Notes
-----
``flock`` works on all local file systems, and between machines on NFS (Linux turns it into a lock of the
server) and on Lustre mounted with ``flock``. On network file systems that keep such locks on one machine
(``local_lock`` on NFS, ``localflock`` on Lustre) jobs on other machines would see no holder and refuse to
write; mount the folder without that option, or choose another results folder. Between the question and the
renaming lie some microseconds in which the lock may change hands; then an orphan puts in place a whole file,
made by the same code from the same inputs.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import secrets
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from nn_interpretability.errors import LockedError
from nn_interpretability.storage.disk import absolute, disk_errors_named

__all__ = ["LOCK_NAME", "RUN_VARIABLE", "RunLock", "results_root", "still_ours"]

LOCK_NAME = ".lock"
RUN_VARIABLE = "NN_INTERPRETABILITY_RUN"

# A writer that asks whether the lock is held touches it for microseconds, which must not turn a new run away.
_PATIENCE_S = 0.5
_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


class RunLock:
    """The right of one run to change a results folder; a context manager.

    Examples
    --------
    >>> with RunLock().acquire(Path("results")):  # doctest: +SKIP
    ...     run_the_workflow()
    """

    def __init__(self) -> None:
        self._descriptor: int | None = None

    def acquire(self, results: Path | str) -> RunLock:
        """Take the lock of a results folder (which is made if need be) for the life of this process.

        A process that a run has started (a nested call of the workflow) is part of that run: it takes
        nothing.

        Returns
        -------
        RunLock
            This lock.

        Raises
        ------
        LockedError
            Another run holds the lock, or the run that started this process has ended, or the file system has
            no locks; one sentence says which, and what to do.
        DiskError
            The folder cannot be written to.
        """
        lock_file = Path(results) / LOCK_NAME
        if os.environ.get(RUN_VARIABLE):
            if still_ours(lock_file):
                return self
            raise LockedError(
                f"{results} cannot be used: the run that started this process has ended, or another run has taken over."
            )
        with disk_errors_named(lock_file):
            lock_file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _lock_or_refuse(descriptor, lock_file)
            run = secrets.token_hex(8)
            _record(descriptor, _this_process(run))
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        _HELD.add(self)
        os.environ[RUN_VARIABLE] = run
        return self

    def release(self) -> None:
        """Give the lock back; without effect where none was taken. The ``.lock`` file stays."""
        if self._descriptor is None:
            return
        _record(self._descriptor, {"run": None})
        self._close()
        os.environ.pop(RUN_VARIABLE, None)

    def __enter__(self) -> RunLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        _HELD.discard(self)


def results_root(path: Path | str) -> Path | None:
    """Return the results folder of a file: the nearest folder above that a run has locked at some time, or None."""
    return next((folder for folder in absolute(path).parents if _holder(folder / LOCK_NAME)), None)


def still_ours(results_file: Path | str) -> bool:
    """Whether this process may change a file of a results folder.

    True outside of a workflow run. Inside of one (``NN_INTERPRETABILITY_RUN`` is set): whether the nearest
    ``.lock`` above the file names this run and somebody holds it.
    """
    run = os.environ.get(RUN_VARIABLE)
    if not run:
        return True
    root = results_root(results_file)
    return root is not None and _holder(root / LOCK_NAME).get("run") == run and _is_held(root / LOCK_NAME)


def _lock_or_refuse(descriptor: int, lock_file: Path) -> None:
    give_up = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise LockedError(_in_use(lock_file)) from None
            time.sleep(0.02)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            raise LockedError(
                f"{lock_file.parent} cannot be locked, because its file system has no file locks "
                f"({error.strerror}); choose a results folder on another file system."
            ) from error


def _in_use(lock_file: Path) -> str:
    holder = _holder(lock_file)
    who = (
        f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
        if holder.get("run")
        else "its process is starting or ending"
    )
    return (
        f"{lock_file.parent} is in use by another run ({who}); wait until it has ended, or stop it, "
        "then run the same command again."
    )


def _this_process(run: str) -> dict[str, Any]:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return {"run": run, "pid": os.getpid(), "host": platform.node(), "since": since}


def _record(descriptor: int, holder: dict[str, Any]) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, (json.dumps(holder) + "\n").encode(), 0)


def _holder(lock_file: Path) -> dict[str, Any]:
    """What a lock file says about its holder; empty where there is none, or one that is not ours."""
    try:
        holder = json.loads(lock_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) and "run" in holder else {}


def _is_held(lock_file: Path) -> bool:
    try:
        descriptor = os.open(lock_file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)  # which also gives a lock back that we got
    return False


_HELD: set[RunLock] = set()


def _drop_in_child() -> None:
    # A child made by fork without exec shares the lock, and would keep it after the main process has died.
    for lock in list(_HELD):
        lock._close()


os.register_at_fork(after_in_child=_drop_in_child)
