"""Look at files in a process of its own: a library that reads a damaged file may crash, or never return."""

from __future__ import annotations

import importlib
import json
import os
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE_S = 60.0
"""How long nothing may come back about a small file."""
BYTES_PER_SECOND = 10e6
"""How fast a large file is read at the very least."""


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
        self._call = f"from {__name__} import serve; serve({module!r}, {function!r})"
        self._patience_s = patience_s
        self._process: subprocess.Popen[bytes] | None = None

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
        """
        patience = self._patience_s + path.stat().st_size / BYTES_PER_SECOND
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(os.fsdecode(path)).encode() + b"\n")
            process.stdin.flush()
        except OSError:  # it ended since; another one will be asked
            self._end()
            return self.faults(path)
        if not select.select([process.stdout], [], [], patience)[0]:
            self._end()
            return [f"cannot be read (its reader did not come to an end in {patience:.0f} s)"]
        answer = process.stdout.readline()
        if not answer:
            self._end()
            return ["cannot be read (it makes its reader crash)"]
        found: list[str] = json.loads(answer)
        return found

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            words = [sys.executable, "-c", self._call]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environment)
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def serve(module: str, function: str) -> None:
    """Answer for each path that comes in, until none comes any more."""
    check = getattr(importlib.import_module(module), function)
    for line in sys.stdin:
        try:
            faults = [str(fault) for fault in check(Path(json.loads(line)))]
        except Exception as error:  # noqa: BLE001  whatever a reader raises, the file cannot be read
            faults = [cannot_be_read(error)]
        sys.stdout.write(json.dumps(faults[:1]) + "\n")
        sys.stdout.flush()


def cannot_be_read(error: Exception) -> str:
    """The fault of a file at which its reader raised an error."""
    return f"cannot be read ({type(error).__name__}: {error})"
