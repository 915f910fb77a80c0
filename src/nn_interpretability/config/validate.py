"""Checking a configuration: all problems in one message, and the defaults filled in where there are none."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from nn_interpretability.config import passes
from nn_interpretability.config.files import repeated_keys
from nn_interpretability.config.models import is_imported
from nn_interpretability.config.models import problems as problems_of_models
from nn_interpretability.config.problems import Problem, from_schema_error, joined, unknown_name
from nn_interpretability.config.schema import Schema, config_schema
from nn_interpretability.config.shown import SHOWN, names_to_show
from nn_interpretability.config.usable import unusable, usable
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
    schema, problems = method_entry(method).parameters, list(unusable(parameters))
    if not problems:
        errors = Draft202012Validator(schema).iter_errors(parameters)
        problems = list(dict.fromkeys(problem for error in errors for problem in from_schema_error(error)))
    if problems:
        listed = "\n".join(map(str, problems))
        raise ConfigError(f"These parameters of {method} cannot be used:\n{listed}")
    return dict(parameters)


def problems_of(config: Mapping[str, Any]) -> list[Problem]:
    """Return all that is wrong with a configuration, in the order of the paths; empty if nothing is."""
    problems = list(itertools.islice(unusable(config), 1000))  # one that contains itself has no end of them
    if any(problem.complaint.startswith("is nested") for problem in problems):
        return problems
    config = usable(config)
    schema = config_schema()
    errors = Draft202012Validator(schema).iter_errors(config)
    problems += [problem for error in errors for problem in from_schema_error(error)]
    filled = with_defaults(config, schema)
    problems += _names_that_are_not_there(filled)
    problems += passes.problems(filled)
    problems += problems_of_models(filled)
    return sorted(dict.fromkeys(problems), key=lambda problem: problem.path)


def with_defaults(value: Any, schema: Schema) -> Any:
    """Return a copy of ``value`` with the schema's defaults filled in, at every depth."""
    if not isinstance(value, Mapping):
        return deepcopy(value)
    properties: Mapping[str, Schema] = _properties(value, schema)
    others = schema.get("additionalProperties")
    defaults = {key: child["default"] for key, child in properties.items() if "default" in child}
    return {
        key: with_defaults(child, properties.get(key) or (others if isinstance(others, dict) else {}))
        for key, child in (defaults | dict(value)).items()
    }


def _properties(value: Mapping[str, Any], schema: Schema) -> dict[str, Schema]:
    """The keys that a schema knows, those of the branch that fits the value among them."""
    found = dict(schema.get("properties", {}))
    if "if" in schema:
        branch = "then" if Draft202012Validator(schema["if"]).is_valid(value) else "else"
        found |= _properties(value, schema.get(branch, {}))
    return found


def _names_that_are_not_there(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Find models, probes and attributions that are used but nowhere defined, which a schema cannot say."""
    for section in ("attributions", "activation_views", "evidence", "calibrations"):
        yield from _models_and_probes(config, section)
    yield from _judge_that_is_not_there(config)
    yield from _syntheses_that_cannot_be(config)
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


def _judge_that_is_not_there(config: Mapping[str, Any]) -> Iterator[Problem]:
    judge, models = _mapping(config, "samples").get("judge"), list(_mapping(config, "models"))
    if _mapping(config, "generators") and isinstance(judge, str) and judge not in models:
        yield unknown_name("samples.judge", judge, models, "models")


def _models_and_probes(config: Mapping[str, Any], section: str) -> Iterator[Problem]:
    """Find the models (one or a list) and probes that the entries of a section use and that are nowhere defined."""
    entries = _mapping(config, section)
    for name in entries:
        entry = _mapping(entries, name)
        for key, where in (("model", "models"), ("models", "models"), ("probe", "probes")):
            known, value = list(_mapping(config, where)), entry.get(key)
            listed = isinstance(value, list)
            for index, used in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(used, str) and used not in known:
                    place: list[str | int] = [index] if listed else []
                    yield unknown_name(joined([section, name, key, *place]), used, known, where)


def _syntheses_that_cannot_be(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Find syntheses that name models that are not trained, or whose settings contradict each other."""
    entries, judge = _mapping(config, "syntheses"), _mapping(config, "samples").get("judge")
    models, generators = list(_mapping(config, "models")), list(_mapping(config, "generators"))
    trained = [name for name in models if not is_imported(_mapping(_mapping(config, "models"), name))]
    of_digits = [name for name in entries if _mapping(entries, name).get("model") in trained]
    if of_digits and isinstance(judge, str) and judge not in models:
        yield unknown_name("samples.judge", judge, models, "models")
    for name in entries:
        entry = _mapping(entries, name)
        if isinstance(entry.get("model"), str) and entry["model"] not in models:
            yield unknown_name(joined(["syntheses", name, "model"]), entry["model"], models, "models")
        for key in ("generator", "expert"):
            if isinstance(entry.get(key), str) and entry[key] not in generators:
                yield unknown_name(joined(["syntheses", name, key]), entry[key], generators, "generators")
        for key, complaint, allowed in _contradictions(entry):
            yield Problem(joined(["syntheses", name, key]), complaint, allowed)


def _contradictions(entry: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Settings of a synthesis that would have no effect, or have no meaning together."""
    only_published = ("distance", "rescale", "batch_of_one")
    not_published = ("squared_distance", "total_variation", "code_weight", "expert")
    for key in not_published if entry.get("published") else only_published:
        if entry.get(key):
            state = "true" if entry.get("published") else "false"
            yield key, f"has no effect with published: {state}", "to leave it out"
    generator, start = entry.get("generator"), entry.get("start", "noise")
    if generator and start not in {"noise", "zeros"}:
        yield "start", f"{start!r} is a picture, and codes of a generator are searched", "noise or zeros"
    if generator and entry.get("parametrisation", "pixels") != "pixels":
        yield "parametrisation", "has no meaning with a generator", "to leave it out"
    if not generator and entry.get("code_weight"):
        yield "code_weight", "has no meaning without a generator", "generator: gan or dcgan"
    if entry.get("starts", 1) != 1 and start != "noise":
        yield "starts", f"several are the same with start: {start}", "1, or start: noise"


def _mapping(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, Mapping) else {}
