"""Checking a configuration: all problems in one message, and the defaults filled in where there are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from nn_interpretability.config import passes
from nn_interpretability.config.files import repeated_keys
from nn_interpretability.config.problems import Problem, from_schema_error, joined, unknown_name
from nn_interpretability.config.schema import Schema, config_schema
from nn_interpretability.config.shown import SHOWN, names_to_show
from nn_interpretability.errors import ConfigError
from nn_interpretability.registry import method_entry


def checked(config: Mapping[str, Any], files: Sequence[Path | str] = ()) -> dict[str, Any]:
    """Check a configuration and fill in the defaults.

    Parameters
    ----------
    config
        The configuration, merged from all files and the command line.
    files
        The YAML files that it came from; a key that stands twice in one of them is a problem too.

    Returns
    -------
    dict
        A copy in which every key has a value.

    Raises
    ------
    ConfigError
        One message for all problems.
    """
    problems = [problem for file in files for problem in repeated_keys(file)] + problems_of(config)
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        listed = "\n".join(map(str, problems))
        raise ConfigError(f"The configuration has {count}; nothing was run.\n{listed}")
    filled: dict[str, Any] = with_defaults(config, config_schema())
    return filled


def check_parameters(method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check the hyper-parameters of one method, as they stand under ``parameters`` of an attribution.

    Raises
    ------
    ConfigError
        If there is no such method, or something is wrong with a hyper-parameter; one message for all problems.
    """
    errors = Draft202012Validator(method_entry(method).parameters).iter_errors(parameters)
    problems = list(dict.fromkeys(problem for error in errors for problem in from_schema_error(error)))
    if problems:
        listed = "\n".join(map(str, problems))
        raise ConfigError(f"These parameters of {method} cannot be used:\n{listed}")
    return dict(parameters)


def problems_of(config: Mapping[str, Any]) -> list[Problem]:
    """Return all that is wrong with a configuration, in the order of the paths; empty if nothing is."""
    schema = config_schema()
    errors = Draft202012Validator(schema).iter_errors(config)
    problems = [problem for error in errors for problem in from_schema_error(error)]
    filled = with_defaults(config, schema)
    problems += _names_that_are_not_there(filled)
    problems += passes.problems(filled)
    problems += [problem for section in ("evidence", "calibrations") for problem in _models_and_probes(filled, section)]
    return sorted(dict.fromkeys(problems), key=lambda problem: problem.path)


def with_defaults(value: Any, schema: Schema) -> Any:
    """Return a copy of ``value`` with the schema's defaults filled in, at every depth."""
    if not isinstance(value, Mapping):
        return deepcopy(value)
    properties: Mapping[str, Schema] = schema.get("properties", {})
    others = schema.get("additionalProperties")
    defaults = {key: child["default"] for key, child in properties.items() if "default" in child}
    return {
        key: with_defaults(child, properties.get(key) or (others if isinstance(others, dict) else {}))
        for key, child in (defaults | dict(value)).items()
    }


def _names_that_are_not_there(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Find models, probes and attributions that are used but nowhere defined, which a schema cannot say."""
    attributions = _mapping(config, "attributions")
    for name in attributions:
        for key, section in (("model", "models"), ("probe", "probes")):
            value, known = _mapping(attributions, name).get(key), list(_mapping(config, section))
            if isinstance(value, str) and value not in known:
                yield unknown_name(joined(["attributions", name, key]), value, known, section)
    shown = names_to_show(config)
    for name, sections in shown.items():
        if len(sections) > 1:
            complaint = f"is the name of an entry under {' and under '.join(sections)}"
            yield Problem(
                joined([sections[-1], name]), complaint, "a name of its own, since figures call it by its name"
            )
    figures = _mapping(config, "figures")
    for figure in figures:
        for key in ("panels", "published"):
            panels = _mapping(figures, figure).get(key)
            for index, panel in enumerate(panels if isinstance(panels, list) else []):
                if isinstance(panel, str) and panel not in shown:
                    path = joined(["figures", figure, key, index])
                    yield unknown_name(path, panel, list(shown), " or ".join(SHOWN))


def _models_and_probes(config: Mapping[str, Any], section: str) -> Iterator[Problem]:
    """Find the models (a list) and probes that the entries of a section use and that are nowhere defined."""
    entries = _mapping(config, section)
    for name in entries:
        entry = _mapping(entries, name)
        models, probe = entry.get("models"), entry.get("probe")
        known = list(_mapping(config, "models")), list(_mapping(config, "probes"))
        for index, model in enumerate(models if isinstance(models, list) else []):
            if isinstance(model, str) and model not in known[0]:
                yield unknown_name(joined([section, name, "models", index]), model, known[0], "models")
        if isinstance(probe, str) and probe not in known[1]:
            yield unknown_name(joined([section, name, "probe"]), probe, known[1], "probes")


def _mapping(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, Mapping) else {}
