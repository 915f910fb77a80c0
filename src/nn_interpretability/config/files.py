"""Reading a configuration file, and finding what YAML itself would pass over in silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from nn_interpretability.config.problems import Problem, joined, show
from nn_interpretability.errors import ConfigError


def read_config(path: Path | str) -> dict[str, Any]:
    """Read one YAML file, without checking what it says.

    Raises
    ------
    ConfigError
        If there is no such file, it is not YAML, or it is not a mapping.
    """
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"There is no configuration file {str(path)!r}.") from None
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError(f"{path} says {show(document)}; a configuration is a mapping of keys to values.")
    return document


def merged(paths: Sequence[Path | str]) -> dict[str, Any]:
    """Read several files as one configuration, as Snakemake does: a later file wins, key by key, at every depth."""
    config: dict[str, Any] = {}
    for path in paths:
        config = _updated(config, read_config(path))
    return config


def _updated(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    both = {key: _updated(old[key], value) for key, value in new.items() if _are_mappings(old.get(key), value)}
    return {**old, **new, **both}


def _are_mappings(*values: Any) -> bool:
    return all(isinstance(value, Mapping) for value in values)


def repeated_keys(path: Path | str) -> list[Problem]:
    """Return the keys that stand twice in one mapping of a YAML file, where YAML would use the last."""
    try:
        root = yaml.compose(Path(path).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return []  # who reads the file has a better message
    return list(_repeated(root, "", path)) if root is not None else []


def _repeated(node: yaml.Node, path: str, file: Path | str) -> Iterator[Problem]:
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            yield from _repeated(child, joined([path, index]), file)
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, child in node.value:
            name, line = joined([path, str(key.value)]), key.start_mark.line + 1
            if name in lines:
                complaint = f"stands twice in {file}, in lines {lines[name]} and {line}"
                yield Problem(name, complaint, "each key once")
            lines.setdefault(name, line)
            yield from _repeated(child, name, file)
