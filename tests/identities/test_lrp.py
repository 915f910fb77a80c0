"""What must hold between rules, whatever the weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import nets
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability import LRP, Gradient, InputXGradient

# --- LRP-0 is input x gradient ----------------------------------------------------------------------------------------


def slim_resnet() -> nn.Module:
    """Residual blocks with in-place sums, and a convolution's output that goes two ways."""

    def forward(model: Any, x: Tensor) -> Tensor:
        hidden = F.relu(model.norm(model.stem(x)), inplace=True)
        identity = hidden
        out = model.norm2(model.second(F.relu(model.norm1(model.first(hidden)))))
        out += identity
        out = F.leaky_relu(out, 0.1)
        out = torch.cat([out, model.side(out) - 0.5], 1)
        out = F.adaptive_avg_pool2d(F.max_pool2d(out, 3, stride=2, padding=1, ceil_mode=True), 2)
        return model.head(torch.flatten(out, 1))

    return nets.net(
        forward,
        stem=nn.Conv2d(2, 4, 3, padding=1, bias=False),
        norm=nn.BatchNorm2d(4),
        first=nn.Conv2d(4, 4, 3, padding=1),
        norm1=nn.BatchNorm2d(4),
        second=nn.Conv2d(4, 4, 3, padding=1, groups=2),
        norm2=nn.BatchNorm2d(4),
        side=nn.Conv2d(4, 2, 1),
        head=nn.Linear(24, 5),
    )


def decoder() -> nn.Module:
    return nets.randomised(
        nn.Sequential(
            nn.Conv2d(2, 4, 3, stride=2),
            nn.PReLU(4),
            nn.ConvTranspose2d(4, 3, 3, stride=2),
            nn.BatchNorm2d(3),
            nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            nn.Conv2d(3, 2, 3, padding=1, padding_mode="circular"),
            nn.AdaptiveMaxPool2d(3),
            nn.Flatten(),
            nn.RReLU(),
            nn.Linear(18, 5),
        )
    )


def one_dimensional() -> nn.Module:
    return nets.randomised(
        nn.Sequential(
            nn.Flatten(2),
            nn.Conv1d(2, 4, 5, stride=2, dilation=2),
            nn.BatchNorm1d(4),
            nn.ReLU(),
            nn.AvgPool1d(2, ceil_mode=True),
            nn.MaxPool1d(2),
            nn.Flatten(),
            nn.Linear(68, 5),
        )
    )


SMALL: dict[str, Callable[[], nn.Module]] = {
    "slim_resnet": slim_resnet,
    "decoder": decoder,
    "one_dimensional": one_dimensional,
    "small_cnn": lambda: nets.randomised(nn.Sequential(nn.Conv2d(2, 1, 1), nn.Upsample(size=28), nets.small_cnn())),
}


@pytest.mark.parametrize("target", [None, "all"])
@pytest.mark.parametrize("name", nets.RELU_CLASSIFIERS)
def test_lrp_0_is_input_x_gradient_on_classifiers(name: str, target: Any) -> None:
    """Also with biases and batch norm; what the bias absorbs is what input x gradient leaves out."""
    model = nets.torchvision_classifier(name, classes=3)
    images = nets.uniform(2, 3, nets.RELU_CLASSIFIERS[name], nets.RELU_CLASSIFIERS[name], low=-1)
    found = LRP(model, rule="0", strict=True).interpret(images, target)
    expected = InputXGradient(model).interpret(images, target)
    assert nets.relative(found.values, expected.values) < 1e-12
    with torch.no_grad():
        plain = model.eval()(images)
    assert torch.equal(found.logits, plain)
    assert torch.equal(expected.logits, plain)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", SMALL)
def test_lrp_0_is_input_x_gradient_on_small_nets(name: str, dtype: torch.dtype) -> None:
    model = SMALL[name]().to(dtype)
    images = nets.uniform(3, 2, 12, 12, low=-1).to(dtype)
    found = LRP(model, rule="0", strict=True).interpret(images, "all")
    expected = InputXGradient(model).interpret(images, "all")
    assert nets.relative(found.values, expected.values) < (1e-12 if dtype == torch.float64 else 1e-5)


def test_lrp_0_is_not_input_x_gradient_for_smooth_activations() -> None:
    """The premise of the identity: the secant of SiLU is not its derivative."""
    model = nets.randomised(nn.Sequential(nn.Conv2d(2, 4, 3), nn.SiLU(), nn.Flatten(), nn.Linear(64, 3)))
    images = nets.uniform(2, 2, 6, 6, low=-1)
    found = LRP(model, rule="0").interpret(images, 0).values
    assert nets.relative(found, InputXGradient(model).interpret(images, 0).values) > 0.1


def test_input_x_gradient_is_the_product() -> None:
    model, images = nets.small_cnn(study=False), nets.uniform(3, 1, 28, 28)
    product = images * Gradient(model).interpret(images, 2).values
    assert torch.equal(InputXGradient(model).interpret(images, 2).values, product)


# --- the engine changes slopes, never values --------------------------------------------------------------------------

EVERY_SETTING: dict[str, dict[str, Any]] = {
    "epsilon": {},
    "gamma": {"rule": "gamma", "stabilizer": 1e-9},
    "alpha2 beta1": {"rule": "alpha_beta", "alpha": 2, "beta": 1},
    "z_plus, proportional": {"rule": "z_plus", "pooling": "proportional", "trace": True},
    "z_box": {"rule": "gamma", "stabilizer": 1e-9, "input_rule": "z_box", "input_bounds": (-1, 1), "trace": True},
}


@pytest.mark.parametrize("setting", EVERY_SETTING)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["slim_resnet", "small_cnn", "smooth"])
def test_scores_have_the_bits_of_the_plain_forward_pass(name: str, dtype: torch.dtype, setting: str) -> None:
    smooth = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.SiLU(True), nn.Conv2d(4, 4, 3), nn.ReLU6(True), nn.Flatten(), nn.Linear(256, 3)
    )
    model = nets.randomised(smooth) if name == "smooth" else SMALL[name]()
    model, images = model.to(dtype).eval(), nets.uniform(2, 2, 12, 12, low=-1).to(dtype)
    with torch.no_grad():
        plain = model(images)
    attribution = LRP(model, **EVERY_SETTING[setting]).interpret(images, 1)
    assert torch.equal(attribution.logits, plain)
    assert attribution.values.dtype == dtype
    assert attribution.score.dtype == torch.float64
    assert torch.equal(attribution.score, plain[:, 1].double())


# --- between rules ----------------------------------------------------------------------------------------------------


def relu_net() -> nn.Module:
    """All inputs of its layers are positive or zero, and its units have positive contributions among others."""
    return nets.randomised(
        nn.Sequential(
            nn.Conv2d(2, 5, 3),
            nn.ReLU(),
            nn.Conv2d(5, 4, 3),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64, 40),
            nn.ReLU(),
            nn.Linear(40, 3),
        ),
        seed=9,
    )


POSITIVE = nets.uniform(4, 2, 12, 12)


def values(**settings: Any) -> Tensor:
    return LRP(relu_net(), **settings).interpret(POSITIVE, "all").values


@pytest.mark.parametrize("bias", ["absorb", "ignore"])
def test_epsilon_tends_to_lrp_0(bias: Any) -> None:
    limit = values(rule="0", bias=bias)
    gaps = [nets.relative(values(rule="epsilon", epsilon=e, bias=bias), limit) for e in (1e-6, 1e-8, 1e-10)]
    assert 0 < gaps[2] < gaps[1] < gaps[0]
    assert gaps[2] < 1e-5
    assert torch.equal(values(rule="epsilon", epsilon=0.0, bias=bias), limit)


def test_gamma_tends_to_z_plus_like_one_over_gamma() -> None:
    """The plain rule, for every class, also those of negative score."""
    limit = values(rule="z_plus")
    with torch.no_grad():
        assert (relu_net()(POSITIVE) < 0).any()
    strengths = (1e3, 1e4, 1e5, 1e6)
    gaps = [nets.relative(values(rule="gamma", gamma=g, bias="ignore"), limit) for g in strengths]
    assert gaps[-1] < 1e-4
    for before, after in pairwise(gaps):
        assert after / before == pytest.approx(0.1, rel=0.1)


def test_gamma_tends_to_alpha1_beta0_when_both_count_the_bias() -> None:
    limit = values(rule="alpha_beta", alpha=1, beta=0)
    assert nets.relative(values(rule="gamma", gamma=1e7), limit) < 1e-5


def test_gamma_0_is_lrp_0() -> None:
    assert nets.relative(values(rule="gamma", gamma=0.0), values(rule="0")) < 1e-12


def test_alpha1_beta0_without_bias_is_z_plus() -> None:
    assert nets.relative(values(rule="alpha_beta", alpha=1, beta=0, bias="ignore"), values(rule="z_plus")) < 1e-12


def test_the_bias_policy_matters() -> None:
    """Clamped into the denominators or left out; the two are often taken for one."""
    assert nets.relative(values(rule="alpha_beta", alpha=1, beta=0), values(rule="z_plus")) > 1e-3


def test_alpha_beta_is_linear_in_alpha_at_one_layer() -> None:
    layer, given = nets.randomised(nn.Linear(7, 3)), nets.uniform(2, 7, low=-1)

    def of(alpha: float) -> Tensor:
        return LRP(layer, rule="alpha_beta", alpha=alpha, beta=alpha - 1).interpret(given, "all").values

    assert nets.relative(of(3.0) - of(2.0), of(2.0) - of(1.0)) < 1e-12


def test_z_box_does_not_depend_on_where_zero_is() -> None:
    """Shifting pixels and bounds together, and the bias back, changes nothing."""
    layer = nets.randomised(nn.Linear(8, 3))
    moved = copy.deepcopy(layer)
    moved.bias.data = layer.bias.data - layer.weight.data.sum(1) * 0.7
    given = nets.uniform(3, 8)
    found = LRP(moved, rule="z_box", input_bounds=(0.7, 1.7)).interpret(given + 0.7, 1)
    expected = LRP(layer, rule="z_box", input_bounds=(0, 1)).interpret(given, 1)
    assert nets.relative(found.values, expected.values) < 1e-12


def test_relevance_scales_with_the_last_layer() -> None:
    model = relu_net()
    twice = copy.deepcopy(model)
    twice[-1].weight.data *= 2
    twice[-1].bias.data *= 2
    for settings in EVERY_SETTING.values():
        scaled = {**settings, "stabilizer": None}  # an absolute stabilizer knows the size of what it stabilizes
        found = LRP(twice, **scaled).interpret(POSITIVE, 0).values
        assert nets.relative(found, 2 * LRP(model, **scaled).interpret(POSITIVE, 0).values) < 1e-12


@pytest.mark.parametrize("setting", EVERY_SETTING)
def test_cutting_a_net_in_two(setting: str) -> None:
    """Relevance of the first part, started with that of the second part at the cut."""
    model = relu_net()
    settings = {**EVERY_SETTING[setting], "trace": False}
    head = {key: value for key, value in settings.items() if key not in ("input_rule", "input_bounds")}
    below, above = model[:5], model[5:]
    hidden = below(POSITIVE).detach()
    at_the_cut = LRP(above, **head).interpret(hidden, 2).values
    start = torch.where(hidden == 0, 0.0, at_the_cut / hidden)
    flat = nn.Sequential(*below, nn.Flatten())
    found = LRP(flat, **settings).interpret(POSITIVE, start.flatten(1)).values
    assert nets.relative(found, LRP(model, **settings).interpret(POSITIVE, 2).values) < 1e-12


# --- batches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", EVERY_SETTING)
@pytest.mark.parametrize(
    ("name", "dtype", "tolerance"),
    [(name, torch.float64, 1e-12) for name in SMALL] + [("small_cnn", torch.float32, 1e-5)],
)
def test_a_picture_does_not_see_its_batch(name: str, setting: str, dtype: torch.dtype, tolerance: float) -> None:
    """In float32 on the study's net; gamma on layers of mixed sign amplifies rounding without limit."""
    model = SMALL[name]().to(dtype)
    images = nets.uniform(6, 2, 12, 12).to(dtype)
    images[2:4] *= 0.01  # of very different sizes
    explained = LRP(model, **EVERY_SETTING[setting])
    together = explained.interpret(images, 1).values
    alone = torch.cat([explained.interpret(image[None], 1).values for image in images])
    reversed_ = explained.interpret(images.flip(0), 1).values.flip(0)
    for i in range(len(images)):
        assert nets.relative(alone[i], together[i]) < tolerance
        assert nets.relative(reversed_[i], together[i]) < tolerance
