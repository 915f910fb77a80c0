"""Check every product in a results folder: digest, readability, schema, no NaN."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nn_interpretability.storage import product
from nn_interpretability.storage.apart import PATIENCE_S, Apart, NoReaderError, cannot_be_read
from nn_interpretability.storage.lock import RunLock

__all__ = ["SCHEMAS", "Problem", "verify"]

#: The layouts of products that this version of the package knows.
SCHEMAS = frozenset(
    {
        "activation_views/1",
        "ascent/1",
        "attribution/1",
        "calibration/1",
        "claim/1",
        "digits/1",
        "dream_state/1",
        "dreams/1",
        "evidence/1",
        "figure/1",
        "leave_one_out/1",
        "pass_attribution/1",
        "independent_pass_sums/1",
        "pass_sums/1",
        "passes/1",
        "photograph/1",
        "probe/1",
        "replication/1",
        "samples/1",
        "synthesis/1",
        "toys/1",
        "verdicts/1",
    }
)

_NO_PRODUCTS = {"logs", "benchmarks", "provenance"}
_MAKE_AGAIN = "run the same command again: it makes this file again"


@dataclass(frozen=True)
class Problem:
    """A product that cannot be trusted: which file, what is wrong with it, and what to do."""

    path: Path
    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}; {self.advice}."


def verify(results: Path | str, *, set_aside: bool = False, patience_s: float = PATIENCE_S) -> list[Problem]:
    """Check all products of a results folder, changing nothing unless asked to.

    A product is a file with a digest beside it, or one whose suffix says so (``.h5 .json .csv .safetensors
    .pdf .png .tex``) outside of ``logs``, ``benchmarks`` and ``provenance``.

    Parameters
    ----------
    results : path
        The results folder.
    set_aside : bool, optional
        Rename each broken product to ``<name>.broken`` and remove its digest, so that the next run makes it
        again.
    patience_s : float, optional
        Seconds after which an HDF5 file, a small one, is given up that cannot be read to its end; a large one has
        more.

    Returns
    -------
    list of Problem
        Sorted by path; empty if all is well.

    Raises
    ------
    LockedError
        `set_aside` is asked for while a run is using the folder.
    NotADirectoryError
        There is no such folder.
    NoReaderError
        The process that reads HDF5 files cannot be started.
    """
    results = Path(results)
    if not results.is_dir():
        raise NotADirectoryError(f"{results} is not a folder; give the results folder of a run.")
    if not set_aside:
        return _problems(results, patience_s)
    with RunLock().acquire(results):
        return [_set_aside(problem) for problem in _problems(results, patience_s)]


def _problems(results: Path, patience_s: float) -> list[Problem]:
    # The HDF5 library loops for ever over some damaged files, and no error ends that.
    with Apart(__name__, "faults_of_hdf5", patience_s=patience_s) as apart:
        checks = {**_CHECKS, ".h5": apart.faults}
        return [problem for path in _products(results) if (problem := _problem(path, checks))]


def _products(results: Path) -> list[Path]:
    found = set()
    for folder, subfolders, names in os.walk(results):
        subfolders[:] = [name for name in subfolders if name not in _NO_PRODUCTS and not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if name.startswith("."):
                continue
            if path.suffix == ".sha256":
                found.add(path.with_suffix(""))
            elif path.suffix in _CHECKS:
                found.add(path)
    return sorted(found)


def _problem(path: Path, checks: Mapping[str, Callable[[Path], Iterable[str]]]) -> Problem | None:
    expected = product.recorded_digest(path)
    if not path.is_file():
        return Problem(path, "is missing, but its digest is there", _MAKE_AGAIN)
    if expected is None:
        return Problem(path, "has no digest beside it, so that its writer did not finish it", _MAKE_AGAIN)
    found = product.digest_of(path)
    if found != expected:
        return Problem(path, f"was damaged or changed (expected SHA-256 {expected}, found {found})", _MAKE_AGAIN)
    check = checks.get(path.suffix)
    try:
        faults = list(check(path)) if check else []
    except NoReaderError:  # that says nothing about the file
        raise
    except Exception as error:  # noqa: BLE001  whatever a reader raises, the file cannot be read
        faults = [cannot_be_read(error)]
    return Problem(path, faults[0], _MAKE_AGAIN) if faults else None


def _set_aside(problem: Problem) -> Problem:
    was_there = problem.path.is_file()
    broken = product.set_aside(problem.path)
    done = f"it was renamed to {broken.name}" if was_there else "its digest was removed"
    return Problem(problem.path, problem.what, f"{done}; {problem.advice}")


def faults_of_hdf5(path: Path) -> Iterator[str]:
    """What is wrong with an HDF5 file whose digest is right: its schema, or numbers that are none."""
    from nn_interpretability.storage.hdf5 import first_non_finite, read_hdf5

    content = read_hdf5(path)
    if content.schema not in SCHEMAS:
        known = ", ".join(sorted(SCHEMAS))
        yield f"has the schema {content.schema!r}, which this version does not know (it knows {known})"
    values = {name: array.values for name, array in content.arrays.items()} | content.scales
    for name, numbers in values.items():
        bad = first_non_finite(numbers)
        if bad is not None:
            yield f"has {numbers[bad]} in {name!r} at index {bad}"


def _faults_of_json(path: Path) -> Iterator[str]:
    constants: list[str] = []
    content = json.loads(path.read_text(encoding="utf-8"), parse_constant=constants.append)
    yield from (f"holds {constant}" for constant in constants)
    weights = path.with_name("weights.safetensors")
    described = content.get("weights") if path.name == "card.json" and isinstance(content, dict) else None
    recorded = product.recorded_digest(weights)  # damage to the weights themselves is told of them, not of the card
    if described is not None and weights.is_file() and recorded not in (None, described):
        yield f"describes other weights than those in {weights.name} beside it"


def _faults_of_csv(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, strict=True))
    if not rows:
        yield "is empty"
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            yield f"has {len(row)} cells in line {number}, but {len(rows[0])} columns"
        if any(_is_non_finite(cell) for cell in row):
            yield f"holds NaN or infinity in line {number}"


def _is_non_finite(cell: str) -> bool:
    try:
        return not math.isfinite(float(cell))
    except ValueError:
        return False


def _faults_of_safetensors(path: Path) -> Iterator[str]:
    from safetensors.numpy import load_file

    from nn_interpretability.storage.hdf5 import first_non_finite

    for name, values in load_file(path).items():
        bad = first_non_finite(values)
        if bad is not None:
            yield f"has {values[bad]} in {name!r} at index {bad}"


def _faults_of_pdf(path: Path) -> Iterator[str]:
    yield from _faults_of_frame(path, b"%PDF-", b"%%EOF")


def _faults_of_png(path: Path) -> Iterator[str]:
    yield from _faults_of_frame(path, b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82")


def _faults_of_frame(path: Path, first: bytes, last: bytes) -> Iterator[str]:
    content = path.read_bytes()
    if not content.startswith(first) or not content.rstrip(b"\r\n").endswith(last):
        yield f"is not a whole {path.suffix[1:].upper()} file"


def _faults_of_text(path: Path) -> Iterator[str]:
    path.read_text(encoding="utf-8")
    yield from ()


_CHECKS: dict[str, Callable[[Path], Iterable[str]]] = {
    ".h5": faults_of_hdf5,
    ".json": _faults_of_json,
    ".csv": _faults_of_csv,
    ".safetensors": _faults_of_safetensors,
    ".pdf": _faults_of_pdf,
    ".png": _faults_of_png,
    ".tex": _faults_of_text,
}
