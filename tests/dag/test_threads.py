"""Every job computes on one thread, whatever the person's environment says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from workflow_runs import environment

WORKFLOW = """
rule all:
    output: "threads.txt"
    threads: 1
    script: "script.py"
"""
SCRIPT = """
import os
names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
with open(snakemake.output[0], "w") as file:
    print(*(os.environ.get(name) for name in names), file=file)
"""


def test_libraries_are_told_to_use_one_thread(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(WORKFLOW, encoding="utf-8")
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    env = environment(OMP_NUM_THREADS="8", MKL_NUM_THREADS="8", OPENBLAS_NUM_THREADS="8")
    subprocess.run([sys.executable, "-m", "snakemake", "--cores", "4"], cwd=tmp_path, env=env, check=True)
    assert (tmp_path / "threads.txt").read_text(encoding="utf-8") == "1 1 1\n"
