"""The display of a run: what it says, and how it guesses the time left."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest

from nn_interpretability.progress import progress_file
from nn_interpretability.run_display import Estimate, RunDisplay, Running, in_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (12.4, "12 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (4200, "1 h 10 min")],
)
def test_durations(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def running(rule: str, started: float, log: Path | None = None) -> Running:
    return Running(rule, rule, log, started)


def test_nothing_is_guessed_from_two_jobs() -> None:
    estimate = Estimate({"attribute": 10}, cores=2)
    estimate.finished("attribute", 4.0)
    estimate.finished("attribute", 4.0)
    assert estimate.seconds_left([], now=0.0) is None


def test_jobs_to_come_last_as_long_as_those_of_their_rule_did() -> None:
    estimate = Estimate({"attribute": 10, "draw": 2}, cores=2)
    for seconds in (3.0, 4.0, 5.0):
        estimate.finished("attribute", seconds)
    # Seven of 4 s, and two of a rule that has not been seen, which counts as typical: 9 * 4 s on 2 cores.
    assert estimate.seconds_left([], now=0.0) == pytest.approx(18.0)
    # One of them has been running for 1 s.
    assert estimate.seconds_left([running("attribute", -1.0)], now=0.0) == pytest.approx((8 * 4 + 3) / 2)


def test_it_is_no_shorter_than_a_job_that_reports_how_far_it_is(tmp_path: Path) -> None:
    estimate = Estimate({"attribute": 3, "train": 1}, cores=8)
    for _ in range(3):
        estimate.finished("attribute", 1.0)
    log = tmp_path / "train.log"
    progress_file(log).write_text(json.dumps([1, 4, "epochs"]), encoding="utf-8")
    # A quarter took 20 s.
    assert estimate.seconds_left([running("train", -20.0, log)], now=0.0) == pytest.approx(60.0)


def test_a_job_that_takes_longer_than_others_did_leaves_no_negative_time() -> None:
    estimate = Estimate({"attribute": 4})
    for _ in range(3):
        estimate.finished("attribute", 1.0)
    assert estimate.seconds_left([running("attribute", -100.0)], now=0.0) == 0.0


@pytest.fixture
def told() -> io.StringIO:
    return io.StringIO()


def begun(told: io.StringIO, jobs: int = 4) -> RunDisplay:
    display = RunDisplay(told)
    display.plan({"attribute": jobs - 1, "study": 1, "total": jobs}, cores=2)
    return display


def test_a_run_from_beginning_to_end(told: io.StringIO, tmp_path: Path) -> None:
    display = begun(told)
    for number, name in enumerate(["lrp_0", "lrp_gamma", "gradient"]):
        log = tmp_path / f"{name}.log"
        log.write_text("INFO: device: cpu\nWARNING: no rule for cos\n" if number == 0 else "", encoding="utf-8")
        display.job_started(number, "attribute", [name], str(log))
        display.job_finished(number)
    display.job_started(3, "study", [], None)
    display.job_finished(3)
    display.close()
    display.close()
    lines = told.getvalue().splitlines()
    assert lines[0] == "4 jobs to run, 2 at once."
    assert lines[1] == "attribute lrp_0 warns: no rule for cos"
    assert lines[2] == "1 of 4 jobs done: attribute lrp_0, 0.0 s"
    assert lines[4] == "3 of 4 jobs done, about 1.0 s left: attribute gradient, 0.0 s"
    assert lines[5] == "4 of 4 jobs done: study, 0.0 s"
    assert lines[6] == "All 4 jobs done in 0.0 s."
    assert len(lines) == 7


def test_a_failed_job_speaks_for_itself(told: io.StringIO, tmp_path: Path) -> None:
    log = tmp_path / "lrp_0.log"
    log.write_text("INFO: device: cpu\nERROR: attribute lrp_0: x.h5 is damaged [digest].\n", encoding="utf-8")
    display = begun(told)
    display.job_started(0, "attribute", ["lrp_0"], str(log))
    display.job_failed(0, str(log))
    display.close()
    assert told.getvalue().splitlines()[1:] == [
        "FAILED  attribute lrp_0: x.h5 is damaged [digest].",
        f"        its log file is {log}",
        "Stopped after 0.0 s: 0 of 4 jobs done, 1 failed.",
    ]


def test_a_job_that_was_killed_is_said_to_have_left_no_word(told: io.StringIO, tmp_path: Path) -> None:
    log = tmp_path / "lrp_0.log"
    log.write_text("INFO: device: cpu\n", encoding="utf-8")
    display = begun(told)
    display.job_started(0, "attribute", ["lrp_0"], str(log))
    display.job_failed(0, str(log))
    assert "FAILED  attribute lrp_0: it ended without a word (killed, perhaps for lack of memory)" in told.getvalue()


def test_where_a_job_has_left_no_word_a_cluster_s_are_said(told: io.StringIO, tmp_path: Path) -> None:
    display = begun(told)
    display.job_started(0, "attribute", ["lrp_0"], None)
    display.job_failed(0, None, "SLURM sbatch failed. Invalid account.")
    (tmp_path / "a.log").write_text("ERROR: attribute lrp_1: no.\n", encoding="utf-8")
    display.job_failed(1, str(tmp_path / "a.log"), "SLURM-job '7' failed")
    lines = told.getvalue().splitlines()
    assert lines[1:3] == [
        "FAILED  attribute lrp_0: SLURM sbatch failed. Invalid account.",
        "FAILED  attribute lrp_1: no.",
    ]


def test_a_run_that_is_refused_says_nothing_of_its_own(told: io.StringIO) -> None:
    display = begun(told)
    display.close()
    assert told.getvalue() == ""


def test_bars_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nn_interpretability.run_display.SECONDS_BETWEEN_REDRAWS", 0.01)
    monkeypatch.setenv("TERM", "xterm")
    told = io.StringIO()
    log = tmp_path / "cnn.log"
    progress_file(log).write_text(json.dumps([3, 6, "epochs"]), encoding="utf-8")
    display = RunDisplay(told, is_live=True)
    display.plan({"train_model": 1, "study": 1, "total": 2}, cores=1)
    display.job_started(0, "train_model", ["cnn"], str(log))
    deadline = time.monotonic() + 60
    while "3 of 6 epochs" not in told.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)  # let it draw, however busy the machine is
    display.job_finished(0)
    display.close()
    assert "train_model cnn" in told.getvalue()
    assert "3 of 6 epochs" in told.getvalue()
    assert "0 of 2 jobs" in told.getvalue()


def test_signs_of_life_where_there_is_no_terminal(
    told: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nn_interpretability.run_display.SECONDS_BETWEEN_SIGNS_OF_LIFE", 0.01)
    log = tmp_path / "cnn.log"
    progress_file(log).write_text(json.dumps([3, 6, "epochs"]), encoding="utf-8")
    display = begun(told)
    display.job_started(0, "train_model", ["cnn"], str(log))
    display._follower.join(timeout=0.5)
    display.close()
    assert "still running: train_model cnn (3 of 6 epochs)" in told.getvalue()
