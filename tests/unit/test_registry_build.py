"""Methods are built by name, also one around another."""

from __future__ import annotations

import nets
import pytest
import torch
from jsonschema import Draft202012Validator

from nn_interpretability import IntegratedGradients, SmoothGrad
from nn_interpretability.config.validate import check_parameters
from nn_interpretability.errors import ConfigError
from nn_interpretability.models import build_model
from nn_interpretability.registry import METHODS, method_entry, method_modules

NEEDED = {
    "expected_gradients": {"references": [0, 1]},
    "grad_cam": {"layer": "relu2"},
    "guided_grad_cam": {"layer": "relu2"},
}


@pytest.mark.filterwarnings("ignore:Deep Taylor decomposition starts")
@pytest.mark.parametrize("name", METHODS)
def test_defaults_are_allowed_and_build(name: str) -> None:
    entry = METHODS[name]
    Draft202012Validator.check_schema(entry.parameters)
    model = nets.randomised(build_model("cam_3x3"))
    built = entry.build(model, check_parameters(name, NEEDED.get(name, {})))
    described = dict(built.parameters)
    assert built.interpret(nets.digits(1)).method == name
    if name != "lrp":
        check_parameters(name, described)  # what a file says of a method can be asked for again


def test_a_method_around_another() -> None:
    model = nets.small_cnn(study=False)
    asked = {"of": {"method": "integrated_gradients", "parameters": {"steps": 3}}, "samples": 2}
    built = method_entry("smoothgrad").build(model, check_parameters("smoothgrad", asked))
    expected = SmoothGrad(IntegratedGradients(model, steps=3), samples=2)
    assert built.parameters == expected.parameters
    assert torch.equal(built.interpret(nets.digits(2)).values, expected.interpret(nets.digits(2)).values)


def test_the_modules_of_a_method_around_another() -> None:
    asked = {"of": {"method": "lrp"}}
    prefix = "nn_interpretability.methods."
    assert method_modules("smoothgrad", asked) == [f"{prefix}smoothgrad", f"{prefix}lrp"]
    assert method_modules("smoothgrad", {}) == [f"{prefix}smoothgrad", f"{prefix}gradient"]
    assert method_modules("lrp", {}) == [f"{prefix}lrp"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"of": {"method": "lpr"}}, "lpr"),
        ({"of": {"method": "smoothgrad"}}, "smoothgrad"),
        ({"of": {"method": "integrated_gradients", "parameters": {"step": 3}}}, "step"),
        ({"of": {"method": "gradient", "parameter": {}}}, "parameter"),
        ({"of": {"parameters": {}}}, "method"),
    ],
)
def test_what_is_inside_is_checked(asked: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check_parameters("smoothgrad", asked)
