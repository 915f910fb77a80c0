"""GPU jobs run one at a time, and other jobs beside them, under the default profile and a pretended GPU.

The jobs of this small workflow do not measure time. A GPU job fails if it meets another one (it finds the file that
says that the GPU is taken); two jobs that should overlap wait for each other, and fail if the other does not come.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from workflow_runs import REPOSITORY, environment

WORKFLOW = """
from nn_interpretability.config.devices import gpus_to_ask

GPU = {"gpu": gpus_to_ask("auto"), "device": "auto"}

rule all:
    input: expand("gpu_{n}", n=range(3)), expand("cpu_{n}", n=range(2)), "beside_gpu", "gpu_beside"

rule gpu:
    output: "gpu_{n}"
    resources: **GPU
    script: "exclusive.py"

rule cpu:
    output: "cpu_{n}"
    params: met="met_cpu", wait_for=2
    script: "meeting.py"

rule beside_gpu:
    output: "beside_gpu"
    params: met="met_both", wait_for=2
    script: "meeting.py"

rule gpu_beside:
    output: "gpu_beside"
    params: met="met_both", wait_for=2
    resources: **GPU
    script: "meeting.py"
"""
EXCLUSIVE = """
import os, time
taken = os.open("taken", os.O_CREAT | os.O_EXCL)
time.sleep(0.3)
os.unlink("taken")
open(snakemake.output[0], "w").close()
"""
MEETING = """
import os, time
os.makedirs(snakemake.params.met, exist_ok=True)
open(os.path.join(snakemake.params.met, os.path.basename(snakemake.output[0])), "w").close()
for _ in range(600):
    if len(os.listdir(snakemake.params.met)) >= snakemake.params.wait_for:
        break
    time.sleep(0.05)
else:
    raise SystemExit("nobody came")
open(snakemake.output[0], "w").close()
"""


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    for name, text in {"Snakefile": WORKFLOW, "exclusive.py": EXCLUSIVE, "meeting.py": MEETING}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def call(folder: Path, *arguments: str, pretended: str) -> subprocess.CompletedProcess[str]:
    profile = str(REPOSITORY / "profiles" / "default")
    words = [sys.executable, "-m", "snakemake", "--cores", "4", "--workflow-profile", profile, *arguments]
    env = environment(NN_INTERPRETABILITY_PRETEND_GPU=pretended)
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_gpu_jobs_run_one_at_a_time_and_cpu_jobs_beside_them(workflow: Path) -> None:
    told = call(workflow, pretended="1")
    assert told.returncode == 0, told.stderr


def test_the_test_can_fail_without_the_cap_gpu_jobs_meet(workflow: Path) -> None:
    told = call(workflow, "--resources", "gpu=4", "--", "gpu_0", "gpu_1", "gpu_2", pretended="1")
    assert told.returncode == 1
    assert "FileExistsError" in told.stderr


def test_without_a_gpu_the_rules_ask_for_none_and_run_side_by_side(workflow: Path) -> None:
    told = call(workflow, "--", "gpu_0", "gpu_1", "gpu_2", pretended="0")
    assert told.returncode == 1
    assert "FileExistsError" in told.stderr
