"""Reading a configuration file, and finding what YAML itself would pass over in silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from nn_interpretability.config.problems import Problem, joined, show
from nn_interpretability.errors import ConfigError

MOST_VALUES = 1_000_000
"""A configuration with more values than this is a mistake, or an attack by aliases of aliases."""


def read_config(path: Path | str) -> dict[str, Any]:
    """Read one YAML file, without checking what it says.

    Raises
    ------
    ConfigError
        If there is no such file, it is not YAML, or it is not a mapping.
    """
    document = read_yaml(_text(path), str(path))
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError(f"{path} says {show(document)}; a configuration is a mapping of keys to values.")
    return document


def read_yaml(text: str, name: str) -> Any:
    """Return the value that a YAML text stands for.

    Parameters
    ----------
    text
        The text.
    name
        What messages call it.

    Raises
    ------
    ConfigError
        If it is not YAML, nested too deeply, or longer than :data:`MOST_VALUES` with its aliases written out.
    """
    root = _composed(text, name)
    if root is None:
        return None
    try:
        return yaml.SafeLoader("").construct_document(root)
    except (yaml.YAMLError, ValueError, OverflowError, LookupError) as error:  # also of dates and numbers that are none
        raise ConfigError(f"{name} cannot be read as YAML: {error}") from error


def _composed(text: str, name: str) -> yaml.Node | None:
    try:
        root: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError:
        raise ConfigError(f"{name} cannot be used: it is nested too deeply. Write it with fewer brackets.") from None
    except (yaml.YAMLError, ValueError, OverflowError, LookupError) as error:
        raise ConfigError(f"{name} cannot be read as YAML: {error}") from error
    if root is not None and (fault := _fault_of_aliases(root)) is not None:
        raise ConfigError(f"{name} cannot be used: {fault}. Write out what is meant.")
    return root


def _text(path: Path | str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"There is no configuration file {str(path)!r}.") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}") from error


def _fault_of_aliases(root: yaml.Node) -> str | None:
    """Say that a node contains itself, or that its aliases stand for far more than what is written."""
    sizes: dict[yaml.Node, int] = {}  # of what is finished
    open_nodes: set[yaml.Node] = set()
    todo = [root]
    while todo:
        node = todo[-1]
        children = _children(node)
        if node not in open_nodes and node not in sizes:
            open_nodes.add(node)
            if not open_nodes.isdisjoint(children):
                return f"the value in line {node.start_mark.line + 1} contains itself"
            todo += [child for child in children if child not in sizes]
        else:
            todo.pop()
            open_nodes.discard(node)
            sizes[node] = 1 + sum(sizes[child] for child in children)
    if sizes[root] > MOST_VALUES:
        return f"with its aliases written out it has more than {MOST_VALUES} values"
    return None


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


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
        root = _composed(_text(path), str(path))
    except ConfigError:
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
