"""The arrays behind the figures of the small run, stored small in ``tests/reference``; its README says how."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nn_interpretability.comparison.arrays import compare_arrays, named_arrays
from nn_interpretability.comparison.outcome import Outcome, most_different_first, only_in
from nn_interpretability.comparison.terminal import measured
from nn_interpretability.comparison.tolerances import EXACT, FLOAT, Tolerance
from nn_interpretability.storage.hdf5 import Array, Product, read_unverified, write_hdf5

REFERENCE = Path(__file__).resolve().parent.parent / "reference"
SIDES = ("the reference", "this run")
#: Pictures and maps keep every second row and column: what goes wrong in a map does not go wrong in one pixel.
STEP = 2

#: What networks trained elsewhere must still agree in.
ELSEWHERE = Tolerance(
    "maps and pictures of networks trained on another kind of processor", 0.2, 0.99, 0.95,
    "training turns differences of 1e-7 into up to 2 % of a weight in some networks: with AVX2 in place of AVX512, "
    "maps differed by up to 0.03, signs agreed in 0.999 and ranks in 0.998; a wrong rule, sign or target does more",
)  # fmt: skip
#: Pictures made by searches that hardly differed with AVX2 (0.006). Generators were others altogether (fig03, samples).
SEARCHES = frozenset({"fig02", "expert", "fig04", "fig05", "dreams_without"})


def figures(results: Path) -> dict[str, Path]:
    """The files with the arrays behind the figures of a run."""
    return {path.stem: path for path in sorted((results / "figures" / "data").glob("*.h5"))}


def references(folder: Path = REFERENCE) -> dict[str, Path]:
    """The stored ones."""
    return {path.stem: path for path in sorted(folder.glob("*.h5"))}


def thinned(product: Product) -> Product:
    """The same arrays, with every second row and column of pictures; single precision for what is not exact."""
    arrays = {name: _thin(array) for name, array in product.arrays.items()}
    lengths = {dim: n for array in arrays.values() for dim, n in zip(array.dims, array.values.shape, strict=True)}
    scales = {dim: values for dim, values in product.scales.items() if len(values) == lengths.get(dim)}
    return replace(product, arrays=arrays, scales=scales)


def _thin(array: Array) -> Array:
    values: npt.NDArray[Any] = array.values
    if [dim.partition("_")[0] for dim in array.dims[-2:]] == ["y", "x"]:
        values = values[..., ::STEP, ::STEP]
    if values.dtype.kind == "f":
        values = values.astype(np.float32)
    return Array(np.ascontiguousarray(values), array.dims)


def compare(results: Path, folder: Path = REFERENCE) -> list[Outcome]:
    """Compare a run with the stored arrays, by name: tightly on the kind of processor that made them, else loosely."""
    stored, made = references(folder), figures(results)
    there = {words for path in stored.values() for words in read_unverified(path).provenance["processors"]}
    same_kind = there == processors(made)
    floats = FLOAT if same_kind else ELSEWHERE
    outcomes = []
    for name in sorted(stored.keys() | made.keys()):
        if name in stored and name in made:
            one, other = read_unverified(stored[name]), thinned(read_unverified(made[name]))
            outcomes += compare_arrays(name, named_arrays(one), named_arrays(other), sides=SIDES, floats=floats)
        else:
            outcomes.append(only_in(SIDES[name not in stored], "array", name, "all arrays", EXACT))
    outcomes = [each for each in outcomes if each.unlike or not is_rounding(each)]
    return outcomes if same_kind else [each for each in outcomes if is_expected_elsewhere(each)]


def is_rounding(outcome: Outcome) -> bool:
    """Whether an array holds what is left of two equal maps: 1e-7 of them, with other digits on each processor."""
    return outcome.group == "transposed" and outcome.name.endswith("[difference]")


def is_expected_elsewhere(outcome: Outcome) -> bool:
    """Whether networks trained on another kind of processor should agree in this."""
    trained = outcome.name.startswith(("maps", "pictures", "label"))
    searched = outcome.group in SEARCHES and outcome.name.startswith("row")
    return outcome.unlike or trained or searched or outcome.group == "toys"  # toys are not trained


def regenerate(results: Path, folder: Path = REFERENCE) -> None:
    """Store the arrays of a run in place of those that are there."""
    for path in references(folder).values():
        path.unlink()
    for name, path in figures(results).items():
        product = thinned(read_unverified(path))
        record = {key: product.provenance[key] for key in ("commit", "versions")}
        with tempfile.TemporaryDirectory() as temporary:
            small = Path(temporary) / f"{name}.h5"
            write_hdf5(
                small,
                product.arrays,
                schema="reference/1",
                params={},
                provenance={**record, "processors": sorted(processors({name: path}))},
                scales=product.scales,
            )
            (folder / small.name).write_bytes(small.read_bytes())


def processors(made: Mapping[str, Path]) -> set[str]:
    """What computed figures and all that they were made from: device, vector instructions, maker of the processor."""
    found = {pair for path in made.values() for pair in _computed_by(read_unverified(path).provenance)}
    return {" ".join((*pair, vendor())) for pair in found}


def _computed_by(record: Any) -> Iterator[tuple[str, str]]:
    if isinstance(record, Mapping):
        if "instruction_set" in record:
            yield str(record["device"]), str(record["instruction_set"])
        for inner in record.values():
            yield from _computed_by(inner)


def vendor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Who made this machine's processor; the matrix products of torch depend on it, beside the instruction set."""
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith(("vendor_id", "CPU implementer"))]
    return named[0] if named else platform.machine()


def told(outcomes: Sequence[Outcome]) -> str:
    """A line for each array that differs, the largest difference first."""
    rows = [each for each in most_different_first(list(outcomes)) if each.differs]
    lines = [f"{each.title}: {measures(each)} (wanted: {each.tolerance.words})" for each in rows]
    return "\n".join(lines) or "no array differs"


def measures(outcome: Outcome) -> str:
    """The measures of an array in words, or why there is none."""
    error, signs, ranks = measured(outcome)
    return outcome.words or f"relative error {error}, signs {signs}, ranks {ranks}"
