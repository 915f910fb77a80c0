"""The study on a real Slurm: jobs, the GPU, what goes wrong, and the same bits as without it."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess

import pytest
from slurm_runs import Run, digests, jobs, queue, set_node, wait_for

pytestmark = pytest.mark.cluster

GPU_JOBS = {
    "rule_train_model_wildcards_dropout_cnn",
    "rule_attribute_dropout_cnn_lrp",
    *(f"rule_draw_passes_dropout_cnn_{chunk}" for chunk in ("0_50", "50_100")),
    *(f"rule_attribute_chunk_dropout_cnn_lrp_{chunk}" for chunk in ("0_50", "50_100")),
}
CPU_JOBS = {"rule_select_probes_wildcards_turning", "rule_measure_models", "rule_measure_attributions"}
MODEL = ("models/dropout_cnn/weights.safetensors", "models/dropout_cnn/card.json", "models/dropout_cnn/history.csv")
CHUNKS = tuple(f"passes/dropout/passes_{chunk}.h5" for chunk in ("00000-00050", "00050-00100"))


def killed_in_training(run: Run, running: subprocess.Popen[str]) -> None:
    """Kill the job that trains; the run must end well all the same."""
    wait_for((run.results / "logs" / "train_model" / "dropout_cnn.log.progress").exists, running)
    killed = run.processes_of("train_model")
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    words = running.communicate(timeout=600)[1]
    assert running.returncode == 0, words


def test_jobs_ran_under_slurm_and_local_rules_did_not(finished: Run) -> None:
    ran = jobs(finished.folder)
    assert {job.state for job in ran} == {"COMPLETED"}
    comments = [job.comment for job in ran]
    figures = sorted(set(comments) - GPU_JOBS - CPU_JOBS)
    assert set(comments) > GPU_JOBS | CPU_JOBS
    assert len(set(comments)) == len(comments)
    # A section's data and drawings are one job.
    assert len(figures) == 2, figures
    assert all("figures_" in comment for comment in figures), figures
    assert (finished.results / "logs" / "merge_passes" / "dropout_cnn.log").exists()


def test_gpu_jobs_had_the_gpu_and_no_other_beside_them(finished: Run) -> None:
    ran = jobs(finished.folder)
    assert {job.comment for job in ran if job.gpus == 1} == GPU_JOBS
    assert {job.gpus for job in ran if job.comment not in GPU_JOBS} == {0}
    in_order = sorted((job for job in ran if job.gpus), key=lambda job: job.started)
    for one, next_one in itertools.pairwise(in_order):
        assert one.ended <= next_one.started, (one, next_one)
    assert any(next_one.submitted < one.ended for one, next_one in itertools.pairwise(in_order)), "none had to wait"


def test_the_results_are_those_of_a_run_without_the_cluster(finished: Run, local: dict[str, str | None]) -> None:
    assert len(local) > 20
    assert digests(finished.results) == local


def test_a_killed_job_is_tried_again(copy: Run, local: dict[str, str | None]) -> None:
    copy.forget(*MODEL)
    running = copy.start(f"results/{MODEL[0]}")
    killed_in_training(copy, running)
    assert [job.state for job in jobs(copy.folder)] == ["FAILED", "COMPLETED"]
    assert digests(copy.results) == local


def test_a_node_is_drained_and_resumed_in_the_middle(copy: Run, local: dict[str, str | None]) -> None:
    copy.forget(*CHUNKS)
    running = copy.start(*(f"results/{name}" for name in CHUNKS))
    try:
        wait_for(lambda: "RUNNING" in queue(), running)
        set_node("drain")
        wait_for(lambda: queue() == ["PENDING"], running)
    finally:
        set_node("resume")
    words = running.communicate(timeout=600)[1]
    assert running.returncode == 0, words
    assert [job.state for job in jobs(copy.folder)] == ["COMPLETED", "COMPLETED"]
    assert digests(copy.results) == local


def test_cancelling_leaves_no_job_behind_and_the_same_command_ends(copy: Run, local: dict[str, str | None]) -> None:
    copy.forget(*CHUNKS)
    targets = [f"results/{name}" for name in CHUNKS]
    running = copy.start(*targets)
    wait_for(lambda: sorted(queue()) == ["PENDING", "RUNNING"], running)
    os.killpg(running.pid, signal.SIGINT)
    running.communicate(timeout=120)
    assert running.returncode != 0
    wait_for(lambda: not queue())
    assert {job.state for job in jobs(copy.folder)} == {"CANCELLED"}
    again = copy.run(*targets)
    assert again.returncode == 0, again.stderr
    assert digests(copy.results) == local


def test_a_job_whose_run_was_killed_writes_nothing(copy: Run, local: dict[str, str | None]) -> None:
    """The lock is the head node's process's; the job, a process of Slurm's, asks for it through the folder."""
    copy.forget(*MODEL)
    running = copy.start(f"results/{MODEL[0]}")
    log = copy.results / "logs" / "train_model" / "dropout_cnn.log"
    wait_for(log.with_name(log.name + ".progress").exists, running)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate(timeout=60)
    wait_for(lambda: not queue())
    assert not (copy.results / MODEL[0]).exists()
    assert "the run that started this job has ended" in log.read_text(encoding="utf-8")
    again = copy.run(f"results/{MODEL[0]}")
    assert again.returncode == 0, again.stderr
    assert digests(copy.results) == local


def test_a_cluster_without_accounting_is_not_asked_through_accounting(copy: Run) -> None:
    copy.forget(*CHUNKS)
    told = copy.run(f"results/{CHUNKS[0]}", status="sacct")
    assert told.returncode == 1
    assert "This cluster keeps no accounting" in told.stderr
    assert "slurm-status-command: squeue" in told.stderr
    assert "Traceback" not in told.stderr
    assert jobs(copy.folder) == []


def test_the_generic_executor_does_the_same(copy: Run, local: dict[str, str | None]) -> None:
    """A killed job is tried again; one that needs no GPU gets none."""
    copy.forget(*MODEL, *CHUNKS, "numbers/models.json")
    targets = (MODEL[0], *CHUNKS, "numbers/models.json")
    running = copy.started(copy.generic_words(*(f"results/{name}" for name in targets)))
    killed_in_training(copy, running)
    ran = jobs(copy.folder)
    assert sorted(job.state for job in ran) == ["COMPLETED"] * 4 + ["FAILED"]
    assert sorted(job.gpus for job in ran) == [0, 1, 1, 1, 1]
    assert digests(copy.results) == local
