"""A part of the report's numbers: what a job may write is declared before it runs."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nn_interpretability.errors import DataError
from nn_interpretability.storage.product import write_json

ANY = ("*",)
"""Declares every key: for callers outside the workflow."""


class DeclaredKeys:
    """Keys of numbers, and patterns of keys.

    Parameters
    ----------
    keys
        ``model.cnn.test.accuracy``; a ``*`` stands for what only the run knows (``attribution.lrp_0.layers.*``).
    """

    def __init__(self, keys: Iterable[str]) -> None:
        every = list(dict.fromkeys(keys))
        self.exact = frozenset(key for key in every if "*" not in key)
        patterns = [fnmatch.translate(key) for key in every if "*" in key]
        self._pattern = re.compile("|".join(patterns)) if patterns else None

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        return key in self.exact or (self._pattern is not None and self._pattern.match(key) is not None)


def write_part(output: Path | str, numbers: Mapping[str, Any], *, keys: Sequence[str]) -> None:
    """Write one part of the numbers.

    Parameters
    ----------
    output
        The JSON file.
    numbers
        Entries by key, from :func:`nn_interpretability.study.numbers.entry`.
    keys
        What the job declares, see :class:`DeclaredKeys`.

    Raises
    ------
    DataError
        If a number is not declared, since the check of the report's text would not know it.
    """
    declared = DeclaredKeys(keys)
    unknown = sorted(key for key in numbers if key not in declared)
    if unknown:
        more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        raise DataError(
            f"The number {unknown[0]!r}{more} is not declared by the job that writes it: "
            "add it to nn_interpretability/study/number_keys.py."
        )
    write_json(output, dict(numbers))
