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


def labels_of(config: Mapping[str, Any], figure: str) -> dict[str, str]:
    """By what people look for a figure in the HTML report: its method, its networks, its pictures.

    Parameters
    ----------
    config
        The whole configuration, checked.
    figure
        Name of an entry of ``figures``.

    Returns
    -------
    dict
        ``method``, ``model`` and ``data``, several of them with commas between, none as a dash.
    """
    definition = config["figures"][figure]
    found: dict[str, dict[str, None]] = {"method": {}, "model": {}, "data": {}}
    for name in [*definition["panels"], *definition["published"]]:
        section = names_to_show(config)[name][0]
        entry = {**config[section][name]}
        entry |= config["passes"][entry["passes"]] if section == "pass_attributions" else {}
        models = entry.get("models") or [entry.get("model") or (name if section == "generators" else "")]
        found["method"][entry.get("method", _METHODS.get(section, section.replace("_", " ")))] = None
        found["model"] |= dict.fromkeys(filter(None, models))
        found["data"] |= dict.fromkeys(filter(None, [entry.get("probe")]))
    return {label: ", ".join(values) or "-" for label, values in found.items()}


_METHODS = {
    "syntheses": "activation maximisation",
    "dreams": "DeepDream",
    "activation_views": "activation maps",
    "generators": "samples",
}
