"""LRP against zennit, rule by rule and for whole networks, with its stabilizer set to ours.

zennit's ``Gamma`` is the generalised rule, which mirrors itself for negative outputs and inputs. It equals the plain
rule of Montavon et al. (2019), which is ours, where inputs are not negative and no relevance reaches negative outputs:
hidden layers of nets of ReLUs. zennit's ``ZPlus`` counts the bias's positive part unless told to drop it; ours never
counts a bias, and ``alpha_beta`` with alpha 1, beta 0 is the one that does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nets
import pytest
import torch
from torch import Tensor, nn

import nn_interpretability  # noqa: F401 (before zennit, which imports torchvision)
from nn_interpretability import LRP

# isort: split
import zennit.composites
import zennit.rules
from zennit.attribution import Gradient
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.core import Composite
from zennit.torchvision import ResNetCanonizer
from zennit.types import Activation, Convolution

NEGLIGIBLE = 1e-30  # keeps 0 / 0 from both sides and changes nothing else


def theirs(model: nn.Module, composite: Composite, images: Tensor, start: Tensor) -> Tensor:
    """Relevance of the images by zennit, which is started with relevance: output times start signal."""
    model.eval()
    with Gradient(model, composite, attr_output=lambda output: output * start) as attributor:
        _, relevance = attributor(images.clone())
    return relevance.detach()


def one_class(classes: int, samples: int, index: int) -> Tensor:
    return torch.eye(classes, dtype=torch.float64)[[index] * samples]


# --- rule by rule -----------------------------------------------------------------------------------------------------

LAYERS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "linear": (nn.Linear(12, 9), (12,)),
    "linear on tokens": (nn.Linear(6, 4), (5, 6)),
    "conv1d": (nn.Conv1d(2, 3, 3, stride=2, padding=1), (2, 9)),
    "conv2d": (nn.Conv2d(3, 5, 3, padding=1), (3, 6, 6)),
    "conv2d without bias": (nn.Conv2d(3, 5, 3, stride=2, bias=False), (3, 7, 7)),
    "conv2d grouped, dilated": (nn.Conv2d(4, 6, 2, groups=2, dilation=2), (4, 5, 5)),
    "conv_transpose2d": (nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), (4, 4, 4)),
}


def of_the_row(fraction: float) -> Callable[[Tensor], Tensor]:
    """Our stabilizer relative to the root mean square of a row, as zennit wants it."""

    def stabilize(z: Tensor) -> Tensor:
        rms = z.flatten(1).pow(2).mean(1).sqrt().reshape(-1, *[1] * (z.dim() - 1))
        return z + torch.where(z >= 0, 1.0, -1.0).to(z) * fraction * rms

    return stabilize


def bounds(values: Tensor) -> dict[str, Tensor]:
    return {"low": torch.full_like(values, -1.5), "high": torch.full_like(values, 2.0)}


RULES: dict[str, tuple[dict[str, Any], Callable[[Tensor], Any]]] = {
    "epsilon": ({"rule": "epsilon", "epsilon": 0.05}, lambda _: zennit.rules.Epsilon(0.05)),
    "epsilon of the row": (
        {"rule": "epsilon", "epsilon": {"rms": 0.25}},
        lambda _: zennit.rules.Epsilon(of_the_row(0.25)),
    ),
    "epsilon without bias": (
        {"rule": "epsilon", "epsilon": 0.05, "bias": "ignore"},
        lambda _: zennit.rules.Epsilon(0.05, zero_params="bias"),
    ),
    "z_plus": ({"rule": "z_plus", "stabilizer": 0.02}, lambda _: zennit.rules.ZPlus(0.02, zero_params="bias")),
    "z_plus with bias": (
        {"rule": "alpha_beta", "alpha": 1, "beta": 0, "stabilizer": 0.02},
        lambda _: zennit.rules.ZPlus(0.02),
    ),
    "alpha1 beta0": (
        {"rule": "alpha_beta", "alpha": 1, "beta": 0, "stabilizer": 0.02},
        lambda _: zennit.rules.AlphaBeta(1.0, 0.0, 0.02),
    ),
    "alpha2 beta1": (
        {"rule": "alpha_beta", "alpha": 2, "beta": 1, "stabilizer": 0.02},
        lambda _: zennit.rules.AlphaBeta(2.0, 1.0, 0.02),
    ),
    "alpha2 beta1 without bias": (
        {"rule": "alpha_beta", "alpha": 2, "beta": 1, "stabilizer": 0.02, "bias": "ignore"},
        lambda _: zennit.rules.AlphaBeta(2.0, 1.0, 0.02, zero_params="bias"),
    ),
    "generalised gamma": (
        {"rule": "generalised_gamma", "gamma": 0.25, "stabilizer": 0.02},
        lambda _: zennit.rules.Gamma(0.25, stabilizer=0.02),
    ),
    "generalised gamma without bias": (
        {"rule": "generalised_gamma", "gamma": 3.0, "stabilizer": 0.02, "bias": "ignore"},
        lambda _: zennit.rules.Gamma(3.0, stabilizer=0.02, zero_params="bias"),
    ),
    "z_box": (
        {"rule": "z_box", "stabilizer": 0.02, "input_bounds": (-1.5, 2.0)},
        lambda values: zennit.rules.ZBox(**bounds(values), stabilizer=0.02),
    ),
    "w2": ({"rule": "w2", "stabilizer": 0.02}, lambda _: zennit.rules.WSquare(0.02, zero_params="bias")),
    "flat": ({"rule": "flat", "stabilizer": 0.02}, lambda _: zennit.rules.Flat(0.02)),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", LAYERS)
def test_each_rule(name: str, rule: str) -> None:
    """On inputs of both signs and outputs of both signs."""
    layer, shape = LAYERS[name]
    model = nets.randomised(nn.Sequential(layer, nn.Flatten()), seed=6)
    values = nets.uniform(3, *shape, low=-1, seed=7)
    start = nets.uniform(3, model(values).shape[1], low=-1, seed=8)
    settings, hook = RULES[rule]
    expected = theirs(model, Composite(lambda _, __, m: hook(values) if m is layer else None), values, start)
    assert nets.relative(LRP(model, **settings).interpret(values, start).values, expected) < 1e-12


@pytest.mark.parametrize("bias", ["absorb", "ignore"])
@pytest.mark.parametrize("gamma", [0.25, 3.0])
@pytest.mark.parametrize("name", LAYERS)
def test_gamma_where_the_plain_and_the_generalised_rule_agree(name: str, gamma: float, bias: str) -> None:
    layer, shape = LAYERS[name]
    model = nets.randomised(nn.Sequential(layer, nn.ReLU(), nn.Flatten()), seed=6)
    values = nets.uniform(3, *shape, seed=7)
    start = nets.uniform(3, model(values).shape[1], low=-1, seed=8)
    zero_params = "bias" if bias == "ignore" else None
    hook = zennit.rules.Gamma(gamma, stabilizer=0.02, zero_params=zero_params)
    expected = theirs(model, Composite(lambda _, __, m: hook if m is layer else None), values, start)
    found = LRP(model, rule="gamma", gamma=gamma, stabilizer=0.02, bias=bias).interpret(values, start).values
    assert nets.relative(found, expected) < 1e-12


def test_gamma_where_they_part_ways() -> None:
    """At negative outputs; this is why the test above has a ReLU."""
    layer, shape = LAYERS["conv2d"]
    model = nets.randomised(nn.Sequential(layer, nn.Flatten()), seed=6)
    values = nets.uniform(3, *shape, seed=7)
    start = (model(values) < 0).double()
    hook = zennit.rules.Gamma(0.25, stabilizer=0.02)
    expected = theirs(model, Composite(lambda _, __, m: hook if m is layer else None), values, start)
    found = LRP(model, rule="gamma", gamma=0.25, stabilizer=0.02).interpret(values, start).values
    assert nets.relative(found, expected) > 0.1
    found = LRP(model, rule="generalised_gamma", gamma=0.25, stabilizer=0.02).interpret(values, start).values
    assert nets.relative(found, expected) < 1e-12


# --- whole networks ---------------------------------------------------------------------------------------------------


def epsilon_plus(_: Tensor, canonizers: list[Any]) -> Composite:
    return zennit.composites.EpsilonPlus(epsilon=0.01, stabilizer=NEGLIGIBLE, canonizers=canonizers)


def epsilon_plus_without_bias(_: Tensor, canonizers: list[Any]) -> Composite:
    return zennit.composites.EpsilonPlus(epsilon=0.01, stabilizer=NEGLIGIBLE, zero_params="bias", canonizers=canonizers)


def epsilon_alpha2_beta1(_: Tensor, canonizers: list[Any]) -> Composite:
    return zennit.composites.EpsilonAlpha2Beta1(epsilon=0.01, stabilizer=NEGLIGIBLE, canonizers=canonizers)


def epsilon_gamma_box(images: Tensor, canonizers: list[Any]) -> Composite:
    low, high = torch.zeros_like(images), torch.ones_like(images)
    return zennit.composites.EpsilonGammaBox(
        low, high, epsilon=0.01, gamma=0.25, stabilizer=NEGLIGIBLE, canonizers=canonizers
    )


EPSILON = {"rule": "epsilon", "epsilon": 0.01}
COMPOSITES: dict[str, tuple[dict[str, Any], Callable[[Tensor, list[Any]], Composite]]] = {
    "epsilon plus": (
        {"composite": {"linear": EPSILON, "conv2d": {"rule": "alpha_beta", "alpha": 1, "beta": 0}}},
        epsilon_plus,
    ),
    "epsilon plus without bias": (
        {"composite": {"linear": EPSILON, "conv2d": "z_plus"}, "bias": "ignore"},
        epsilon_plus_without_bias,
    ),
    "epsilon alpha2 beta1": (
        {"composite": {"linear": EPSILON, "conv2d": {"rule": "alpha_beta", "alpha": 2, "beta": 1}}},
        epsilon_alpha2_beta1,
    ),
    "epsilon gamma box": (
        {
            "composite": {"linear": EPSILON, "conv2d": {"rule": "gamma", "gamma": 0.25}},
            "input_rule": "z_box",
            "input_bounds": (0, 1),
        },
        epsilon_gamma_box,
    ),
}


def study_cnn() -> tuple[nn.Module, Tensor]:
    return nets.small_cnn(), nets.digits(6)


def random_cnn() -> tuple[nn.Module, Tensor]:
    return nets.small_cnn(study=False), nets.uniform(4, 1, 28, 28)


def classifier(name: str) -> Callable[[], tuple[nn.Module, Tensor]]:
    """Batch norms get eps = 0: after merging one, zennit leaves its eps behind, a factor 1 / sqrt(1 + eps)."""

    def make() -> tuple[nn.Module, Tensor]:
        model = nets.torchvision_classifier(name)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 0.0
        return model, nets.uniform(2, 3, nets.RELU_CLASSIFIERS[name], nets.RELU_CLASSIFIERS[name])

    return make


NETWORKS: dict[str, tuple[Callable[[], tuple[nn.Module, Tensor]], list[Any]]] = {
    "small_cnn of the study": (study_cnn, []),
    "small_cnn": (random_cnn, []),
    "alexnet": (classifier("alexnet"), []),
    "vgg11": (classifier("vgg11"), []),
    "vgg11_bn": (classifier("vgg11_bn"), [SequentialMergeBatchNorm()]),
    "resnet18": (classifier("resnet18"), [ResNetCanonizer()]),
}


@pytest.mark.parametrize(
    ("network", "composite"),
    [
        (network, composite)
        for network in NETWORKS
        for composite in COMPOSITES
        # Sums of residual branches send relevance to negative outputs, where the two gamma rules differ.
        if (network, composite) != ("resnet18", "epsilon gamma box")
    ],
)
def test_whole_networks(network: str, composite: str) -> None:
    make, canonizers = NETWORKS[network]
    model, images = make()
    settings, peer = COMPOSITES[composite]
    found = LRP(model, **settings, stabilizer=NEGLIGIBLE, strict=True).interpret(images, 3)
    classes = found.logits.shape[1]
    expected = theirs(model, peer(images, canonizers), images, one_class(classes, len(images), 3))
    assert nets.relative(found.values, expected) < 1e-12


def test_by_layer_name() -> None:
    """A composite by name, the same mapping on both sides; zennit applies the first that matches."""
    model, images = study_cnn()
    found = LRP(
        model,
        composite={
            "features.conv1": "z_box",
            "features.conv2": {"rule": "alpha_beta", "alpha": 1.0, "beta": 0.0},
            "classifier.fc1": {"rule": "epsilon", "epsilon": {"rms": 0.1}},
            "classifier.fc2": "0",
        },
        input_bounds=(0, 1),
        stabilizer=NEGLIGIBLE,
    ).interpret(images, 3)
    preset = LRP(model, composite="small_cnn", input_bounds=(0, 1), stabilizer=NEGLIGIBLE).interpret(images, 3)
    low, high = torch.zeros_like(images), torch.ones_like(images)
    peer = zennit.composites.NameMapComposite(
        [
            (["features.conv1"], zennit.rules.ZBox(low, high, stabilizer=NEGLIGIBLE)),
            (["features.conv2"], zennit.rules.AlphaBeta(1.0, 0.0, NEGLIGIBLE)),
            (["classifier.fc1"], zennit.rules.Epsilon(of_the_row(0.1))),
            (["classifier.fc2"], zennit.rules.Epsilon(NEGLIGIBLE)),
            (["features.relu1", "features.relu2", "classifier.relu3"], zennit.rules.Pass()),
        ]
    )
    expected = theirs(model, peer, images, one_class(10, len(images), 3))
    assert nets.relative(found.values, expected) < 1e-12
    assert torch.equal(found.values, preset.values)


def test_smooth_activations_pass_relevance_on() -> None:
    """The secant of SiLU, hard-swish, sigmoid and ReLU6 is zennit's Pass."""
    model = nets.randomised(
        nn.Sequential(
            nn.Conv2d(2, 4, 3),
            nn.SiLU(inplace=True),
            nn.Conv2d(4, 4, 3),
            nn.Hardswish(inplace=True),
            nn.Conv2d(4, 4, 3),
            nn.ReLU6(inplace=True),
            nn.Flatten(),
            nn.Linear(64, 8),
            nn.Sigmoid(),
            nn.Linear(8, 3),
        ),
        seed=5,
    )
    images = nets.uniform(3, 2, 10, 10, low=-1)
    apart = nn.Sequential(*[type(m)() if isinstance(m, nn.SiLU | nn.Hardswish | nn.ReLU6) else m for m in model])
    weighted = (Convolution, nn.Linear)
    passing = (Activation, nn.SiLU, nn.Hardswish, nn.ReLU6, nn.Sigmoid)

    def hook(_: Any, __: str, module: nn.Module) -> Any:
        if isinstance(module, weighted):
            return zennit.rules.Epsilon(0.01)
        return zennit.rules.Pass() if isinstance(module, passing) else None

    found = LRP(model, rule="epsilon", epsilon=0.01, strict=True).interpret(images, 1).values
    assert nets.relative(found, theirs(apart, Composite(hook), images, one_class(3, 3, 1))) < 1e-12
