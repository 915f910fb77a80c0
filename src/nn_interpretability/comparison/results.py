"""Two results folders, compared whole."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nn_interpretability.comparison.arrays import compare_arrays, named_arrays
from nn_interpretability.comparison.outcome import Outcome, most_different_first, only_in
from nn_interpretability.comparison.pictures import compare_pictures
from nn_interpretability.comparison.records import compare_leaves, leaves, leaves_of_claims, leaves_of_numbers
from nn_interpretability.comparison.tolerances import EXACT, PICTURE
from nn_interpretability.errors import DataError
from nn_interpretability.storage.hdf5 import read_unverified

__all__ = ["SIDES", "Comparison", "compare_results"]

SIDES = ("A", "B")
_RECORDS = {"numbers.json": ("number", leaves_of_numbers), "claims.json": ("claim", leaves_of_claims)}


@dataclass(frozen=True)
class Comparison:
    """What two results folders have in common.

    Attributes
    ----------
    a, b
        The folders.
    outcomes
        All that was compared, what differs most first.
    """

    a: Path
    b: Path
    outcomes: tuple[Outcome, ...]

    @property
    def same(self) -> bool:
        """Whether everything is within its tolerance."""
        return not any(outcome.differs for outcome in self.outcomes)

    def figures(self) -> list[str]:
        """All figures, the one with the largest difference first."""
        found: dict[str, None] = {}
        for outcome in self.outcomes:
            if outcome.kind in ("array", "picture"):
                found.setdefault(outcome.group)
        return list(found)


def compare_results(a: Path | str, b: Path | str) -> Comparison:
    """Compare the figures, the numbers and the claims of two runs; nothing is changed in either folder.

    Parameters
    ----------
    a, b
        Results folders: two commits, two devices, two sources of data.

    Returns
    -------
    Comparison
        Figures and numbers that only one side has are among its differences.

    Raises
    ------
    DataError
        A folder holds no results, or a file in it cannot be read.
    """
    a, b = Path(a), Path(b)
    for folder in (a, b):
        _check(folder)
    outcomes = _arrays(a, b) + _pictures(a, b)
    for name in _RECORDS:
        outcomes += _records(a, b, name)
    return Comparison(a, b, tuple(most_different_first(outcomes)))


def _check(folder: Path) -> None:
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give the results folder of a run, such as results.")
    if not _figures(folder, "data/*.h5") and not any((folder / name).is_file() for name in _RECORDS):
        wanted = ", ".join(("figures/data/*.h5", *_RECORDS))
        raise DataError(f"{folder} holds no results ({wanted}); give the results folder of a run, such as results.")


def _figures(folder: Path, pattern: str) -> dict[str, Path]:
    return {path.stem: path for path in sorted((folder / "figures").glob(pattern))}


def _arrays(a: Path, b: Path) -> list[Outcome]:
    one, other = _figures(a, "data/*.h5"), _figures(b, "data/*.h5")
    outcomes = []
    for name in sorted(one.keys() | other.keys()):
        if name not in one or name not in other:
            outcomes.append(only_in(SIDES[name not in one], "array", name, "all arrays", EXACT))
            continue
        left, right = read_unverified(one[name]), read_unverified(other[name])
        outcomes += compare_arrays(name, named_arrays(left), named_arrays(right))
        words = (dict(leaves(product.params, "params")) for product in (left, right))
        outcomes += compare_leaves("array", lambda _, name=name: name, *words)  # type: ignore[misc]
    return outcomes


def _pictures(a: Path, b: Path) -> list[Outcome]:
    one, other = _figures(a, "*.png"), _figures(b, "*.png")
    outcomes = []
    for name in sorted(one.keys() | other.keys()):
        if name in one and name in other:
            outcomes.append(compare_pictures(name, one[name], other[name]))
        else:
            outcomes.append(only_in(SIDES[name not in one], "picture", name, f"{name}.png", PICTURE))
    return outcomes


def _records(a: Path, b: Path, name: str) -> list[Outcome]:
    kind, read = _RECORDS[name]
    there = [(folder / name).is_file() for folder in (a, b)]
    if not all(there):
        return [only_in(SIDES[not there[0]], kind, name, f"{name}, the whole file", EXACT)] if any(there) else []
    one, other = (_read(folder / name, read) for folder in (a, b))
    return compare_leaves(kind, lambda key: key.partition(".")[0], one, other)


def _read(path: Path, read: Any) -> dict[str, Any]:
    try:
        found: dict[str, Any] = read(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is damaged or not what a run writes ({error!r}); run the workflow again.") from error
    return found
