"""Snakemake's own linter and formatter have nothing to say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from workflow_runs import REPOSITORY, environment, run


def test_lint(tmp_path: Path) -> None:
    told = run(tmp_path, "--lint")
    assert told.returncode == 0, told.stdout + told.stderr


def test_format() -> None:
    snakefmt = Path(sys.executable).with_name("snakefmt")
    told = subprocess.run(
        [str(snakefmt), "--check", "Snakefile", "workflow"],
        cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
