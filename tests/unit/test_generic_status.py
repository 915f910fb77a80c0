"""What the generic executor is told about a job, from what Slurm's programs print."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from workflow_runs import REPOSITORY

SCRIPT = REPOSITORY / "profiles" / "cluster-generic" / "status.sh"
FORGOTTEN = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"


@pytest.mark.parametrize(
    ("squeue", "sacct", "word"),
    [
        ("echo COMPLETED", "exit 1", "success"),
        ("echo RUNNING", "exit 1", "running"),
        ("echo STAGE_OUT", "exit 1", "running"),
        ("echo FAILED", "exit 1", "failed"),
        ("echo OUT_OF_MEMORY", "exit 1", "failed"),
        ("echo CANCELLED", "exit 1", "failed"),
        ("echo 'Unable to contact slurm controller (connect failure)' >&2; exit 1", "exit 1", "running"),
        (FORGOTTEN, "echo COMPLETED", "success"),
        ("exit 0", "echo COMPLETED", "success"),
        (FORGOTTEN, "echo 'CANCELLED by 1000'", "failed"),
        (FORGOTTEN, "exit 1", "failed"),
    ],
)
def test_the_word_for_a_job(tmp_path: Path, squeue: str, sacct: str, word: str) -> None:
    for name, body in {"squeue": squeue, "sacct": sacct}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    told = subprocess.run([str(SCRIPT), "7"], env=env, capture_output=True, text=True, check=True)
    assert told.stdout == f"{word}\n"
