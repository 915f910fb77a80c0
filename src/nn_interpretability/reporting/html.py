"""Snakemake's own HTML report, as one zip file that opens without a network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nn_interpretability.storage.product import writing


def build(snakefile: Path | str, output: Path | str, *, config: Mapping[str, Any], targets: Sequence[str]) -> None:
    """Write the HTML report about targets that have been made.

    Snakemake can only report on a run from outside, so this calls it, with the configuration of the run.

    Parameters
    ----------
    snakefile
        The workflow.
    output
        The zip file; ``report.html`` in it is the page to open.
    config
        The whole configuration of the run.
    targets
        Rules whose products the report shows; all of them must be there.

    Raises
    ------
    RuntimeError
        If Snakemake refuses; the message is its own.
    """
    with tempfile.TemporaryDirectory(prefix="html-report-") as name:
        folder = Path(name)
        configuration, report = folder / "config.json", folder / "report.zip"
        configuration.write_text(json.dumps(config), encoding="utf-8")
        command = [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(Path(snakefile).resolve())),
            *("--configfile", str(configuration), "--replace-workflow-config", "--workflow-profile", "none"),
            *("--nolock", "--cores", "1", "--report", str(report), "--", *targets),
        ]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        if finished.returncode != 0:
            raise RuntimeError(f"Snakemake could not build its report:\n{finished.stderr.strip()}")
        with writing(output) as temporary:
            shutil.copyfile(report, temporary)
