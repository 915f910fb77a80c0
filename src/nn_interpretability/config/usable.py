"""What no configuration may hold, wherever it stands: infinite numbers, keys that are no text, values without end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from nn_interpretability.config.problems import Problem, joined, show

DEEPEST = 50
LARGEST = 2**63 - 1


def unusable(value: Any, path: str = "", depth: int = 0) -> Iterator[Problem]:
    """Find what a JSON schema lets pass: NaN and infinity, integers beyond 64 bits, keys that are no text.

    Parameters
    ----------
    value
        A configuration, or a part of one.
    path
        Where it stands.
    depth
        How many mappings and lists are around it.
    """
    if depth > DEEPEST:
        yield Problem(path, "is nested too deeply, or contains itself", f"at most {DEEPEST} levels")
    elif isinstance(value, Mapping):
        for key, child in value.items():
            if isinstance(key, str):
                yield from unusable(child, joined([path, key]), depth + 1)
            else:
                yield Problem(path, f"{show(key)} cannot be a name", "names that are text (in quotes where needed)")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from unusable(child, joined([path, index]), depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        yield Problem(path, f"{show(value)} is not allowed", "a number that is finite")
    elif isinstance(value, int) and abs(value) > LARGEST:
        yield Problem(path, "the number is too large", f"whole numbers up to {LARGEST}")


def usable(value: Any) -> Any:
    """A copy without what :func:`unusable` finds fault with but numbers, so that one can look for more."""
    if isinstance(value, Mapping):
        return {key: usable(child) for key, child in value.items() if isinstance(key, str)}
    return [usable(child) for child in value] if isinstance(value, list) else value
