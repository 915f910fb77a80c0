"""The table of methods knows LRP's rules, and costs no torch."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import jsonschema
import nets
import pytest

import nn_interpretability
from nn_interpretability.errors import ConfigError
from nn_interpretability.registry import METHODS, method_entry
from nn_interpretability.rules.composite import PRESETS
from nn_interpretability.rules.linear import _NAMES as RULES


def test_the_schema_knows_all_rules_and_presets() -> None:
    properties = METHODS["lrp"].parameters["properties"]
    assert set(properties["rule"]["enum"]) == set(RULES) - {
        "z_box",
        "w2",
        "flat",
    }  # that one is for the input: input_rule
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


def test_an_unknown_name_lists_the_names() -> None:
    assert method_entry("lrp") is METHODS["lrp"]
    with pytest.raises(ConfigError, match=r"no method 'lpr'. The methods are: "):
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
