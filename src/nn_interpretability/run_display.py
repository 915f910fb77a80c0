"""How a run of the workflow looks on the terminal: jobs done of all, time left, bars inside long jobs.

On a terminal there are live bars; anywhere else (a log of a server, a pipe) one line per finished job, and
now and then a line about what is still running. Snakemake's own messages reach this module through the
logger plugin ``snakemake_logger_plugin_nn_interpretability``.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from nn_interpretability.progress import last_words, read_progress

FINISHED_BEFORE_GUESSING = 3
SECONDS_BETWEEN_SIGNS_OF_LIFE = 30.0
SECONDS_BETWEEN_REDRAWS = 0.25


@dataclass
class Running:
    """A job that has been started.

    Attributes
    ----------
    rule, name
        The rule, and the rule with its wildcards.
    log
        The job's log file, if it has one.
    started
        ``time.monotonic()`` at the start.
    """

    rule: str
    name: str
    log: Path | None
    started: float

    def seconds_left(self, now: float) -> float | None:
        """Extrapolate from what the job reported; None if it has reported nothing."""
        report = read_progress(self.log) if self.log else None
        if report is None or report[0] == 0:
            return None
        return (now - self.started) * (report[1] - report[0]) / report[0]

    def __str__(self) -> str:
        report = read_progress(self.log) if self.log else None
        return f"{self.name} ({report[0]} of {report[1]} {report[2]})" if report else self.name


@dataclass
class Estimate:
    """How long the rest of a run will take.

    Jobs still to come are taken to last as long as finished jobs of the same rule did on average, or as the
    typical rule if there are none; running jobs that report their progress are extrapolated. The sum is
    shared by the cores, and no shorter than the longest running job.

    Attributes
    ----------
    planned
        Number of jobs by rule.
    cores
        Jobs that can run at once.
    """

    planned: Mapping[str, int]
    cores: int = 1
    _seconds: dict[str, list[float]] = field(default_factory=dict)

    def finished(self, rule: str, seconds: float) -> None:
        """Take note of a job that has ended."""
        self._seconds.setdefault(rule, []).append(seconds)

    def seconds_left(self, running: Iterable[Running], now: float) -> float | None:
        """Return seconds until the end of the run; None while too few jobs have ended to say."""
        measured = dict(self._seconds)  # a copy: the bars are drawn by another thread
        if sum(map(len, measured.values())) < FINISHED_BEFORE_GUESSING:
            return None
        mean = {rule: statistics.fmean(seconds) for rule, seconds in measured.items()}
        typical = statistics.median(mean.values())
        left = {rule: count - len(measured.get(rule, [])) for rule, count in self.planned.items()}
        current = []
        for job in running:
            left[job.rule] = left.get(job.rule, 1) - 1
            whole = mean.get(job.rule, typical)
            reported = job.seconds_left(now)
            current.append(max(whole - (now - job.started), 0.0) if reported is None else reported)
        to_come = sum(count * mean.get(rule, typical) for rule, count in left.items() if count > 0)
        return max([(to_come + sum(current)) / max(self.cores, 1), *current])


def in_words(seconds: float) -> str:
    """Say a duration as people do: ``"0.4 s"``, ``"35 s"``, ``"2 min 5 s"``, ``"1 h 10 min"``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class RunDisplay:
    """Everything that a person sees of a run.

    Parameters
    ----------
    stream
        Where to write: standard error.
    is_live
        Whether to draw bars; by default where the stream is a terminal.
    """

    def __init__(self, stream: TextIO, *, is_live: bool | None = None) -> None:
        self.console = Console(
            file=stream, force_terminal=is_live, force_interactive=is_live, highlight=False, soft_wrap=True
        )
        self._is_live = self.console.is_terminal if is_live is None else is_live
        self._estimate = Estimate({})
        self._running: dict[int, Running] = {}
        self._done, self._total, self._failed = 0, 0, 0
        self._has_begun, self._began = False, time.monotonic()
        self._follower: threading.Thread | None = None
        self._closed = threading.Event()

    def plan(self, jobs_by_rule: Mapping[str, int], cores: int) -> None:
        """Take note of what will be done; it is said when the first job starts, since a run may be refused."""
        jobs = {rule: count for rule, count in jobs_by_rule.items() if rule != "total"}
        self._total, self._estimate = sum(jobs.values()), Estimate(jobs, cores)

    def job_started(self, number: int, rule: str, wildcards: Iterable[str], log: str | None) -> None:
        """Take note of a job that starts."""
        if not self._has_begun:
            self._begin()
        name = " ".join([rule, *wildcards])
        self._running[number] = Running(rule, name, Path(log) if log else None, time.monotonic())

    def job_finished(self, number: int) -> None:
        """Say that a job is done, what it warned of, and how long the rest will take."""
        job = self._job(number)
        seconds = time.monotonic() - job.started
        self._estimate.finished(job.rule, seconds)
        self._done += 1
        for warning in last_words(job.log)[1] if job.log else []:
            self.say(f"{job.name} warns: {warning}", style="yellow")
        left = self.time_left()
        rest = f", {left} left" if left and not self._is_live and not self.is_complete else ""
        self.say(f"{self._done} of {self._total} jobs done{rest}: {job.name}, {in_words(seconds)}")

    def job_failed(self, number: int, log: str | None, reason: str = "") -> None:
        """Say why a job failed: in its own words, or, if it has left none, in those of whoever ran it."""
        job = self._job(number)
        self._failed += 1
        silent = reason or "it ended without a word (killed, perhaps for lack of memory)"
        self.say(f"FAILED  {(last_words(log)[0] if log else '') or f'{job.name}: {silent}'}", style="bold red")
        if log:
            self.say(f"        its log file is {log}")

    def say(self, text: str, style: str = "") -> None:
        """Write one message above the bars."""
        self.console.print(text, style=style or None, markup=False)

    def time_left(self) -> str:
        """Return about how long the run will still take, in words; empty while nobody can say."""
        seconds = self._estimate.seconds_left(list(self._running.values()), time.monotonic())
        return "" if seconds is None else f"about {in_words(max(1.0, round(seconds)))}"

    def close(self) -> None:
        """End the display with one line about the whole run; calling it again does nothing."""
        if self._closed.is_set():
            return
        self._closed.set()
        if self._follower is not None:
            self._follower.join()
        if not self._has_begun:
            return
        took = in_words(time.monotonic() - self._began)
        if self.is_complete:
            self.say(f"All {self._total} jobs done in {took}.", style="green")
        else:
            failed = f", {self._failed} failed" if self._failed else ""
            self.say(f"Stopped after {took}: {self._done} of {self._total} jobs done{failed}.", style="red")

    @property
    def is_complete(self) -> bool:
        """Whether all jobs are done."""
        return self._done >= self._total > 0

    def _job(self, number: int) -> Running:
        unknown = Running("job", f"job {number}", None, time.monotonic())
        return self._running.pop(number, unknown)

    def _begin(self) -> None:
        self._has_begun, self._began = True, time.monotonic()
        at_once = "one at a time" if self._estimate.cores == 1 else f"{self._estimate.cores} at once"
        self.say(f"{self._total} jobs to run, {at_once}.")
        follow = self._move_bars if self._is_live else self._give_signs_of_life
        self._follower = threading.Thread(target=follow, daemon=True)
        self._follower.start()

    def _move_bars(self) -> None:
        bars = _Bars(self.console, self._total)
        while not self._closed.wait(SECONDS_BETWEEN_REDRAWS):
            bars.update(self._done, self.time_left(), dict(self._running))
        bars.stop()

    def _give_signs_of_life(self) -> None:
        while not self._closed.wait(SECONDS_BETWEEN_SIGNS_OF_LIFE):
            now = time.monotonic()
            old = [job for job in list(self._running.values()) if now - job.started > SECONDS_BETWEEN_SIGNS_OF_LIFE]
            if old:
                left = self.time_left()
                self.say(f"still running{f', {left} left' if left else ''}: {', '.join(map(str, old))}")


class _Bars:
    """Live bars: the whole run, and below it the jobs that are running."""

    def __init__(self, console: Console, total: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
            refresh_per_second=4,
            transient=True,
        )
        self._whole = self._progress.add_task("all jobs", total=total, note="")
        self._jobs: dict[int, TaskID] = {}
        self._progress.start()

    def update(self, done: int, left: str, running: Mapping[int, Running]) -> None:
        """Bring the bars up to date."""
        total = self._progress.tasks[0].total or 0
        note = f"{done} of {total:.0f} jobs" + (f", {left} left" if left else "")
        self._progress.update(self._whole, completed=done, note=note)
        for number in self._jobs.keys() - running.keys():
            self._progress.remove_task(self._jobs.pop(number))
        for number, job in running.items():
            if number not in self._jobs:
                self._jobs[number] = self._progress.add_task(f"  {job.name}", total=None, note="")
            report = read_progress(job.log) if job.log else None
            if report is not None:
                counts = f"{report[0]} of {report[1]} {report[2]}"
                self._progress.update(self._jobs[number], completed=report[0], total=report[1], note=counts)

    def stop(self) -> None:
        """Remove the bars."""
        self._progress.stop()
