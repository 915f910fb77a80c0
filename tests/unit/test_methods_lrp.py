"""LRP's constructor: what is allowed, what is written down, presets and layer names."""

from __future__ import annotations

import json
import math
from typing import Any

import nets
import pytest
import torch
from torch import nn

from nn_interpretability import LRP
from nn_interpretability.engine.stabilizer import Stabilizer
from nn_interpretability.errors import ConfigError

IMAGES = nets.uniform(2, 1, 28, 28)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rule": "lrp"}, "rule='lrp' is not allowed: choose one of '0'"),
        ({"rule": "gamma", "gamma": -1}, "gamma=-1 is not allowed: give a number >= 0"),
        ({"rule": "alpha_beta", "alpha": 2, "beta": 2}, "alpha - beta must be 1"),
        ({"epsilon": -0.1}, "absolute=-0.1 is not allowed in a stabilizer"),
        ({"epsilon": {"rsm": 0.1}}, "A stabilizer has no setting 'rsm'"),
        ({"rule": "0", "stabilizer": math.nan}, "absolute=nan is not allowed in a stabilizer"),
        ({"bias": "keep"}, "bias='keep' is not allowed: choose 'absorb' or 'ignore'"),
        ({"input_rule": "w_square"}, "input_rule='w_square' is not allowed: choose 'z_box'"),
        ({"pooling": "mean"}, "pooling='mean' is not allowed: choose 'winner' or 'proportional'"),
        ({"input_rule": "z_box"}, "input_bounds"),
        ({"rule": "z_box"}, "input_bounds"),
        ({"composite": "small_cnn"}, "input_bounds"),
        ({"composite": "montavon2019"}, "input_bounds"),
        ({"composite": {"features.conv1": "z_box"}}, "input_bounds"),
        ({"composite": {"conv2d": {"rule": "z_box"}}}, "input_bounds"),
        ({"input_bounds": (0, 1, 2)}, r"input_bounds=\(0, 1, 2\) is not allowed: give a pair"),
        ({"input_bounds": 1.0}, r"input_bounds=1.0 is not allowed: give a pair"),
        ({"composite": "montavon"}, "composite='montavon' is not a preset: choose one of 'montavon2019', 'small_cnn'"),
        ({"composite": 3}, "composite=3 is not allowed"),
    ],
)
def test_settings_that_are_not_allowed_are_named_at_once(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LRP(nets.small_cnn(study=False), **settings)


def test_the_default_device_does_not_matter() -> None:
    lrp = LRP(nets.small_cnn(study=False), composite={"linear": "0"}, trace=True)  # only some layers absorb relevance
    expected = lrp.interpret(IMAGES)
    with torch.device("meta"):
        found = lrp.interpret(IMAGES)
    assert torch.equal(found.values, expected.values)
    assert torch.equal(found.trace.absorbed, expected.trace.absorbed)


@pytest.mark.parametrize(
    ("composite", "message"),
    [
        (
            {"features.conv3": "gamma"},
            "names 'features.conv3', which is no layer of the model. Did you mean 'features.conv",
        ),
        ({"conv3d": "gamma"}, "names 'conv3d', which is no layer of the model"),
        ({"head*": "gamma"}, r"names 'head\*', which is no layer of the model"),
        ({"linear": "gama"}, "rule='gama' is not allowed"),
        ({"linear": {"rule": "gamma", "gama": 1}}, "A rule has no setting 'gama'"),
        ({"max_pool2d": "gamma"}, "Max-pooling has the rules '0' and 'epsilon', not 'gamma'"),
    ],
)
def test_composites_that_do_not_fit_the_model(composite: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LRP(nets.small_cnn(study=False), composite=composite).interpret(IMAGES, 0)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"rule": "alpha_beta", "alpha": 2, "beta": 1, "stabilizer": Stabilizer(rms=0.1)},
        {"composite": "small_cnn", "input_bounds": (torch.zeros(1), [1.0])},
        {"composite": {"conv2d": {"rule": "gamma", "gamma": 0.5}}, "epsilon": Stabilizer(0.1)},
        {"composite": {"linear": {"rule": "epsilon", "epsilon": Stabilizer(rms=0.1)}}},
        {"composite": lambda place: None},
    ],
)
def test_parameters_are_data(settings: dict[str, Any]) -> None:
    model = nets.small_cnn(study=False)
    explained = LRP(model, **settings)
    written = json.loads(json.dumps(explained.parameters))
    callable_ = callable(settings.get("composite"))
    again = {key: value for key, value in written.items() if not (callable_ and key == "composite")}
    found = LRP(model, **again).interpret(IMAGES, 1).values
    assert torch.equal(found, explained.interpret(IMAGES, 1).values)


def rules_of(model: nn.Module, images: Any = IMAGES, **settings: Any) -> dict[str, str]:
    trace = LRP(model, **settings, trace=True).interpret(images, 0).trace
    return dict(zip(trace.layers, trace.rules, strict=True))


def test_presets() -> None:
    model = nets.small_cnn(study=False)
    assert rules_of(model, composite="small_cnn", input_bounds=(0, 1)) == {
        "features.conv1": "z_box",
        "features.conv2": "alpha_beta",
        "classifier.fc1": "epsilon",
        "classifier.fc2": "0",
    }
    assert rules_of(model, composite="montavon2019", input_bounds=(0, 1)) == {
        "features.conv1": "z_box",
        "features.conv2": "gamma",
        "classifier.fc1": "epsilon",
        "classifier.fc2": "0",
    }


@pytest.mark.parametrize(
    ("preset", "conv2", "rms"),
    [
        ("small_cnn", {"rule": "alpha_beta", "alpha": 1, "beta": 0}, 0.1),
        ("montavon2019", {"rule": "gamma", "gamma": 0.25}, 0.25),
    ],
)
def test_presets_have_the_published_parameters(preset: str, conv2: dict[str, Any], rms: float) -> None:
    model = nets.small_cnn(study=False)
    epsilon = {"rule": "epsilon", "epsilon": {"rms": rms}}
    written = {"features.conv1": "z_box", "features.conv2": conv2, "classifier.fc1": epsilon, "classifier.fc2": "0"}
    expected, found = (LRP(model, composite=each, input_bounds=(0, 1)) for each in (written, preset))
    assert torch.equal(found.interpret(IMAGES, 1).values, expected.interpret(IMAGES, 1).values)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, ["0"]),
        (2, ["z_box", "0"]),
        (3, ["z_box", "epsilon", "0"]),
        (4, ["z_box", "gamma", "epsilon", "0"]),
        (5, ["z_box", "gamma", "epsilon", "epsilon", "0"]),
        (6, ["z_box", "gamma", "epsilon", "epsilon", "0", "0"]),
        (7, ["z_box", "gamma", "gamma", "epsilon", "epsilon", "epsilon", "0"]),
    ],
)
def test_montavon2019_counts_layers_with_weights_in_thirds(count: int, expected: list[str]) -> None:
    layers: list[nn.Module] = []
    for _ in range(count):
        layers += [nn.Linear(4, 4), nn.ReLU()]
    model = nets.randomised(nn.Sequential(*layers[:-1]))
    found = rules_of(model, nets.uniform(2, 4), composite="montavon2019", input_bounds=(0, 1))
    assert list(found.values()) == expected


def test_names_come_before_patterns_before_the_default() -> None:
    model = nets.small_cnn(study=False)
    composite = {"features.*": "gamma", "features.conv2": "0", "linear": "z_plus", "*.fc2": "alpha_beta"}
    assert rules_of(model, composite=composite, rule="epsilon") == {
        "features.conv1": "gamma",
        "features.conv2": "0",
        "classifier.fc1": "z_plus",
        "classifier.fc2": "z_plus",
    }
    assert rules_of(model, composite={"conv2d": "0"}, rule="gamma")["classifier.fc1"] == "gamma"
    assert (
        rules_of(model, composite={"conv2d": "0"}, input_rule="z_box", input_bounds=(0, 1))["features.conv1"] == "z_box"
    )


def test_a_composite_may_be_a_function_of_the_place() -> None:
    seen = []

    def composite(place: Any) -> str | None:
        seen.append(place)
        return "gamma" if place.kind == "linear" else None

    assert rules_of(nets.small_cnn(study=False), composite=composite, rule="0") == {
        "features.conv1": "0",
        "features.conv2": "0",
        "classifier.fc1": "gamma",
        "classifier.fc2": "gamma",
    }
    weighted = {place.layer: (place.index, place.count, place.sees_input) for place in seen if place.count}
    assert weighted == {
        "features.conv1": (0, 4, True),
        "features.conv2": (1, 4, False),
        "classifier.fc1": (2, 4, False),
        "classifier.fc2": (3, 4, False),
    }


def test_settings_of_a_mapping_complete_the_defaults() -> None:
    model, composite = nets.small_cnn(study=False), {"conv2d": {"rule": "gamma"}}
    found = LRP(model, rule="0", gamma=0.7, composite=composite).interpret(IMAGES, 0).values
    expected = LRP(model, rule="0", composite={"conv2d": {"rule": "gamma", "gamma": 0.7}}).interpret(IMAGES, 0).values
    assert torch.equal(found, expected)
    assert not torch.equal(found, LRP(model, rule="0", composite=composite).interpret(IMAGES, 0).values)


def test_a_pattern_for_everything_leaves_pooling_alone() -> None:
    model = nets.small_cnn(study=False)
    images = nets.uniform(2, 1, 28, 28)
    everywhere = LRP(model, composite={"*": "gamma"}).interpret(images, 0)
    assert torch.equal(everywhere.values, LRP(model, rule="gamma").interpret(images, 0).values)
    pooled = LRP(model, composite={"max_pool2d_*": {"rule": "epsilon", "epsilon": 1.0}}).interpret(images, 0)
    assert not torch.equal(pooled.values, LRP(model).interpret(images, 0).values)
