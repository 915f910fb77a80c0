"""What a job of the workflow says while it runs, and how it ends: log file, progress, one clear message.

A script of the workflow is one ``with job(snakemake) as this:`` around one call of the library.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from nn_interpretability.config.devices import granted_device, number_of_gpus
from nn_interpretability.storage.disk import disk_errors_named
from nn_interpretability.storage.lease import CARDS_VARIABLE, Lease, lease_card, lease_folder, visible_cards

__all__ = ["TERMINAL_VARIABLE", "Job", "job", "last_words", "progress_file", "read_progress"]

LOGGER = logging.getLogger("nn_interpretability")

#: Set where a display of the whole run owns the terminal: jobs then write to their log files alone.
TERMINAL_VARIABLE = "NN_INTERPRETABILITY_TERMINAL"

_ERROR = "ERROR: "
_WARNING = "WARNING: "
_SECONDS_BETWEEN_REPORTS = 0.2


@dataclass(frozen=True)
class Job:
    """One running job, as its script sees it.

    Attributes
    ----------
    name
        Rule and wildcards, for people: ``"attribute lrp_0"``.
    snakemake
        Snakemake's own description of the job.
    """

    name: str
    snakemake: Any
    _reported: list[float] = field(default_factory=lambda: [0.0])
    _leases: list[Lease] = field(default_factory=list)

    @cached_property
    def device(self) -> str:
        """``"cuda"`` if the job was granted a GPU and torch sees it, otherwise ``"cpu"``."""
        resources = self.snakemake.resources
        gpus = int(resources.get("gpu", 0))
        if gpus:
            self._lease_card()
        device = granted_device(resources.get("device", "cpu"), gpus)
        LOGGER.info("device: %s", device)
        return device

    def _lease_card(self) -> None:
        """Keep to a card of our own where there are several to choose from; CUDA must not have started."""
        cards = visible_cards(number_of_gpus())
        if len(cards) > 1:
            self._leases.append(lease_card(cards, lease_folder()))
            os.environ[CARDS_VARIABLE] = self._leases[-1].card
            LOGGER.info("GPU %s of %s is this job's", self._leases[-1].card, ", ".join(cards))

    def provenance(self, inputs: Iterable[Path | str] | None = None, **extra: Any) -> dict[str, Any]:
        """Describe how this job makes a product, for its ``provenance``.

        Parameters
        ----------
        inputs
            The files that the product was made from; None: all that the job reads.
        extra
            Added to the description.
        """
        from nn_interpretability.storage.provenance import provenance

        return provenance(
            rule=self.snakemake.rule,
            wildcards=dict(self.snakemake.wildcards.items()),
            code=self.snakemake.params.code,
            inputs=list(self.snakemake.input if inputs is None else inputs),
            seed=self.snakemake.params.get("seed"),
            device=self.device,
            extra=extra,
        )

    def record(self) -> None:
        """Write down what this job read and made; see :mod:`nn_interpretability.storage.job_record`."""
        from nn_interpretability.storage.job_record import record_of_log, write_record
        from nn_interpretability.storage.provenance import name_in_results, provenance

        snakemake = self.snakemake
        path = record_of_log(snakemake.log[0])
        if path is None:
            return
        made = provenance(
            rule=snakemake.rule,
            wildcards=dict(snakemake.wildcards.items()),
            code=snakemake.params.get("code", ""),
            inputs=list(snakemake.input),
            seed=snakemake.params.get("seed"),
            device=self.__dict__.get("device", "cpu"),  # a job that never asked for one computes on the CPU
        )
        outputs = [name_in_results(Path(file)) for file in snakemake.output]
        write_record(path, {**made, "params": dict(snakemake.params.items()), "outputs": outputs})

    def progress(self, done: int, total: int, unit: str = "") -> None:
        """Report how far the job is, for whoever shows it: ``progress(3, 6, "epochs")``."""
        now = time.monotonic()
        if done < total and now - self._reported[0] < _SECONDS_BETWEEN_REPORTS:
            return
        self._reported[0] = now
        with suppress(OSError):  # a report that gets lost must not stop the job
            progress_file(self.snakemake.log[0]).write_text(json.dumps([done, total, unit]), encoding="utf-8")


@contextmanager
def job(snakemake: Any) -> Iterator[Job]:
    """Run the body of a script as a job: its output goes to its log file, its errors become one message.

    Everything that is written to standard output or standard error while the body runs, by libraries too,
    goes to the job's log file. An expected error ends the job with status 1 and its one message; any other
    error with its stack trace in the log file and one line that says where that is. Warnings and the message
    also go to the terminal, unless a display of the whole run shows them (:mod:`.run_display`).

    Parameters
    ----------
    snakemake
        The object of this name in scripts of Snakemake.
    """
    this = Job(" ".join([snakemake.rule, *map(str, snakemake.wildcards)]), snakemake)
    log = Path(snakemake.log[0])
    signal.signal(signal.SIGTERM, _end_on_request)
    with _output_to(log) as terminal, _logging(terminal):
        try:
            yield this
            this.record()
        except KeyboardInterrupt:
            _fail(this, "interrupted", terminal)
        except Exception as error:  # noqa: BLE001 - the script ends here, and says why
            if _is_ours(error):
                _fail(this, str(error), terminal)
            with suppress(OSError):
                traceback.print_exc()
            summary = "".join(traceback.format_exception_only(error)).strip()
            _fail(this, f"{summary}\nThe stack trace is in {log}.", terminal)
        finally:
            progress_file(log).unlink(missing_ok=True)


def last_words(log: Path | str) -> tuple[str, list[str]]:
    """Return the error message at the end of a job's log file (empty if there is none), and its warnings."""
    try:
        text = Path(log).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", []
    _, found, error = ("\n" + text).rpartition("\n" + _ERROR)
    warned = [line.removeprefix(_WARNING) for line in text.splitlines() if line.startswith(_WARNING)]
    return (error.strip() if found else ""), list(dict.fromkeys(warned))


def progress_file(log: Path | str) -> Path:
    """Path of the small file, beside a job's log file, that says how far the job is."""
    log = Path(log)
    return log.with_name(log.name + ".progress")


def read_progress(log: Path | str) -> tuple[int, int, str] | None:
    """Return what a running job last reported, ``(done, total, unit)``; None if it reported nothing."""
    try:
        done, total, unit = json.loads(progress_file(log).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return None
    return int(done), int(total), str(unit)


def _is_ours(error: Exception) -> bool:
    # Errors of this package say all there is to say in one message; a stack trace would only hide it.
    return type(error).__module__.partition(".")[0] == __name__.partition(".")[0]


def _fail(this: Job, message: str, terminal: _Terminal) -> NoReturn:
    text = f"{_ERROR}{this.name}: {message}\n"
    is_logged = False
    with suppress(OSError):  # on a full disk the log file has no room for the reason
        os.write(2, text.encode())
        is_logged = True
    if terminal.is_ours or not is_logged:
        os.write(terminal.descriptor, text.encode())
    raise SystemExit(1)


def _end_on_request(_signal: int, _frame: FrameType | None) -> None:
    # As an exception, so that a writer removes its temporary file.
    raise SystemExit(128 + signal.SIGTERM)


@dataclass(frozen=True)
class _Terminal:
    """The old standard error, and whether it is ours to use: a display of the whole run may own it."""

    descriptor: int
    is_ours: bool


@contextmanager
def _output_to(log: Path) -> Iterator[_Terminal]:
    """Send the process's output to a file, from its beginning on."""
    with disk_errors_named(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    kept = [os.dup(1), os.dup(2)]
    try:
        _redirect([target, target])
        yield _Terminal(kept[1], is_ours=not os.environ.get(TERMINAL_VARIABLE))
    finally:
        _redirect(kept)
        for descriptor in (target, *kept):
            os.close(descriptor)


def _redirect(descriptors: Sequence[int]) -> None:
    for stream, descriptor, number in zip((sys.stdout, sys.stderr), descriptors, (1, 2), strict=True):
        with suppress(OSError):
            stream.flush()
        os.dup2(descriptor, number)


@contextmanager
def _logging(terminal: _Terminal) -> Iterator[None]:
    """Log to standard error, and warnings to the terminal too; Python's warnings are logged as such."""
    root, formatter = logging.getLogger(), logging.Formatter("%(levelname)s: %(message)s")
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if terminal.is_ours:
        handlers.append(logging.StreamHandler(os.fdopen(os.dup(terminal.descriptor), "w")))
        handlers[1].setLevel(logging.WARNING)
    level, root.handlers[:] = root.level, handlers
    root.setLevel(logging.INFO)
    for handler in handlers:
        handler.setFormatter(formatter)
    with warnings.catch_warnings():
        warnings.showwarning = _log_warning  # type: ignore[assignment]
        try:
            yield
        finally:
            root.setLevel(level)
            for handler in handlers:
                root.removeHandler(handler)


def _log_warning(message: Warning | str, category: type[Warning], *_: object) -> None:
    LOGGER.warning("%s (%s)", message, category.__name__)
