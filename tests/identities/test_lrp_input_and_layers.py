"""LRP: the rules of the input that do not ask for the input, relevance at layers, and the composite as published."""

from __future__ import annotations

from typing import Any

import nets
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability import LRP
from nn_interpretability.errors import ConfigError
from nn_interpretability.rules.composite import Place, composite_of

IMAGES = nets.uniform(3, 3, 6, 6, low=-2, high=3)
CONV, LINEAR = nn.Conv2d(3, 4, 3), nn.Linear(64, 5)


def behind(function: Any) -> nn.Module:
    """A function of the images, then a small network, whose weights are the same for all functions."""
    return nets.net(
        lambda model, images: model.linear(F.relu(model.conv(function(images))).flatten(1)),
        conv=CONV,
        linear=LINEAR,
        seed=5,
    )


# --- closed forms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "shares"), [("z_box", (0.25, 0.75)), ("w2", (0.2, 0.8)), ("flat", (0.5, 0.5))])
@pytest.mark.parametrize("pixel", [(0.2, 0.7), (0.9, 0.1)])
def test_shares_of_one_unit(rule: Any, shares: tuple[float, float], pixel: tuple[float, float]) -> None:
    """w = (1, -2), pixels in [0, 1]: z-box x1 - 0, -2 x2 + 2, (.2, .6) of .8 at (.2, .7); w2 and flat do not ask."""
    model = nn.Sequential(nn.Linear(2, 1)).double()
    model[0].weight.data, model[0].bias.data = torch.tensor([[1.0, -2.0]]).double(), torch.tensor([3.0]).double()
    found = LRP(model, rule="0", input_rule=rule, input_bounds=(0, 1)).interpret(torch.tensor([pixel]).double(), 0)
    expected = (0.9 / 2.7, 1.8 / 2.7) if rule == "z_box" and pixel == (0.9, 0.1) else shares
    assert torch.allclose(found.values[0] / found.score, torch.tensor(expected).double(), rtol=1e-6)
    assert found.completeness_error < 1e-12


# --- w2 and flat ------------------------------------------------------------------------------------------------------

MEAN, DEVIATION = torch.tensor([0.4, 0.5, -0.2]).double(), torch.tensor([0.25, 0.2, -0.5]).double()


def normalised(images: Tensor) -> Tensor:
    return (images - MEAN[:, None, None]) / DEVIATION[:, None, None]


@pytest.mark.parametrize("rule", ["w2", "flat"])
def test_normalising_inside_the_model_is_normalising_outside(rule: Any) -> None:
    outside = LRP(behind(lambda x: x), rule="gamma", input_rule=rule).interpret(normalised(IMAGES), 1)
    for bounds in (None, (-2, 3), ([-2, -3, -4], [3, 4, 5])):
        inside = LRP(behind(normalised), rule="gamma", input_rule=rule, input_bounds=bounds, strict=True)
        assert nets.relative(inside.interpret(IMAGES, 1).values, outside.values) < 1e-12


@pytest.mark.parametrize("rule", ["w2", "flat"])
def test_padding_gets_nothing_and_takes_nothing(rule: Any) -> None:
    """Zeros around the image, by the convolution or in front of it, are no pixels."""
    conv, linear = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(144, 5)
    inside = nets.net(lambda m, x: m.linear(F.relu(m.conv(x)).flatten(1)), conv=conv, linear=linear)
    bare = nn.Conv2d(3, 4, 3)
    before = nets.Net(
        lambda m, x: m.linear(F.relu(m.conv(F.pad(x, (1, 1, 1, 1)))).flatten(1)), conv=bare, linear=linear
    )
    bare.to(torch.float64).load_state_dict(conv.state_dict())
    found = [LRP(m, rule="0", input_rule=rule, trace=True).interpret(IMAGES, 1) for m in (inside, before)]
    assert nets.relative(found[1].values, found[0].values) < 1e-12
    for each in found:
        received, sent = each.trace.received[0], each.trace.sent[0]
        assert torch.allclose(received, sent, rtol=1e-12)


@pytest.mark.parametrize("rule", ["w2", "flat"])
def test_all_that_reaches_the_first_layer_reaches_the_pixels(rule: Any) -> None:
    model, images = nets.small_cnn(), nets.digits(8)
    found = LRP(model, rule="alpha_beta", input_rule=rule, trace=True, strict=True).interpret(images)
    assert nets.relative(found.total, found.trace.received[0]) < 1e-12
    assert found.trace.rules[0] == rule
    assert (found.values[images == 0] != 0).any()


def test_flat_is_the_same_for_all_pixels_of_a_window() -> None:
    """Of a model with one window."""
    model = nets.net(lambda m, x: m.conv(x).flatten(1), conv=nn.Conv2d(3, 4, 6))
    found = LRP(model, rule="0", input_rule="flat").interpret(IMAGES, 2)
    expected = found.score[:, None, None, None].expand_as(IMAGES) / IMAGES[0].numel()
    assert nets.relative(found.values, expected) < 1e-12


@pytest.mark.parametrize("rule", ["w2", "flat"])
def test_only_for_layers_that_see_the_input(rule: Any) -> None:
    with pytest.raises(ConfigError, match=f"'{rule}' is for layers that see the input; 'linear' does not"):
        LRP(behind(lambda x: x), composite={"linear": rule}).interpret(IMAGES, 0)
    with pytest.raises(ConfigError, match="in front of this layer only reshaping"):
        LRP(behind(torch.sigmoid), input_rule=rule).interpret(IMAGES, 0)
    with pytest.raises(ConfigError, match="needs the bounds of its input: give input_bounds"):
        LRP(behind(lambda x: x), composite=lambda place: "z_box" if place.sees_input else "0").interpret(IMAGES, 0)


def test_by_name_as_by_input_rule() -> None:
    model = behind(lambda x: x)
    expected = LRP(model, rule="gamma", input_rule="w2").interpret(IMAGES, 1).values
    for composite in ({"conv": "w2"}, {"conv*": {"rule": "w2"}}, lambda place: "w2" if place.sees_input else None):
        assert torch.equal(LRP(model, rule="gamma", composite=composite).interpret(IMAGES, 1).values, expected)


# --- relevance at a layer ---------------------------------------------------------------------------------------------


def test_relevance_at_each_layer_is_what_the_trace_says() -> None:
    model, images = nets.small_cnn(), nets.digits(6)
    settings: dict[str, Any] = {"composite": "small_cnn", "input_bounds": (0, 1)}
    trace = LRP(model, **settings, trace=True).interpret(images).trace
    sent = dict(zip(trace.layers, trace.sent, strict=True))
    received = dict(zip(trace.layers, trace.received, strict=True))
    for layer, total in [
        ("features.conv1", received["features.conv1"]),
        ("features.relu1", sent["features.conv2"]),
        ("features.conv2", received["features.conv2"]),
        ("features", sent["classifier.fc1"]),
        ("classifier.relu3", sent["classifier.fc2"]),
    ]:
        found = LRP(model, **settings, layer=layer).interpret(images)
        assert found.values.shape == model.get_submodule(layer)(given(model, layer, images)).shape
        assert nets.relative(found.total, total) < 1e-12, layer


def given(model: nn.Module, layer: str, images: Tensor) -> Tensor:
    kept: list[Tensor] = []
    handle = model.get_submodule(layer).register_forward_hook(lambda _, args, __: kept.append(args[0]))
    model(images)
    handle.remove()
    return kept[0]


def test_relevance_at_a_layer_starts_the_rest_of_the_way() -> None:
    """Cut a net in two: relevance at the cut, then the first half started with it over its output."""
    first = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    model = nets.randomised(nn.Sequential(first, nn.Flatten(), nn.Linear(64, 5)), seed=3)
    images = IMAGES.abs()
    settings: dict[str, Any] = {"rule": "gamma", "gamma": 0.5}
    there = LRP(model, **settings, layer="0").interpret(images, 2).values
    output = first(images).detach()
    start = torch.where(output == 0, 0.0, there / output).flatten(1)
    found = LRP(nn.Sequential(first, nn.Flatten()), **settings).interpret(images, start).values
    assert nets.relative(found, LRP(model, **settings).interpret(images, 2).values) < 1e-12


def test_all_classes_at_a_layer() -> None:
    model, images = nets.small_cnn(), nets.digits(3)
    every = LRP(model, layer="features.pool2").interpret(images, "all").values
    assert every.shape == (3, 10, 20, 4, 4)
    assert torch.equal(every[:, 4], LRP(model, layer="features.pool2").interpret(images, 4).values)


def test_a_layer_that_was_merged_with_its_norm_is_refused() -> None:
    model = nets.randomised(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(64, 5))
    )
    with pytest.raises(ConfigError, match=r"Nothing arrives at the output of '0'.*batch norm behind it"):
        LRP(model, layer="0").interpret(IMAGES, 1)
    at_norm = LRP(model, layer="1", rule="0", trace=True).interpret(IMAGES, 1)
    behind_relu = LRP(model, layer="2", rule="0").interpret(IMAGES, 1)
    assert nets.relative(at_norm.values, behind_relu.values) < 1e-12
    assert at_norm.trace.unaccounted.abs().max() < 1e-12


def test_no_hook_is_left_on_the_layer() -> None:
    model = nets.small_cnn(study=False)
    LRP(model, layer="features").interpret(nets.digits(1))
    with pytest.raises(ConfigError):
        LRP(model, layer="features", composite={"nothing": "0"}).interpret(nets.digits(1))
    assert not model.features._forward_hooks
    with pytest.raises(ConfigError, match=r"no layer 'feature'. Did you mean 'features'"):
        LRP(model, layer="feature")


# --- the composite as published ---------------------------------------------------------------------------------------


def rules(model: nn.Module, *names: str) -> list[Any]:
    composite = composite_of("study2020", model)
    found = [composite(Place(name, "conv2d")) for name in names]
    return [rule["rule"] if isinstance(rule, dict) else rule for rule in found]


def test_the_published_composite_of_the_small_network() -> None:
    """L = 9 modules: LRP-0 from the sixth, epsilon for two of which one is a pool, the z-box rule for the first."""
    model = nets.small_cnn(study=False)
    names = ("features.conv1", "max_pool2d_0", "features.conv2", "max_pool2d_1", "classifier.fc1", "classifier.fc2")
    assert rules(model, *names) == ["z_box", None, "alpha_beta", "epsilon", "0", "0"]
    images = nets.digits(5)
    found = LRP(model, composite="study2020", input_bounds=(-1, 1), trace=True).interpret(images, 3)
    by_name = {
        "features.conv1": "z_box",
        "features.conv2": {"rule": "alpha_beta", "alpha": 1, "beta": 0, "stabilizer": {"absolute": 1e-9}},
        "max_pool2d_1": {"rule": "epsilon", "epsilon": {"rms": 0.1, "absolute": 1e-9, "signed": False}},
        "linear": "0",
    }
    expected = LRP(model, composite=by_name, input_bounds=(-1, 1)).interpret(images, 3)
    assert torch.equal(found.values, expected.values)


def test_the_published_composite_of_vgg16() -> None:
    """L = 39: alpha-beta up to index 12 (conv3_2), epsilon for 13 to 23 (conv3_3 to conv4_3), LRP-0 from 24."""
    from torchvision.models import vgg16

    with torch.device("meta"):
        model = vgg16(weights=None)
    assert rules(model, "features.0") == ["z_box"]
    assert set(rules(model, *(f"features.{i}" for i in (2, 5, 7, 10, 12)))) == {"alpha_beta"}
    assert set(rules(model, *(f"features.{i}" for i in (14, 17, 19, 21)), "max_pool2d_2", "max_pool2d_3")) == {
        "epsilon"
    }
    assert set(rules(model, "features.24", "features.28", "max_pool2d_4", "classifier.0", "classifier.6")) == {"0"}


def test_a_layer_that_is_no_module_has_no_place_in_it() -> None:
    weight = nets.uniform(5, 64, low=-1)
    model = nets.net(lambda m, x: F.linear(m.conv(x).flatten(1), weight), conv=nn.Conv2d(3, 4, 3))
    with pytest.raises(ConfigError, match="'study2020' counts modules; 'linear_0' is none"):
        LRP(model, composite="study2020", input_bounds=(-2, 3)).interpret(IMAGES, 0)
