"""Running the workflow from tests: in a folder of its own, on the checkout's code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
STUDY = "config.yaml"
SMOKE = "workflow/configs/smoke.yaml"
RESULTS = "results-smoke"
FROM_OUTSIDE = ("NN_INTERPRETABILITY_DATA", "NN_INTERPRETABILITY_PRETEND_GPU", "NN_INTERPRETABILITY_RUN")


#: What a run needs of the checkout.
PARTS = ("Snakefile", "config.yaml", "profiles", "workflow", "scripts", "envs", "src", "report", "reference")


@dataclass(frozen=True)
class Finished:
    """A folder in which the small workflow has run to its end.

    Attributes
    ----------
    folder
        The folder of the run.
    checkout
        The code that it ran on.
    words
        What the run said on standard error.
    """

    folder: Path
    checkout: Path
    words: str

    @property
    def results(self) -> Path:
        """The results folder."""
        return self.folder / RESULTS

    def run(self, *arguments: str, checkout: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Call Snakemake again in the same folder."""
        return run(self.folder, *arguments, checkout=checkout or self.checkout)

    def planned(self, *arguments: str, checkout: Path | None = None) -> dict[str, int]:
        """Return what a call would run."""
        return planned(self.folder, *arguments, checkout=checkout or self.checkout)


def has_latex() -> bool:
    """Whether the PDF can be built here."""
    return shutil.which("latexmk") is not None and shutil.which("pdflatex") is not None


def everything() -> tuple[str, ...]:
    """Return the targets of a whole run, without the PDF where there is no LaTeX."""
    return ("--", "all") if has_latex() else ("--", "report_html", "metrics", "tables", "manifest")


def snapshot(target: Path, source: Path = REPOSITORY) -> Path:
    """Copy what a run needs of a checkout, so that somebody who edits it meanwhile does not disturb a test."""
    for part in PARTS:
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / part, target / part)
    return target


def environment(checkout: Path = REPOSITORY, **variables: str) -> dict[str, str]:
    """Return the environment of a run on a checkout's package, with nothing from the person who runs the tests."""
    own = {name: value for name, value in os.environ.items() if name not in FROM_OUTSIDE}
    python = os.pathsep.join(filter(None, [str(checkout / "src"), os.environ.get("PYTHONPATH", "")]))
    return {**own, "PYTHONPATH": python, **variables}


def command(
    *arguments: str, checkout: Path = REPOSITORY, configs: Sequence[Path | str] = (STUDY, SMOKE), cores: int = 2
) -> list[str]:
    """Return the words of a call of Snakemake; the folder in which it is called is the folder of the run.

    Configurations are named relative to the checkout.
    """
    files = [str(checkout / config) for config in configs]
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(checkout / "Snakefile")]
    return [*words, "--cores", str(cores), "--configfile", *files, *arguments]


def run(
    folder: Path,
    *arguments: str,
    checkout: Path = REPOSITORY,
    configs: Sequence[Path | str] = (STUDY, SMOKE),
    cores: int = 2,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Call Snakemake in a folder and wait; variables join its environment; output and errors come as text."""
    words = command(*arguments, checkout=checkout, configs=configs, cores=cores)
    env = environment(checkout, **variables)
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=900, check=False)


def planned(
    folder: Path,
    *arguments: str,
    checkout: Path = REPOSITORY,
    configs: Sequence[Path | str] = (STUDY, SMOKE),
) -> dict[str, int]:
    """Return the number of jobs by rule that a call would run."""
    told = run(folder, "--dry-run", *arguments, checkout=checkout, configs=configs)
    assert told.returncode == 0, told.stderr + told.stdout
    return jobs_in(told.stdout)


def attribution_jobs(attributions: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    """Return the attribution jobs of a configuration: one per model and method."""
    return {f"attribute_{entry.get('model', 'cnn')}_{entry['method']}": 1 for entry in attributions.values()}


def drawing_jobs(figures: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    """Return the jobs that make the figures of a configuration: two per section."""
    return {f"{what}_{entry['section']}": 1 for entry in figures.values() for what in ("figure_data", "draw_figure")}


def pass_jobs(config: Mapping[str, Any]) -> dict[str, int]:
    """Return the jobs of stochastic passes of a configuration: by model, method and range, and a merge per model."""
    found: dict[str, int] = {}
    for entry in config["pass_attributions"].values():
        drawn = config["passes"][entry["passes"]]
        size = drawn.get("chunk", 500)
        for begin in range(0, drawn["passes"], size):
            end = min(begin + size, drawn["passes"])
            found[f"draw_passes_{drawn['model']}_{begin}_{end}"] = 1
            method = entry["method"] + ("_functions" if entry.get("target") == "mutual_information" else "")
            found[f"attribute_chunk_{drawn['model']}_{method}_{begin}_{end}"] = 1
        found[f"merge_passes_{drawn['model']}"] = 1
    return found


def jobs_in(words: str) -> dict[str, int]:
    """Read Snakemake's table of jobs; empty where there is nothing to do."""
    table = re.search(r"^Job stats:\n.*\n[- ]+\n((?:\w+ +\d+\n)+)", words, flags=re.MULTILINE)
    rows = [line.split() for line in table.group(1).splitlines()] if table else []
    return {rule: int(count) for rule, count in rows if rule != "total"}
