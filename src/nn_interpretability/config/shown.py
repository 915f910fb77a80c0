"""What figures can show: the entries of which sections of the configuration, and where the jobs write each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Per section of the configuration, the file of an entry, below the results folder. Another kind of product that
#: figures can show is another row.
SHOWN = {
    "attributions": "attributions/{name}.h5",
    "syntheses": "syntheses/{name}.h5",
    "dreams": "dreams/{name}.h5",
    "activation_views": "activation_views/{name}.h5",
    "generators": "generators/{name}/samples.h5",
    "pass_attributions": "pass_attributions/{name}.h5",
    "evidence": "evidence/{name}.h5",
    "calibrations": "calibrations/{name}.h5",
    "toys": "toys/{name}.h5",
}


def file_of(config: Mapping[str, Any], name: str) -> str:
    """Path of the product that a figure calls by this name.

    Parameters
    ----------
    config
        The whole configuration, checked.
    name
        Name of an entry of one of the sections in :data:`SHOWN`.
    """
    section = next(section for section in SHOWN if name in config[section])
    return f"{config['results']}/{SHOWN[section].format(name=name)}"


def names_to_show(config: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the sections in which each name stands that a figure can show; one, unless the configuration is wrong."""
    found: dict[str, list[str]] = {}
    for section in SHOWN:
        entries = config.get(section)
        for name in entries if isinstance(entries, Mapping) else ():
            found.setdefault(name, []).append(section)
    return found
