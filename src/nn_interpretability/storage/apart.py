"""Look at files in a process of its own: a library that reads a damaged file may crash, or never return."""

from __future__ import annotations

import importlib
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE_S = 60.0
"""How long nothing may come back about a small file."""
BYTES_PER_SECOND = 10e6
"""How fast a large file is read at the very least."""
START_S = 120.0
"""How long the other process may take to start."""
_LATER_S = 5
"""How much later than its parent gives up a process ends by itself: its parent may have been killed."""


class NoReaderError(OSError):
    """The other process could not be started: nothing is known about the file."""


class Apart:
    """A function that tells the faults of a file, run by another process, which is started when it is first needed.

    A process that ends or does not answer is a fault of the file that it had been given, and another one takes its
    place.

    Parameters
    ----------
    module, function
        Where the function is; it takes a path and yields faults, in words.
    patience_s
        Seconds without an answer after which a small file is given up.
    """

    def __init__(self, module: str, function: str, *, patience_s: float = PATIENCE_S) -> None:
        self._place = (module, function)
        self._patience_s = patience_s
        self._running: tuple[subprocess.Popen[bytes], Connection] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def faults(self, path: Path) -> list[str]:
        """The first fault that the function finds, or that of ending its process, or of saying nothing for too long.

        Raises
        ------
        OSError
            If the file is not there.
        NoReaderError
            If no process can be had.
        """
        patience = self._patience_s + path.stat().st_size / BYTES_PER_SECOND
        answers = self._asked(json.dumps([os.fsdecode(path), math.ceil(patience) + _LATER_S]).encode())
        if not answers.poll(patience):
            self._end()
            return [f"cannot be read (its reader did not come to an end in {patience:.0f} s)"]
        try:
            found: list[str] = json.loads(answers.recv_bytes())
        except (EOFError, OSError):
            self._end()
            return ["cannot be read (it makes its reader crash)"]
        return found

    def _asked(self, request: bytes) -> Connection:
        """Hand a request to the process; to a new one, if it ended since the last."""
        _, connection = self._running or self._start()
        try:
            connection.send_bytes(request)
        except OSError:
            self._end()
            _, connection = self._start()
            connection.send_bytes(request)
        return connection

    def _start(self) -> tuple[subprocess.Popen[bytes], Connection]:
        ours, theirs = Pipe()
        number = theirs.fileno()
        # -P: a file in the folder of the caller must not stand for a module of the same name.
        words = [sys.executable, "-P", "-c", f"from {__name__} import serve; serve{(*self._place, number)!r}"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            process = subprocess.Popen(
                words, pass_fds=[number], env=environment,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except OSError as error:
            ours.close()
            raise NoReaderError(f"The process that reads files could not be started: {error}.") from error
        finally:
            theirs.close()
        self._running = (process, ours)
        try:
            ready = ours.poll(START_S) and ours.recv_bytes() == b"ready"
        except (EOFError, OSError):
            ready = False
        if not ready:
            self._end()
            raise NoReaderError(f"The process that reads files did not start; to see why: {' '.join(words[:-1])} ...")
        return self._running

    def _end(self) -> None:
        if self._running is not None:
            process, connection = self._running
            self._running = None
            process.kill()
            process.wait()
            connection.close()


def serve(module: str, function: str, number: int) -> None:
    """Answer for each path that comes through a connection, until it is closed."""
    check = getattr(importlib.import_module(module), function)
    connection = Connection(number)
    connection.send_bytes(b"ready")
    while True:
        try:
            path, limit = json.loads(connection.recv_bytes())
        except EOFError:
            return
        with _ended_after(limit):
            try:
                faults = [str(fault) for fault in check(Path(path))]
            except Exception as error:  # noqa: BLE001  whatever a reader raises, the file cannot be read
                faults = [cannot_be_read(error)]
        connection.send_bytes(json.dumps(faults[:1]).encode())


@contextmanager
def _ended_after(seconds: int) -> Iterator[None]:
    """End this process after so many seconds, also inside of a library's loop."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def cannot_be_read(error: Exception) -> str:
    """The fault of a file at which its reader raised an error."""
    return f"cannot be read ({type(error).__name__}: {error})"
