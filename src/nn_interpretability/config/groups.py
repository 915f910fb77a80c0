"""Which entries of a configuration one job takes on together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def grouped(entries: Mapping[str, Mapping[str, Any]], *keys: str) -> dict[Any, list[str]]:
    """Group the names of entries by what they say under some keys, in the order of their first appearance.

    Parameters
    ----------
    entries
        A section of the configuration, such as ``attributions``, with the defaults filled in.
    keys
        One key, or several.

    Returns
    -------
    dict
        Names by value for one key, by tuple of values for several.
    """
    groups: dict[Any, list[str]] = {}
    for name, entry in entries.items():
        value = entry[keys[0]] if len(keys) == 1 else tuple(entry[key] for key in keys)
        groups.setdefault(value, []).append(name)
    return groups
