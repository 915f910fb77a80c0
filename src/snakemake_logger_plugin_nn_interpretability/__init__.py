"""Logger plugin of Snakemake (``--logger nn-interpretability``): a display of the run that people can read.

It turns Snakemake's events into calls of :class:`nn_interpretability.run_display.RunDisplay`. Dry runs,
``--verbose`` and everything before the first job keep Snakemake's own words. Snakemake's complete log, with
nothing left out, is in ``.snakemake/log/`` as always.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from snakemake.logging import ColorizingTextHandler
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from nn_interpretability.progress import TERMINAL_VARIABLE
from nn_interpretability.run_display import RunDisplay

__all__ = ["LogHandler"]

#: What Snakemake says while it runs and people need not read; anything unknown is shown.
CHATTER = (
    "Assuming unrestricted shared filesystem",
    "Building DAG of jobs",
    "Conda environments: ignored",
    "Config file ",
    "Elapsed time",
    "Finished jobid",
    "Group jobs: inactive",
    "Provided cores",
    "Provided resources",
    "Rules claiming more threads",
    "Select jobs to execute",
    "Shutting down, this might take some time",
    "Singularity containers: ignored",
    "Storing output in storage",
    "Using shell",
)
#: Said by the display itself, in the job's own words.
SAID_BY_THE_JOB = (
    "At least one job did not complete successfully",
    "Exiting because a job execution failed",
    "died with <Signals.",
    "returned non-zero exit status",
)
#: What Snakemake adds to the words of a cluster; the display names the log file anyway.
SEE_THE_LOGS = "For further error details see the cluster/cloud log and the log files of the involved rule(s)."


class LogHandler(LogHandlerBase):
    """Shows a run of the workflow."""

    def __post_init__(self) -> None:
        """Prepare Snakemake's own handler, for what is not ours to word."""
        settings = self.common_settings
        self._plainly = settings.dryrun or settings.verbose or settings.debug_dag
        stream = sys.stdout if settings.stdout else sys.stderr
        self._own_words = ColorizingTextHandler(nocolor=settings.nocolor, stream=stream)
        self._display: RunDisplay | None = None
        self._cores = 1
        self._words: dict[Any, Callable[[RunDisplay, dict[str, Any]], None]] = {
            LogEvent.RESOURCES_INFO: self._resources,
            LogEvent.RUN_INFO: self._plan,
            LogEvent.JOB_INFO: _start,
            LogEvent.JOB_FINISHED: lambda display, told: display.job_finished(told["job_id"]),
            LogEvent.JOB_ERROR: lambda display, told: display.job_failed(told["jobid"], _log(told), _reason(told)),
            LogEvent.GROUP_ERROR: lambda _display, _told: None,  # each of its jobs is told of, too
        }
        if not self._plainly:
            os.environ[TERMINAL_VARIABLE] = "1"

    @property
    def writes_to_stream(self) -> bool:
        """It takes the place of Snakemake's own display."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """It writes no file."""
        return False

    @property
    def has_filter(self) -> bool:
        """Snakemake's filter is used, so that ``--quiet`` works."""
        return False

    @property
    def has_formatter(self) -> bool:
        """Snakemake's formatter is used for what is passed on."""
        return False

    @property
    def needs_rulegraph(self) -> bool:
        """It draws no graph."""
        return False

    def emit(self, record: logging.LogRecord) -> None:
        """Show one event, or leave it out."""
        try:
            if self._plainly or not self._shown(record):
                self._pass_on(record)
        except Exception:  # noqa: BLE001 - a display must not stop a run
            self.handleError(record)

    def close(self) -> None:
        """End the display."""
        if self._display is not None:
            self._display.close()
        super().close()

    def _shown(self, record: logging.LogRecord) -> bool:
        """Show an event in our words, or leave it out; False where Snakemake's own words should be used."""
        event, text = getattr(record, "event", None), record.getMessage() if record.msg else ""
        if event == LogEvent.WORKFLOW_STARTED:
            self._display = RunDisplay(sys.stderr)
            return True
        if self._display is None:
            return record.levelno < logging.WARNING and text.startswith(CHATTER)
        tell = self._words.get(event)
        if tell is not None:
            tell(self._display, vars(record))
            return True
        if record.levelno >= logging.WARNING:
            return any(phrase in text for phrase in SAID_BY_THE_JOB)
        is_over = self._display.is_complete and text.startswith("Complete log")
        return event is not None or not text or is_over or text.startswith(CHATTER)

    def _resources(self, _display: RunDisplay, told: dict[str, Any]) -> None:
        self._cores = told.get("cores") or told.get("nodes") or self._cores

    def _plan(self, display: RunDisplay, told: dict[str, Any]) -> None:
        if "stats" in told:
            display.plan(told["stats"], self._cores)

    def _pass_on(self, record: logging.LogRecord) -> None:
        self._own_words.setFormatter(self.formatter)
        if self._display is None:
            self._own_words.emit(record)
        else:
            self._display.say(self.format(record))


def _start(display: RunDisplay, told: dict[str, Any]) -> None:
    display.job_started(told["jobid"], told["rule_name"], map(str, told["wildcards"].values()), _log(told))


def _log(told: dict[str, Any]) -> str | None:
    return next(iter(told["log"]), None)


def _reason(told: dict[str, Any]) -> str:
    """What a cluster says of a failed job; empty where it says nothing."""
    if told.get("indent"):
        return "the cluster's job that it was a part of failed"
    return (told.get("rule_msg") or "").removesuffix(SEE_THE_LOGS).strip()
