"""The list of all products with their digests, and the one file with clock readings and host names."""

from __future__ import annotations

import csv
import math
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nn_interpretability.storage.disk import absolute
from nn_interpretability.storage.product import digest_of, verified, write_json

__all__ = ["collect_timings", "write_manifest"]


def write_manifest(results: Path | str, output: Path | str, products: Sequence[Path | str]) -> None:
    """Write the size and SHA-256 of each product, checked against the digest that its writer left.

    Parameters
    ----------
    results : path
        The results folder; products are named relative to it, with forward slashes.
    output : path
        The manifest, ``{"products": {name: {"bytes": int, "sha256": str}}, "schema": "manifest/1"}``.
    products : sequence of path
        Files below `results`.

    Raises
    ------
    BrokenProductError
        A product is missing or damaged.
    ValueError
        A product lies outside of the results folder.
    """
    entries = {_name(Path(path), Path(results)): _entry(verified(path)) for path in products}
    write_json(output, {"schema": "manifest/1", "products": entries})


def collect_timings(benchmarks: Mapping[str, Path], output: Path | str) -> None:
    """Collect Snakemake's benchmark files: what each job took, on which machine.

    Parameters
    ----------
    benchmarks : mapping of str to path
        Benchmark file (tab-separated) of each job; the key is the rule's name, followed by a colon and the
        wildcards where it has any: ``"attribute:attribution=lrp_0"``, several separated by commas.
    output : path
        JSON ``{"schema": "timings/1", "machine": {"host", "processor", "cores", "device"}, "jobs": [{"rule",
        "kind", "wildcards", "seconds", "max_rss_mib"}]}``, jobs sorted by rule and wildcards; rules that are made in a
        loop have a kind in common, the folder of their benchmark files. A quantity that
        Snakemake could not measure (memory of a very short job) is null. A job that was run several times
        counts its last time.

    Raises
    ------
    ValueError
        A benchmark file has no line of measurements, or a key is not of the form above.
    """
    jobs = [_job(key, path) for key, path in sorted(benchmarks.items())]
    write_json(output, {"schema": "timings/1", "machine": _machine(), "jobs": jobs})


def _name(path: Path, results: Path) -> str:
    full, root = absolute(path), absolute(results)
    if not full.is_relative_to(root):
        raise ValueError(f"{path} is not below {results}; the manifest lists products of that folder only.")
    return full.relative_to(root).as_posix()


def _entry(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": digest_of(path)}


def _job(key: str, path: Path) -> dict[str, Any]:
    rule, _, rest = key.partition(":")
    pairs = [pair.partition("=") for pair in rest.split(",") if rest]
    if not rule or not all(name and equals for name, equals, _ in pairs):
        raise ValueError(f"the job {key!r} is not named like 'rule' or 'rule:wildcard=value,wildcard=value'.")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    if not rows:
        raise ValueError(f"{path} holds no measurements; remove it and run the job again.")
    return {
        "rule": rule,
        "kind": path.parent.name if path.parent.parent.name == "benchmarks" else rule,
        "wildcards": {name: value for name, _, value in pairs},
        "seconds": _number(rows[-1].get("s")),
        "max_rss_mib": _number(rows[-1].get("max_rss")),
    }


def _number(cell: str | None) -> float | None:
    """Number in a cell of a benchmark file; None for Snakemake's ``NA`` and ``-``."""
    try:
        value = float(cell or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _machine() -> dict[str, Any]:
    return {
        "host": platform.node(),
        "processor": _labelled(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        "cores": os.cpu_count(),
        "device": _graphics_card() or "cpu",
    }


def _graphics_card(drivers: Path = Path("/proc/driver/nvidia/gpus")) -> str | None:
    """Name of the first NVIDIA card, as its driver tells it (asking torch would cost its import)."""
    for information in sorted(drivers.glob("*/information")):
        model = _labelled(information, "Model")
        if model:
            return model
    return None


def _labelled(file: Path, label: str) -> str | None:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    values = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in values if name.strip() == label), None)
