"""The gradient family and LRP against captum."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import nets
import pytest
import torch
from captum import attr as captum
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule, GammaRule
from known_values import CAPTUM, LRP_VALUES
from torch import Tensor, nn

from nn_interpretability import LRP, Gradient, InputXGradient
from nn_interpretability.methods.base import Method


def network(name: str) -> tuple[nn.Module, Tensor]:
    if name == "small_cnn":
        return nets.small_cnn(), nets.digits(5)
    size = nets.RELU_CLASSIFIERS.get(name, 64)
    return nets.torchvision_classifier(name).eval(), nets.uniform(2, 3, size, size)


@pytest.mark.parametrize("name", ["small_cnn", "vgg11", "resnet18", "squeezenet1_0", "densenet121", "mobilenet_v2"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Gradient, lambda model, images, target: captum.Saliency(model).attribute(images, target=target, abs=False)),
        (InputXGradient, lambda model, images, target: captum.InputXGradient(model).attribute(images, target=target)),
    ],
    ids=["gradient", "input_x_gradient"],
)
def test_the_gradient_family_has_the_same_bits(
    name: str, ours: type[Method], theirs: Callable[[nn.Module, Tensor, Any], Tensor]
) -> None:
    model, images = network(name)
    with torch.no_grad():
        classes = model(images).argmax(1)
    expected = theirs(model, images.clone().requires_grad_(True), classes)
    assert torch.equal(ours(model).interpret(images).values, expected.detach())


def peer_rule(settings: Mapping[str, Any]) -> Any:
    """The same rule of captum's, whose gamma and alpha-beta rules change the weights but never the bias."""
    without_bias = settings.get("bias") == "ignore"
    match settings["rule"]:
        case "0" | "epsilon":
            return EpsilonRule(epsilon=0.0)
        case "gamma":
            return GammaRule(gamma=settings["gamma"], set_bias_to_zero=without_bias)
        case "alpha_beta":
            return Alpha1_Beta0_Rule(set_bias_to_zero=without_bias)
    raise AssertionError(settings)


@pytest.mark.parametrize("name", [name for name, known in LRP_VALUES.items() if known.source == CAPTUM])
def test_captum_finds_the_values_that_its_tests_state(name: str) -> None:
    known = LRP_VALUES[name]
    model = known.model()
    for layer, module in model.named_modules():
        if isinstance(module, nn.Linear):
            module.rule = peer_rule(known.settings.get("composite", {}).get(layer, known.settings))
    given = torch.tensor([known.given], dtype=torch.float64, requires_grad=True)
    found = captum.LRP(model).attribute(given, target=0)
    assert found[0].tolist() == pytest.approx(list(known.expected), abs=1e-6)


SETTINGS: dict[str, dict[str, Any]] = {
    "0": {"rule": "0"},
    "alpha1 beta0 without bias": {"rule": "alpha_beta", "alpha": 1, "beta": 0, "bias": "ignore"},
    "gamma without bias": {"rule": "gamma", "gamma": 0.25, "bias": "ignore"},
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_lrp_on_the_small_cnn(setting: str) -> None:
    """Up to the 1e-9 that captum always adds to a denominator."""
    model, images = nets.small_cnn(study=False), nets.uniform(3, 1, 28, 28)
    peer = copy.deepcopy(model)
    for module in peer.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.rule = peer_rule(SETTINGS[setting])
    expected = captum.LRP(peer).attribute(images.clone().requires_grad_(True), target=4).detach()
    found = LRP(model, **SETTINGS[setting]).interpret(images, 4).values
    assert nets.relative(found, expected) < 1e-6
