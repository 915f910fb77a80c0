"""The table of methods agrees with their constructors, and costs no torch."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import jsonschema
import nets
import pytest

import nn_interpretability
from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.base import Method
from nn_interpretability.registry import METHODS, STUDY_METHODS, configurable, method_entry
from nn_interpretability.rules.composite import PRESETS
from nn_interpretability.rules.linear import _NAMES as RULES


def keywords(name: str) -> dict[str, inspect.Parameter]:
    """All arguments but the first, which is the model, or the method that this one goes around."""
    _, _, *parameters = inspect.signature(method_entry(name).load().__init__).parameters.values()
    return {parameter.name: parameter for parameter in parameters}


@pytest.mark.parametrize("name", METHODS)
def test_each_entry_loads_the_class_of_that_name(name: str) -> None:
    loaded = METHODS[name].load()
    assert issubclass(loaded, Method)
    assert loaded.name == name
    assert getattr(nn_interpretability, loaded.__name__) is loaded
    entry = METHODS[name]
    assert all((entry.summary, entry.needs, entry.values, entry.conserves, entry.cost, entry.paper))


def test_no_method_is_forgotten() -> None:
    public = {getattr(nn_interpretability, name) for name in nn_interpretability.__all__}
    methods = {value for value in public if inspect.isclass(value) and issubclass(value, Method)}
    assert methods == {entry.load() for entry in METHODS.values()}


@pytest.mark.parametrize("name", STUDY_METHODS)
def test_methods_of_the_study_are_methods_but_not_public(name: str) -> None:
    loaded = method_entry(name).load()
    assert issubclass(loaded, Method)
    assert loaded.name == name
    assert loaded.__name__ not in nn_interpretability.__all__
    assert loaded.__module__.startswith("nn_interpretability.study.")
    assert name not in METHODS


@pytest.mark.parametrize("name", configurable())
def test_the_schema_has_the_keywords_of_the_constructor(name: str) -> None:
    # "of" names the method that another one goes around; in Python it is the first argument.
    assert set(method_entry(name).parameters["properties"]) - {"of"} == set(keywords(name))
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in keywords(name).values())
    assert method_entry(name).parameters["additionalProperties"] is False


@pytest.mark.parametrize("name", configurable())
def test_the_schema_is_one_and_accepts_the_defaults(name: str) -> None:
    schema: Mapping[str, Any] = method_entry(name).parameters
    jsonschema.Draft202012Validator.check_schema(schema)
    for key, parameter in keywords(name).items():
        if parameter.default is inspect.Parameter.empty:
            assert key in schema["required"]
            continue
        if key in ("stabilizer", "input_bounds"):
            assert parameter.default is None  # left out of a configuration
            continue
        jsonschema.validate({key: parameter.default}, {**schema, "required": []})


def test_the_schema_knows_all_rules_and_presets() -> None:
    properties = METHODS["lrp"].parameters["properties"]
    of_the_input = {"z_box", "w2", "flat"}  # named by input_rule
    assert set(properties["rule"]["enum"]) == set(RULES) - of_the_input
    preset, mapping, _ = properties["composite"]["oneOf"]
    assert set(preset["enum"]) == set(PRESETS)
    plain, detailed = mapping["additionalProperties"]["oneOf"]
    assert set(plain["enum"]) == set(RULES)
    assert set(detailed["properties"]["rule"]["enum"]) == set(RULES)


ACCEPTED = [
    {},
    {"rule": "epsilon", "epsilon": 0.1},
    {"rule": "epsilon", "epsilon": {"rms": 0.25, "signed": False}},
    {"rule": "gamma", "gamma": 0.25, "stabilizer": {"absolute": 1e-9}, "bias": "ignore"},
    {"rule": "alpha_beta", "alpha": 2, "beta": 1, "pooling": "proportional", "trace": True},
    {"rule": "0", "input_rule": "z_box", "input_bounds": [0, 1]},
    {"rule": "0", "input_rule": "z_box", "input_bounds": [[0.0], 1]},
    {"composite": "small_cnn", "input_bounds": [0, 1], "strict": True},
    {"composite": {"conv2d": "gamma", "linear": {"rule": "epsilon", "epsilon": {"rms": 0.1}}, "max_pool2d": "epsilon"}},
]
REFUSED = [
    {"rule": "lrp"},
    {"rule": "z_box"},
    {"gama": 1},
    {"gamma": -1},
    {"gamma": "0.25"},
    {"epsilon": {"rsm": 0.1}},
    {"epsilon": -1},
    {"bias": "keep"},
    {"input_bounds": [0]},
    {"input_bounds": ["a", 1]},
    {"composite": {}},
    {"composite": {"conv2d": "zplus"}},
    {"composite": {"conv2d": {"rule": "gamma", "gama": 1}}},
    {"composite": {"max_pool2d": "gamma"}},
    {"composite": {"max_pool2d_1": {"rule": "z_plus"}}},
    {"composite": {"*max_pool*": {"rule": "epsilon", "gamma": 1}}},
    {"trace": 1},
    {"pooling": "mean"},
]


@pytest.mark.parametrize("parameters", ACCEPTED)
def test_what_the_schema_accepts_the_constructor_accepts(parameters: dict[str, Any]) -> None:
    jsonschema.validate(parameters, METHODS["lrp"].parameters)
    METHODS["lrp"].load()(nets.small_cnn(study=False), **parameters).interpret(nets.uniform(1, 1, 28, 28), 0)


@pytest.mark.parametrize("parameters", REFUSED)
def test_what_the_schema_refuses(parameters: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(parameters, METHODS["lrp"].parameters)


def test_the_modes_of_the_study_are_those_of_its_table() -> None:
    from nn_interpretability.study.deeplift_modes import MODES

    for name in ("deeplift_mode", "deeplift_as_published"):
        assert method_entry(name).parameters["properties"]["mode"]["enum"] == list(MODES)


def test_an_unknown_name_lists_the_names() -> None:
    assert method_entry("lrp") is METHODS["lrp"]
    with pytest.raises(ConfigError, match=r"no method 'lpr'. The methods are: .*gradient, .*lrp"):
        method_entry("lpr")


def test_the_table_costs_no_torch() -> None:
    code = (
        "import sys, nn_interpretability, nn_interpretability.registry as r\n"
        "assert r.METHODS['lrp'].parameters\n"
        "assert 'LRP' in dir(nn_interpretability)\n"
        "assert not {'torch', 'numpy', 'torchvision'} & set(sys.modules), 'imported'\n"
        "nn_interpretability.LRP\n"
        "assert 'torch' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


def test_the_package_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="module 'nn_interpretability' has no attribute 'LPR'"):
        nn_interpretability.LPR  # noqa: B018
