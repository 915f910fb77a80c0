"""What made a product, in words that are the same whenever it is made again from the same commit."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nn_interpretability.storage.disk import absolute
from nn_interpretability.storage.lock import results_root
from nn_interpretability.storage.product import digest_of, recorded_digest

__all__ = ["name_in_results", "provenance"]

_PACKAGE = Path(__file__).resolve().parents[1]
_PACKAGES = ("h5py", "numpy", "torch")


def provenance(
    *,
    rule: str,
    wildcards: Mapping[str, Any],
    code: str,
    inputs: Sequence[Path | str],
    seed: int | None,
    device: str,
    extra: Mapping[str, Any] = {},
) -> dict[str, Any]:
    """Describe how a product is made; JSON-able, without clock, host name or absolute path.

    Parameters
    ----------
    rule, wildcards
        The rule of the workflow and its wildcards.
    code : str
        Digest of the code, from :func:`nn_interpretability.code_digest.code_digest`.
    inputs : sequence of path
        The files read; named relative to the results folder they lie in, else to the working folder, else by
        their file name alone, each with its SHA-256.
    seed : int or None
        The seed, None where nothing is random.
    device : str
        Where it was computed: ``"cpu"``, ``"cuda"``.
    extra : mapping, optional
        More to record (a range of passes, a data source).

    Returns
    -------
    dict
        ``rule, wildcards, code, commit, inputs, seed, device, instruction_set, versions`` and what is in
        `extra`.
    """
    description = {
        "rule": rule,
        "wildcards": {key: str(value) for key, value in wildcards.items()},
        "code": code,
        "commit": _commit(),
        "inputs": {name_in_results(Path(path)): recorded_digest(path) or digest_of(path) for path in inputs},
        "seed": seed,
        "device": device,
        "instruction_set": _instruction_set(),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
    }
    taken = sorted(description.keys() & extra.keys())
    if taken:
        raise ValueError(f"extra may not replace {taken[0]!r}, which the provenance records itself.")
    return description | dict(extra)


def name_in_results(path: Path) -> str:
    """Name of a file relative to the results folder it lies in, else to the working folder, else its name alone."""
    full = absolute(path)
    for root in (results_root(full), Path.cwd()):
        if root is not None and full.is_relative_to(root):
            return full.relative_to(root).as_posix()
    return path.name


def _version(package: str) -> str:
    """The installed version: a module's own word can differ from it, and is there only once it is imported."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


@functools.cache
def _commit(folder: Path = _PACKAGE) -> str:
    """Commit of the repository that holds this package, ``-dirty`` added where tracked files differ from it.

    ``"unknown"`` where there is no git, or where the package lies in a repository that does not track it (an
    environment inside somebody's home under version control).
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"  # many jobs ask at once

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env=environment, capture_output=True, text=True, timeout=10, check=True,
        ).stdout.strip()  # fmt: skip

    try:
        git("ls-files", "--error-unmatch", "__init__.py")
        commit = git("rev-parse", "HEAD")
        return f"{commit}-dirty" if git("status", "--porcelain", "--untracked-files=no") else commit
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _instruction_set() -> str:
    """Vector instructions, which decide the bits of a float32 result, in torch's words: ``"AVX512"``."""
    torch = sys.modules.get("torch")
    return str(torch.backends.cpu.get_cpu_capability()) if torch else _instruction_set_of_processor()


@functools.cache
def _instruction_set_of_processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return platform.machine()
    flags = next(
        (set(line.split(":", 1)[1].split()) for line in lines if line.startswith(("flags", "Features"))),
        set(),
    )
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags:
        return "AVX512"
    return "AVX2" if {"avx2", "fma"} <= flags else platform.machine()
