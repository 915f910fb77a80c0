"""Which job made a figure, from what: read from the sidecars of the figures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nn_interpretability.storage.product import read_json

SHORT = 8
"""Hexadecimal digits of a digest that are printed."""

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Job:
    """One job as a product's provenance describes it.

    Attributes
    ----------
    rule, wildcards
        The job.
    code, commit
        Digest of the library code it used, commit of the repository.
    inputs
        Digest of each file it read.
    seed, device
        As recorded; the seed is None where nothing is random.
    """

    rule: str
    wildcards: tuple[tuple[str, str], ...]
    code: str
    commit: str
    inputs: Mapping[str, str]
    seed: int | None
    device: str

    @property
    def model(self) -> str | None:
        """Name of the model whose weights the job read."""
        found = (re.fullmatch(r"(?:.*/)?models/([^/]+)/weights\.[a-z]+", name) for name in sorted(self.inputs))
        return next((match.group(1) for match in found if match), None)

    @property
    def probe(self) -> str:
        """Digest of the pictures that the job explained."""
        found = (digest for name, digest in sorted(self.inputs.items()) if re.search(r"(^|/)probes/[^/]+\.h5$", name))
        return next(found, UNKNOWN)

    def input(self, *endings: str) -> str:
        """Digest of the first input whose name ends in one of ``endings``."""
        found = (digest for name, digest in sorted(self.inputs.items()) if name.endswith(endings))
        return next(found, UNKNOWN)


@dataclass(frozen=True)
class FigureRecord:
    """A figure's job, the job of its data file, and the jobs of the attributions it shows."""

    figure: str
    drawing: Job
    data: Job
    attributions: Mapping[str, Job]
    facts: Mapping[str, Any]


def job_of(provenance: Mapping[str, Any]) -> Job:
    """Read a provenance record; what an older file lacks is ``"unknown"``."""
    return Job(
        rule=str(provenance.get("rule", UNKNOWN)),
        wildcards=tuple(sorted((provenance.get("wildcards") or {}).items())),
        code=str(provenance.get("code", UNKNOWN)),
        commit=str(provenance.get("commit", UNKNOWN)),
        inputs=provenance.get("inputs", {}),
        seed=provenance.get("seed"),
        device=str(provenance.get("device", UNKNOWN)),
    )


def read_sidecar(sidecar_json: Path | str) -> FigureRecord:
    """Read what :func:`nn_interpretability.plotting.figures.draw` wrote beside a figure."""
    sidecar = read_json(sidecar_json)
    data = dict(sidecar["data_provenance"])
    attributions = {name: job_of(origin) for name, origin in data.pop("attributions", {}).items()}
    return FigureRecord(
        figure=sidecar["figure"],
        drawing=job_of(sidecar["provenance"]),
        data=job_of(data),
        attributions=attributions,
        facts=sidecar["facts"],
    )


class Timings:
    """Seconds that each job took, from ``timings.json``."""

    def __init__(self, timings_json: Path | str | None) -> None:
        record = read_json(timings_json) if timings_json is not None else {}
        self.jobs: list[dict[str, Any]] = record.get("jobs", [])
        self.machine: dict[str, Any] = record.get("machine", {})
        self._seconds = {(job["rule"], tuple(sorted(job["wildcards"].items()))): job["seconds"] for job in self.jobs}

    def seconds(self, job: Job) -> float | None:
        """Wall-clock seconds of a job; None where none were recorded."""
        return self._seconds.get((job.rule, job.wildcards))


def short(digest: str) -> str:
    """The first digits of a digest."""
    return digest if digest == UNKNOWN else digest[:SHORT]
