"""Reading a configuration file, and finding what YAML itself would pass over in silence."""

from __future__ import annotations

from collections.abc import Iterator
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
