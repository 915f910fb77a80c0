"""What the engine says about operations for which a method has no rule: once, by name, never silently."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import nets
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability import (
    LRP,
    DeepLIFT,
    ExpectedGradients,
    Gradient,
    GuidedBackprop,
    InputXGradient,
    IntegratedGradients,
    Saliency,
    SmoothGrad,
)
from nn_interpretability.errors import CoverageError, CoverageWarning

IMAGES = nets.uniform(3, 2, 6, 6, low=0.05)


class Doubled(torch.autograd.Function):
    """Works out of sight of torch functions."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values * 2

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * 2


class Squared(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return values * values + 1


def scripted(module: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(module)


def with_step(step: Callable[[Any, Tensor], Tensor], **modules: nn.Module) -> nn.Module:
    """A small network with one more step between its layers."""
    return nets.net(
        lambda model, x: model.linear(step(model, F.relu(model.conv(x))).flatten(1)),
        conv=nn.Conv2d(2, 4, 3),
        linear=nn.Linear(64, 3),
        **modules,
    )


def write_part(_: Any, x: Tensor) -> Tensor:
    x = x.clone()
    x[:, 0] = x[:, 1].exp()
    return x


UNCOVERED: dict[str, tuple[Callable[[Any, Tensor], Tensor], dict[str, nn.Module], str]] = {
    "product of branches": (lambda m, x: x * m.gate(x), {"gate": nn.Conv2d(4, 4, 1)}, r"mul \(1x\)"),
    "square": (lambda _, x: x**2, {}, r"pow \(1x\)"),
    "softmax": (lambda _, x: x.softmax(1), {}, r"softmax \(1x\)"),
    "log softmax": (lambda _, x: F.log_softmax(x, 1), {}, r"log_softmax \(1x\)"),
    "layer norm": (lambda m, x: m.norm(x), {"norm": nn.LayerNorm([4, 4, 4])}, r"layer_norm \(1x\)"),
    "group norm": (lambda m, x: m.norm(x), {"norm": nn.GroupNorm(2, 4)}, r"group_norm \(1x\)"),
    "instance norm": (lambda m, x: m.norm(x), {"norm": nn.InstanceNorm2d(4)}, r"instance_norm \(1x\)"),
    "batch norm of the batch": (
        lambda m, x: m.norm(x),
        {"norm": nn.BatchNorm2d(4, track_running_stats=False)},
        r"batch_norm with the statistics of the batch, or weights that depend on the input \(1x\)",
    ),
    "batch norm with a computed scale": (
        lambda _, x: F.batch_norm(x, torch.zeros(4).double(), torch.ones(4).double(), x.mean((0, 2, 3))),
        {},
        r"batch_norm with the statistics of the batch, or weights that depend on the input \(1x\)",
    ),
    "division by the input": (lambda _, x: x / (1 + x.sum(1, keepdim=True)), {}, r"truediv|div \(1x\)"),
    "inverse": (lambda _, x: 1 / (1 + x), {}, r"rtruediv|rdiv \(1x\)"),
    "inverse by keyword": (lambda _, x: torch.div(torch.ones(()).double(), other=1 + x), {}, r"div \(1x\)"),
    "matrix product of branches": (lambda _, x: x @ x.transpose(2, 3), {}, r"matmul \(1x\)"),
    "matrix product with a constant": (
        lambda _, x: x @ torch.eye(4).double(),
        {},
        r"matmul with a constant matrix \(1x\)",
    ),
    "convolution with a computed weight": (
        lambda _, x: F.conv2d(x, x.mean((0, 2, 3)).reshape(4, 1, 1, 1), groups=4),
        {},
        r"conv2d without a batch axis, or whose weights depend on the input \(1x\)",
    ),
    "custom function": (lambda _, x: Doubled.apply(x), {}, r"DoubledBackward \(1x\)"),
    "custom function at the end": (lambda _, x: Doubled.apply(Doubled.apply(x)), {}, r"DoubledBackward \(2x\)"),
    "script": (lambda m, x: m.script(x), {"script": scripted(Squared())}, "MulBackward|DifferentiableGraphBackward"),
    "scripted ReLU": (
        lambda m, x: m.script(x - 0.3),
        {"script": scripted(nn.ReLU())},
        r"(ReluBackward0|DifferentiableGraphBackward) \(1x\)",
    ),
    "maximum of branches": (lambda _, x: torch.maximum(x, x.flip(1)), {}, r"maximum \(1x\)"),
    "written into": (write_part, {}, r"exp \(1x\), torch::autograd::CopySlices \(1x\)"),
    "attention": (
        lambda m, x: m.heads(*[x.flatten(2)] * 3)[0].reshape(x.shape),
        {"heads": nn.MultiheadAttention(16, 2, batch_first=True)},
        r"multi_head_attention_forward \(1x\)",
    ),
}


@pytest.mark.parametrize("name", UNCOVERED)
def test_an_operation_without_a_rule_is_named_once(name: str) -> None:
    step, modules, named = UNCOVERED[name]
    model = with_step(step, **modules)
    with pytest.warns(CoverageWarning, match=f"^LRP has no rule for these operations of the model: .*{named}") as seen:
        attribution = LRP(model).interpret(IMAGES, 0)
    assert len(seen) == 1
    assert seen[0].filename == __file__  # the warning points at the user's line
    assert attribution.coverage["uncovered"]


@pytest.mark.parametrize("name", UNCOVERED)
def test_strict_refuses_an_operation_without_a_rule(name: str) -> None:
    step, modules, named = UNCOVERED[name]
    with pytest.raises(CoverageError, match=f"^LRP has no rule for these operations of the model: .*{named}"):
        LRP(with_step(step, **modules), strict=True).interpret(IMAGES, 0)


@pytest.mark.parametrize(
    "method",
    [
        Gradient,
        InputXGradient,
        Saliency,
        lambda model: IntegratedGradients(model, steps=2),
        lambda model: ExpectedGradients(model, references=[0], samples=2),
        lambda model: SmoothGrad(Gradient(model), samples=2),
    ],
    ids=["gradient", "input_x_gradient", "saliency", "integrated", "expected", "smooth"],
)
@pytest.mark.parametrize("name", UNCOVERED)
def test_methods_that_read_the_gradient_cover_everything(name: str, method: Any) -> None:
    step, modules, _ = UNCOVERED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        method(with_step(step, **modules)).interpret(IMAGES, 0)


def test_the_plain_gradient_is_used_where_there_is_no_rule() -> None:
    model = with_step(lambda model, x: Doubled.apply(x * model.gate(x)), gate=nn.Conv2d(4, 4, 1, bias=False))
    with pytest.warns(CoverageWarning):
        found = LRP(model, rule="0").interpret(IMAGES, 0).values
    assert nets.relative(found, InputXGradient(model).interpret(IMAGES, 0).values) < 1e-12


def test_one_warning_for_all_chunks() -> None:
    with pytest.warns(CoverageWarning) as seen:
        LRP(with_step(lambda _, x: x.softmax(1))).interpret(IMAGES, 0, chunk=1)
    assert len(seen) == 1


def residual(_: Any, x: Tensor) -> Tensor:
    identity = x
    x = x.clone()
    x += identity
    return x.add_(identity, alpha=0.5)


COVERED: dict[str, tuple[Callable[[Any, Tensor], Tensor], dict[str, nn.Module]]] = {
    "functional activations": (lambda _, x: F.leaky_relu(torch.relu(F.relu(x)) - 0.1), {}),
    "methods": (lambda _, x: x.relu().mul(2).add(1).sub(0.5).div(3).neg().clone().type_as(x).float().double(), {}),
    "in-place residual": (residual, {}),
    "modules in place": (
        lambda m, x: m.steps(x * 2),
        {
            "steps": nn.Sequential(
                nn.SiLU(True), nn.ReLU6(True), nn.Hardswish(True), nn.ReLU(True), nn.Dropout(0.5, True)
            )
        },
    ),
    "smooth activations": (
        lambda _, x: F.gelu(torch.sigmoid(F.softplus(torch.tanh(F.elu(x - 0.5))))) + x.clamp(min=0.1),
        {},
    ),
    "a module used twice": (lambda m, x: m.again(F.relu(m.again(x))), {"again": nn.Conv2d(4, 4, 1)}),
    "pools": (
        lambda _, x: (
            F.max_pool2d(x, 2).repeat(1, 1, 2, 2)
            + F.avg_pool2d(x, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
            + F.adaptive_max_pool2d(x, 4)
            + F.adaptive_avg_pool2d(x, (2, 2)).mean((2, 3), keepdim=True).expand(-1, -1, 4, 4)
            + torch.max_pool2d(x, 1)
        ),
        {},
    ),
    "joining and cutting": (
        lambda _, x: torch.cat([*x.chunk(2, 1)[::-1], torch.stack(x.unbind(1), 1)], 1)[:, :4].roll(1, 2).flip(3),
        {},
    ),
    "reshaping": (
        lambda _, x: x.view(len(x), 4, -1).permute(0, 2, 1).contiguous().transpose(1, 2).reshape(x.shape).squeeze(),
        {},
    ),
    "padding and resampling": (
        lambda _, x: F.interpolate(F.pad(x, (1, 1, 1, 1), mode="reflect"), (4, 4), mode="bilinear"),
        {},
    ),
    "padding modes of convolutions": (
        lambda m, x: m.reflected(m.around(m.repeated(x))),
        {
            "reflected": nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
            "around": nn.Conv2d(4, 4, 3, padding="same", padding_mode="circular"),
            "repeated": nn.Conv2d(4, 4, 3, padding=1, padding_mode="replicate"),
        },
    ),
    "masks": (lambda _, x: x * (x > 0.2) + (x.argmax(1, keepdim=True) == 1) * 1.0, {}),
    "detached parts": (lambda _, x: x * x.detach().sum(1, keepdim=True) / (1 + x.detach()), {}),
    "normalised weights": (
        lambda m, x: m.conv1x1(x),
        {"conv1x1": torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 1))},
    ),
}


@pytest.mark.parametrize("name", COVERED)
def test_common_ways_to_write_a_network_are_covered(name: str) -> None:
    step, modules = COVERED[name]
    model = with_step(step, **modules)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attribution = LRP(model, strict=True, trace=True).interpret(IMAGES, 0)
    assert attribution.coverage["uncovered"] == {}
    assert attribution.coverage["ruled"]["conv2d"] >= 1
    assert torch.equal(attribution.logits, model.eval()(IMAGES))


def test_a_matrix_product_with_a_constant_is_lrp_0() -> None:
    model = with_step(lambda _, x: x @ nets.uniform(4, 4, low=-1, seed=7))
    attribution = LRP(model, rule="0", strict=True).interpret(IMAGES, 0)
    assert nets.relative(attribution.values, InputXGradient(model).interpret(IMAGES, 0).values) < 1e-12


def test_the_log_counts_by_kind() -> None:
    def forward(model: Any, x: Tensor) -> Tensor:
        hidden = F.relu(model.norm(model.conv(x)))
        hidden = F.silu(hidden + F.relu(model.again(hidden)))
        return model.linear(F.max_pool2d(hidden, 2).flatten(1)).softmax(1)

    model = nets.net(
        forward,
        conv=nn.Conv2d(2, 4, 3),
        norm=nn.BatchNorm2d(4),
        again=nn.Conv2d(4, 4, 1),
        linear=nn.Linear(16, 3),
    )
    with pytest.warns(CoverageWarning):
        coverage = LRP(model).interpret(IMAGES, 0).coverage
    assert coverage == {
        "ruled": {"batch_norm": 1, "conv2d": 2, "linear": 1, "silu": 1},
        "passed": {"add": 1, "flatten": 1, "max_pool2d": 1, "relu": 2},
        "uncovered": {"softmax": 1},
    }


def test_operations_that_do_not_depend_on_the_images_are_left_alone() -> None:
    def forward(model: Any, x: Tensor) -> Tensor:
        weights = torch.softmax(model.mixture.weight, 0)  # of parameters alone
        return model.linear(x.flatten(1)) + weights.sum()

    model = nets.net(forward, linear=nn.Linear(72, 3), mixture=nn.Linear(2, 2))
    assert LRP(model, strict=True).interpret(IMAGES, 0).coverage["passed"] == {"add": 1, "flatten": 1}


@pytest.mark.parametrize("name", ["scripted ReLU", "custom function"])
@pytest.mark.parametrize("method", [DeepLIFT, GuidedBackprop])
def test_other_methods_see_what_is_planted_too(method: Any, name: str) -> None:
    step, modules, named = UNCOVERED[name]
    with pytest.raises(CoverageError, match=f"no rule for these operations of the model: .*{named}"):
        method(with_step(step, **modules), strict=True).interpret(IMAGES, 0)


def returns_dropped(model: Any, x: Tensor) -> Tensor:
    hidden = model.conv(x)
    hidden.mul_(2)
    hidden.add_(model.again(x), alpha=-1)
    F.dropout(hidden, 0.5, training=model.training, inplace=True)
    model.act(hidden)
    pooled = F.avg_pool2d(hidden, 2)
    F.relu_(pooled)
    torch.sub(hidden, 0.1)  # and a result that nobody uses
    return model.linear(pooled.flatten(1))


def returns_used(model: Any, x: Tensor) -> Tensor:
    hidden = F.leaky_relu(2 * model.conv(x) - model.again(x), 0.1)
    return model.linear(F.relu(F.avg_pool2d(hidden, 2)).flatten(1))


DROPPED: dict[str, Callable[[nn.Module], Any]] = {
    "lrp": lambda model: LRP(model, rule="gamma", input_rule="z_box", input_bounds=(0, 1), strict=True, trace=True),
    "deeplift": lambda model: DeepLIFT(model, strict=True),
    "deeplift, reveal_cancel": lambda model: DeepLIFT(model, rule="reveal_cancel", strict=True),
    "guided": lambda model: GuidedBackprop(model, activations="all", strict=True),
    "gradient": Gradient,
}


@pytest.mark.parametrize("name", DROPPED)
def test_an_operation_in_place_whose_return_value_is_dropped(name: str) -> None:
    modules = {"conv": nn.Conv2d(2, 4, 3), "again": nn.Conv2d(2, 4, 3), "linear": nn.Linear(16, 3)}
    dropped = nets.net(returns_dropped, act=nn.LeakyReLU(0.1, inplace=True), **modules)
    used = nets.Net(returns_used, **modules)
    found, expected = (DROPPED[name](model).interpret(IMAGES, "all") for model in (dropped, used))
    assert torch.equal(found.logits, expected.logits)
    assert nets.relative(found.values, expected.values) < 1e-12
    assert found.values.any()
