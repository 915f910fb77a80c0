"""What DeepLIFT must satisfy, whatever the network: completeness, closed forms, equivalences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import nets
import pytest
import torch
from known_values import Function
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability import LRP, DeepLIFT, InputXGradient

RULES = ("rescale", "reveal_cancel")


def values(function: Callable[[Tensor, Tensor], Tensor], given: tuple[float, float], **settings: Any) -> list[float]:
    images = torch.tensor([given], dtype=torch.float64)
    found: list[float] = DeepLIFT(Function(function), strict=True, **settings).interpret(images, 0).values[0].tolist()
    return found


def minimum(a: Tensor, b: Tensor) -> Tensor:
    return a - torch.relu(a - b)


CLOSED: dict[str, tuple[Any, tuple[float, float], str, tuple[float, float]]] = {
    # Shrikumar et al. 2017, figure 1: saturation hides both inputs from the gradient.
    "saturation, rescale": (lambda a, b: 1 - torch.relu(1 - a - b), (1, 1), "rescale", (0.5, 0.5)),
    "saturation, reveal": (lambda a, b: 1 - torch.relu(1 - a - b), (1, 1), "reveal_cancel", (0.5, 0.5)),
    # Section 3.5.3, and the argument for Rescale below a threshold.
    "threshold, rescale": (lambda a, b: torch.relu(a - b - 1), (2, 1.5), "rescale", (0, 0)),
    "threshold, reveal": (lambda a, b: torch.relu(a - b - 1), (2, 1.5), "reveal_cancel", (0.5, -0.5)),
    # Figure 3: the minimum of two inputs.
    "min, rescale": (minimum, (3, 1), "rescale", (0, 1)),
    "min, reveal": (minimum, (3, 1), "reveal_cancel", (0.5, 0.5)),
    "equal, rescale": (minimum, (2, 2), "rescale", (2, 0)),
    "equal, reveal": (minimum, (2, 2), "reveal_cancel", (1, 1)),
    # Figure 2: no jump at the threshold.
    "below ten": (lambda a, b: torch.relu(a - 10) + 0 * b, (9.5, 0), "rescale", (0, 0)),
    "above ten": (lambda a, b: torch.relu(a - 10) + 0 * b, (10.5, 0), "reveal_cancel", (0.5, 0)),
    # captum's tests: 2 relu(x1) + 2 relu(x2 - 1.5).
    "captum": (lambda a, b: 2 * torch.relu(a) + 2 * torch.relu(b - 1.5), (1, 2), "rescale", (2, 1)),
    # Sundararajan et al. 2017, appendix B: the same function twice; DeepLIFT tells the two networks apart.
    "f": (lambda a, b: torch.relu(torch.relu(a) - 1 - torch.relu(b)), (3, 1), "rescale", (1.5, -0.5)),
    "g": (lambda a, b: torch.relu(torch.relu(a - 1) - torch.relu(b)), (3, 1), "rescale", (2, -1)),
    # Products of two: each counts with the mean of the other.
    "product": (lambda a, b: a * b, (2, 3), "rescale", (3, 3)),
    "square": (lambda a, b: a**2 + b * b, (2, 3), "reveal_cancel", (4, 9)),
    "quotient": (lambda a, b: (a + 1) / (b + 1), (2, 1), "rescale", (1.5, -1)),
    "reciprocal": (lambda a, b: 6 / (a + 1) + b, (2, 1), "rescale", (-4, 1)),
}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms(name: str) -> None:
    function, given, rule, expected = CLOSED[name]
    assert values(function, given, rule=rule) == pytest.approx(list(expected), abs=1e-12)


def test_the_dense_layer_of_the_authors_tests() -> None:
    """W = (1, 2, 3, 4), (-1, -2, -3, -4), b = (-1, 1): of 10 - 1 over 10, and of 0 - 1 over -10."""
    model = nn.Sequential(nn.Linear(4, 2, dtype=torch.float64), nn.ReLU())
    model[0].weight.data = torch.tensor([[1.0, 2, 3, 4], [-1.0, -2, -3, -4]], dtype=torch.float64)
    model[0].bias.data = torch.tensor([-1.0, 1], dtype=torch.float64)
    found = DeepLIFT(model).interpret(torch.ones(1, 4, dtype=torch.float64), "all").multipliers[0]
    weight = torch.tensor([1.0, 2, 3, 4], dtype=torch.float64)
    assert torch.allclose(found, torch.stack([0.9 * weight, -0.1 * weight]), atol=1e-12, rtol=0)


def test_captums_max_pooling() -> None:
    """The winner of the reference answers for a loss, the winner of the image for a gain."""
    model = nets.Net(lambda net, x: F.max_pool1d(x, 4)[:, 0])
    ones, mixed = torch.ones(1, 1, 4, dtype=torch.float64), torch.tensor([[[4.0, 8, 6, 7]]], dtype=torch.float64)
    base = torch.tensor([[[1.0, 2, 3, 9]]], dtype=torch.float64)
    assert DeepLIFT(model, reference=base).interpret(ones, 0).values.flatten().tolist() == [0, 0, 0, -8]
    assert DeepLIFT(model, reference=ones).interpret(mixed, 0).values.flatten().tolist() == [0, 7, 0, 0]
    assert DeepLIFT(model, reference=mixed).interpret(ones, 0).values.flatten().tolist() == [0, -7, 0, 0]


def test_a_tie_of_different_winners_gives_no_credit() -> None:
    model = nets.Net(lambda net, x: F.max_pool1d(x, 2)[:, 0])
    images = torch.tensor([[[5.0, 1]]], dtype=torch.float64)
    found = DeepLIFT(model, reference=torch.tensor([[[2.0, 5]]], dtype=torch.float64)).interpret(images, 0)
    assert found.multipliers.flatten().tolist() == [0, 0]
    assert found.values.flatten().tolist() == [0, 0]


def test_a_vanishing_difference_gets_the_slope_at_the_reference() -> None:
    """At 6, where the function turns flat; a difference of one unit in the last place is none."""
    model = nets.Net(lambda net, x: F.relu6(x))
    edge = torch.tensor([[6.0]], dtype=torch.float64)
    below = torch.nextafter(edge, torch.zeros_like(edge))
    assert DeepLIFT(model, reference=edge).interpret(below, 0).multipliers.tolist() == [[0]]
    assert DeepLIFT(model, reference=below).interpret(edge, 0).multipliers.tolist() == [[1]]
    # RevealCancel: half from either side of the edge, for a part on neither.
    assert DeepLIFT(model, rule="reveal_cancel", reference=edge).interpret(edge, 0).multipliers.tolist() == [[0.5]]


def revealed(f: Callable[[float], float], base: float, up: float, down: float) -> tuple[float, float]:
    """The RevealCancel parts of the output, from those of the input."""
    plus = (f(base + up) - f(base) + f(base + down + up) - f(base + down)) / 2
    minus = (f(base + down) - f(base) + f(base + up + down) - f(base + up)) / 2
    return plus, minus


@pytest.mark.parametrize("first", RULES)
def test_parts_go_on_through_nonlinearities(first: str) -> None:
    """relu(tanh(a - b) - 0.1): the second one meets the parts of the first, by Rescale in proportion."""
    a, b = 0.9, 0.6
    slope = math.tanh(a - b) / (a - b)
    up, down = (slope * a, -slope * b) if first == "rescale" else revealed(math.tanh, 0.0, a, -b)
    expected = revealed(lambda v: max(v, 0.0), -0.1, up, down)
    for tanh in (torch.tanh, torch.tanh_):
        found = values(
            lambda a, b, tanh=tanh: torch.relu(tanh(a - b) - 0.1), (a, b), rule={"tanh": first, "relu": "reveal_cancel"}
        )
        assert found == pytest.approx(list(expected), abs=1e-14)


def test_the_latest_weight_layer_names_a_nonlinearity_behind_a_sum() -> None:
    def forward(net: Any, x: Tensor) -> Tensor:
        skip = net.one(x)
        return net.head(torch.tanh(skip + net.two(F.relu(skip))))

    model = nets.net(
        forward,
        one=nn.Linear(4, 4),
        two=nn.Linear(4, 4),
        head=nn.Linear(4, 2),
    )
    found = DeepLIFT(model, rule={"two": "reveal_cancel"}).interpret(nets.uniform(2, 4), 0).coverage["ruled"]
    assert {"relu (rescale)": 1, "tanh (reveal_cancel)": 1}.items() <= found.items()


def test_a_dropout_that_is_off_stands_in_nobodys_way() -> None:
    model = nets.randomised(
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Dropout2d(), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    )
    found = DeepLIFT(model, rule="reveal_cancel").interpret(nets.uniform(2, 1, 6, 6), 0).coverage["ruled"]
    assert found["relu (reveal_cancel, before max-pooling)"] == 1


def pool_overwritten(net: Any, x: Tensor) -> Tensor:
    hidden = net.conv(x)
    pooled = F.max_pool2d(hidden, 2)
    hidden *= 2
    return net.head(F.relu(pooled).flatten(1) + F.avg_pool2d(hidden, 2).flatten(1))


def overwritten_through_a_view(net: Any, x: Tensor) -> Tensor:
    hidden = net.conv(x)
    first = hidden[:, 0]
    first += hidden[:, 1].clone()
    return net.head(F.max_pool2d(F.relu(hidden), 2).flatten(1))


def layer_input_overwritten(net: Any, x: Tensor) -> Tensor:
    x = x.flatten(1)[:, :8] + 0.1
    hidden = net.head(x)
    x *= 3
    return F.relu(hidden)


OVERWRITTEN = {
    pool_overwritten: "relu (reveal_cancel; max_pool2d by own sign; behind max-pooling, whose input was overwritten)",
    overwritten_through_a_view: "relu (reveal_cancel; input by own sign)",
    layer_input_overwritten: "relu (reveal_cancel; parts overwritten)",
}


@pytest.mark.parametrize("function", OVERWRITTEN)
def test_what_was_overwritten_is_not_used(function: Callable[[Any, Tensor], Tensor]) -> None:
    model = nets.net(function, conv=nn.Conv2d(1, 2, 3), head=nn.Linear(8, 2))
    images, base = nets.uniform(3, 1, 6, 6, low=-1), nets.uniform(1, 1, 6, 6, low=-1, seed=3)
    found = DeepLIFT(model, rule="reveal_cancel", reference=base, strict=True).interpret(images, 0)
    assert found.coverage["ruled"][OVERWRITTEN[function]] == 1
    assert found.completeness_error.max() < 1e-11
    assert nets.relative(found.logits, model.eval()(images)) < 1e-13


# Completeness


@pytest.mark.parametrize("order", ["relu_first", "as_built"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("reference", ["zero", "mean"])
def test_completeness_on_digits(reference: str, rule: str, order: Any) -> None:
    """With the mean image as reference, windows on blank corners tie with other winners: a trap on real digits."""
    if not (nets.MNIST_TEST.is_file() and nets.STUDY_WEIGHTS.is_file()):
        pytest.skip("needs MNIST and the weights of the study")
    images = nets.digits(200)
    base = 0.0 if reference == "zero" else images.mean(dim=0, keepdim=True)
    found = DeepLIFT(nets.small_cnn(), rule=rule, reference=base, pool_order=order, strict=True).interpret(
        images, "all"
    )
    size = found.score.abs().amax(dim=1, keepdim=True)
    assert ((found.total - found.score).abs() / size).max() < 1e-12
    predicted = found.score.gather(1, found.logits.argmax(dim=1, keepdim=True))
    assert predicted.min() > 0
    assert found.completeness_error.gather(1, found.logits.argmax(dim=1, keepdim=True)).max() < 1e-9


TORCHVISION = ["resnet18", "densenet121", "squeezenet1_0", "googlenet", "vgg11_bn", "mobilenet_v3_small"]


@pytest.mark.filterwarnings("ignore:The default weight initialization of GoogleNet:FutureWarning")
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", [*TORCHVISION, "shufflenet_v2_x0_5", "efficientnet_b0"])
def test_completeness_on_classifiers_of_torchvision(name: str, rule: str) -> None:
    model, images = nets.torchvision_classifier(name).eval(), nets.uniform(2, 3, 64, 64)
    base = nets.uniform(2, 3, 64, 64, low=0.2, high=0.8, seed=9)
    found = DeepLIFT(model, rule=rule, reference=base, strict=True).interpret(images, 3)
    with torch.no_grad():
        score = (model(images) - model(base))[:, 3]
    assert (found.score - score).abs().max() < 1e-9 * found.logits.abs().max()
    assert (found.total - score).abs().max() < 1e-9 * found.logits.abs().max()


def residual(model: Any, x: Tensor) -> Tensor:
    hidden = F.relu(model.first(x), inplace=True)
    out = F.relu_(model.norm(model.second(hidden)))
    out += hidden
    out = F.relu(out)
    return model.head((out - 0.3 * hidden).relu_().mean((2, 3)))


def concatenated(model: Any, x: Tensor) -> Tensor:
    hidden = model.first(F.pad(x, (1, 1, 1, 1), value=0.5))
    both = torch.cat([hidden, F.avg_pool2d(F.tanh(hidden), 3, 1, 1), F.max_pool2d(hidden, 3, 1, 1)], dim=1)
    left, right = F.relu(both).chunk(2, dim=1)
    return model.head(F.silu((left * torch.sigmoid(right)).flatten(1)))


def gated(model: Any, x: Tensor) -> Tensor:
    hidden = F.hardswish(model.first(x))
    gate = F.hardsigmoid(model.second(F.adaptive_avg_pool2d(hidden, 1)))
    hidden = hidden * gate
    hidden *= 2 - gate
    return model.head(F.gelu(hidden / (1 + hidden.abs().mean((1, 2, 3), keepdim=True))).flatten(1))


def with_constants(model: Any, x: Tensor) -> Tensor:
    """What is filled in differs from nothing: its parts must not count when parts are added later."""
    hidden = F.pad(model.first(x), (1, 1, 1, 1), value=0.5)
    hidden = torch.tanh(torch.cat([hidden, torch.full_like(hidden[:, :1].detach(), 0.7)], dim=1))
    return model.head(F.relu(hidden - 0.5 * hidden.flip(1).roll(1, 3)).flatten(1))


def folded(model: Any, x: Tensor) -> Tensor:
    """Channels become rows of the batch for a while."""
    hidden = F.max_pool2d(torch.tanh(model.first(x.reshape(-1, 1, 6, 6))), 2)
    gate = torch.sigmoid(hidden.mean((1, 2, 3), keepdim=True))
    return model.head(F.elu((hidden * gate).reshape(len(x), -1)))


def attending(model: Any, x: Tensor) -> Tensor:
    """Bilinear in two things that depend on the input, without a softmax."""
    tokens = model.first(x).flatten(2).transpose(1, 2)
    mixed = torch.relu(tokens @ tokens.transpose(1, 2) / 6) @ tokens
    return model.head((torch.einsum("nij,jk->nik", mixed, model.mix.weight) + tokens).relu().mean(1))


BUILT: dict[str, tuple[Callable[[Any, Tensor], Tensor], dict[str, nn.Module]]] = {
    "residual": (
        residual,
        {
            "first": nn.Conv2d(2, 3, 3, padding=1),
            "second": nn.Conv2d(3, 3, 3, padding=1),
            "norm": nn.BatchNorm2d(3),
            "head": nn.Linear(3, 4),
        },
    ),
    "concatenated": (concatenated, {"first": nn.Conv2d(2, 4, 3), "head": nn.Linear(216, 4)}),
    "with constants": (with_constants, {"first": nn.Conv2d(2, 3, 3), "head": nn.Linear(144, 4)}),
    "folded": (folded, {"first": nn.Conv2d(1, 3, 3), "head": nn.Linear(24, 4)}),
    "gated": (
        gated,
        {"first": nn.Conv2d(2, 3, 3), "second": nn.Conv2d(3, 3, 1), "head": nn.Linear(48, 4)},
    ),
    "attending": (
        attending,
        {"first": nn.Conv2d(2, 5, 2, 2), "mix": nn.Linear(5, 5, bias=False), "head": nn.Linear(5, 4)},
    ),
}


@pytest.mark.parametrize("references", [1, 3])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", BUILT)
def test_completeness_of_all_that_nets_are_built_of(name: str, rule: str, references: int) -> None:
    function, modules = BUILT[name]
    for seed in range(5):
        model = nets.net(function, seed, **modules)
        images = nets.uniform(3, 2, 6, 6, low=-1, seed=seed)
        base = nets.uniform(references, 2, 6, 6, low=-1, seed=100 + seed)
        found = DeepLIFT(model, rule=rule, reference=base, strict=True).interpret(images, "all")
        assert nets.relative(found.logits, model.eval()(images)) < 1e-13
        assert (found.total - found.score).abs().max() < 1e-11 * found.logits.abs().max()


# Equivalences


def one_layer(function: Callable[[Any, Tensor], Tensor], *, merged: Callable[[Any], nn.Linear], seed: int) -> float:
    """How far a unit written in pieces is from the same unit as one linear layer, under RevealCancel."""
    pieces = {"one": nn.Linear(3, 5), "two": nn.Linear(3, 5), "norm": nn.BatchNorm1d(5), "head": nn.Linear(5, 2)}
    model = nets.net(lambda net, x: net.head(torch.tanh(function(net, x))), seed, **pieces).eval()
    whole = nets.Net(lambda net, x: net.head(torch.tanh(net.layer(x))), layer=merged(model), head=model.head)
    images, base = nets.uniform(4, 6, low=-1, seed=seed), nets.uniform(1, 6, low=-1, seed=seed + 1)
    found, expected = (
        DeepLIFT(each, rule="reveal_cancel", reference=base, strict=True).interpret(images, 1).multipliers
        for each in (model, whole)
    )
    return nets.relative(found, expected)


def joined(left: Tensor, right: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(6, len(bias), dtype=torch.float64)
    layer.weight.data, layer.bias.data = torch.cat([left, right], dim=1).detach(), bias.detach()
    return layer


def scale_and_shift(net: Any) -> tuple[Tensor, Tensor]:
    scale = net.norm.weight / torch.sqrt(net.norm.running_var + net.norm.eps)
    return scale, net.norm.bias - net.norm.running_mean * scale


PIECES: dict[str, tuple[Callable[[Any, Tensor], Tensor], Callable[[Any], nn.Linear]]] = {
    "sum": (
        lambda net, x: net.one(x[:, :3]) + net.two(x[:, 3:]),
        lambda net: joined(net.one.weight, net.two.weight, net.one.bias + net.two.bias),
    ),
    "sum in place": (
        lambda net, x: net.one(x[:, :3]).add_(net.two(x[:, 3:]), alpha=-0.5),
        lambda net: joined(net.one.weight, -0.5 * net.two.weight, net.one.bias - 0.5 * net.two.bias),
    ),
    "difference": (
        lambda net, x: 1.5 - (net.two(x[:, 3:]) - net.one(x[:, :3])),
        lambda net: joined(net.one.weight, -net.two.weight, 1.5 + net.one.bias - net.two.bias),
    ),
    "factors": (
        lambda net, x: net.one(x[:, :3]) * -2 + net.two(x[:, 3:]) / 4,
        lambda net: joined(-2 * net.one.weight, net.two.weight / 4, -2 * net.one.bias + net.two.bias / 4),
    ),
    "batch norm with scales of both signs": (
        lambda net, x: net.norm(net.one(x[:, :3])) + net.two(x[:, 3:]),
        lambda net: joined(
            net.one.weight * scale_and_shift(net)[0][:, None],
            net.two.weight,
            net.one.bias * scale_and_shift(net)[0] + scale_and_shift(net)[1] + net.two.bias,
        ),
    ),
    "matrix product": (
        lambda net, x: x[:, :3] @ net.one.weight.T + x[:, 3:] @ net.two.weight.T + 0.1,
        lambda net: joined(net.one.weight, net.two.weight, torch.full((5,), 0.1, dtype=torch.float64)),
    ),
    "reshaped": (
        lambda net, x: torch.stack([net.one(x[:, :3]), net.two(x[:, 3:])], 1).permute(0, 2, 1).sum(-1),
        lambda net: joined(net.one.weight, net.two.weight, net.one.bias + net.two.bias),
    ),
    "averaged": (
        lambda net, x: torch.cat([net.one(x[:, :3]), net.two(x[:, 3:])], 1).view(-1, 2, 5).mean(1),
        lambda net: joined(net.one.weight / 2, net.two.weight / 2, (net.one.bias + net.two.bias) / 2),
    ),
}


@pytest.mark.parametrize("name", PIECES)
def test_parts_are_handed_on_as_in_one_linear_layer(name: str) -> None:
    function, merged = PIECES[name]
    assert max(one_layer(function, merged=merged, seed=seed) for seed in range(5)) < 1e-11


@pytest.mark.parametrize("rule", RULES)
def test_writing_in_place_changes_nothing(rule: str) -> None:
    """Also where the tensor that is written to has no parts, or its value is needed later."""

    def in_place(net: Any, x: Tensor) -> Tensor:
        hidden = F.max_pool2d(net.one(x), 3, 1, 1)
        hidden += net.two(x)
        hidden = F.relu_(hidden).mul_(net.factors).sub_(net.two(x))
        other = F.hardtanh_(net.one(x), -0.4, 0.4)
        other -= hidden
        pooled = F.max_pool2d(other, 3, 1, 1)
        pooled -= hidden
        return net.head(pooled.tanh_().flatten(1))

    def apart(net: Any, x: Tensor) -> Tensor:
        hidden = F.max_pool2d(net.one(x), 3, 1, 1)
        hidden = hidden + net.two(x)
        hidden = F.relu(hidden) * net.factors - net.two(x)
        other = F.hardtanh(net.one(x), -0.4, 0.4)
        return net.head(torch.tanh(F.max_pool2d(other - hidden, 3, 1, 1) - hidden).flatten(1))

    pieces = {"one": nn.Conv2d(1, 3, 3), "two": nn.Conv2d(1, 3, 3), "head": nn.Linear(48, 2)}
    found, expected = (nets.net(function, 2, **pieces) for function in (in_place, apart))
    for model in (found, expected):
        model.factors = torch.tensor([0.5, -2.0, 1.0], dtype=torch.float64).reshape(3, 1, 1)
    images, base = nets.uniform(3, 1, 6, 6, low=-1), nets.uniform(1, 1, 6, 6, seed=4)
    one, other = (
        DeepLIFT(model, rule=rule, reference=base, strict=True).interpret(images, 1) for model in (found, expected)
    )
    assert nets.relative(one.multipliers, other.multipliers) < 1e-12
    assert one.coverage["ruled"] == other.coverage["ruled"]
    assert one.completeness_error.max() < 1e-11


def test_an_average_of_conv_outputs_adds_parts() -> None:
    """Averaging the outputs of a convolution of disjoint windows is one wider convolution."""
    model = nets.randomised(
        nn.Sequential(nn.Conv2d(1, 3, 2, 2), nn.AvgPool2d(2), nn.Sigmoid(), nn.Flatten(), nn.Linear(12, 2))
    )
    wide = nn.Conv2d(1, 3, 4, 4, dtype=torch.float64)
    wide.weight.data, wide.bias.data = model[0].weight.data.repeat(1, 1, 2, 2) / 4, model[0].bias.data
    images = nets.uniform(3, 1, 8, 8, low=-1)
    for rule in RULES:
        found, expected = (
            DeepLIFT(each, rule=rule, strict=True).interpret(images, 1).values
            for each in (model, nn.Sequential(wide, *model[2:]))
        )
        assert nets.relative(found, expected) < 1e-12


@pytest.mark.parametrize("rule", RULES)
def test_the_chain_rule_of_multipliers(rule: str) -> None:
    """The multipliers of a net are those of its end, multiplied through those of its beginning."""
    for seed in range(5):
        begin = nets.randomised(nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten()), seed)
        end = nets.randomised(nn.Sequential(nn.Linear(18, 6), nn.Tanh(), nn.Linear(6, 3)), seed + 50)
        images, base = nets.uniform(2, 1, 8, 8, seed=seed), nets.uniform(1, 1, 8, 8, seed=seed + 9)
        with torch.no_grad():
            middle, middle_base = begin(images), begin(base)
        outer = DeepLIFT(end, rule=rule, reference=middle_base).interpret(middle, 1).multipliers
        inner = DeepLIFT(begin, rule=rule, reference=base).interpret(images, "all").multipliers
        whole = DeepLIFT(nn.Sequential(begin, end), rule=rule, reference=base).interpret(images, 1).multipliers
        assert nets.relative(whole, torch.einsum("nk,nkchw->nchw", outer, inner)) < 1e-12


@pytest.mark.parametrize("name", ["small_cnn", "vgg11", "resnet18"])
def test_without_biases_rescale_from_zero_is_lrp_0(name: str) -> None:
    """Ancona et al. 2018."""
    model = nets.small_cnn(study=False) if name == "small_cnn" else nets.torchvision_classifier(name)
    with torch.no_grad():
        for module in model.modules():
            for attribute in ("bias", "running_mean"):
                if getattr(module, attribute, None) is not None:
                    getattr(module, attribute).zero_()
    images = nets.digits(4) if name == "small_cnn" else nets.uniform(2, 3, 64, 64)
    found = DeepLIFT(model, strict=True).interpret(images, 1).values
    assert nets.relative(found, LRP(model, rule="0").interpret(images, 1).values) < 1e-11
    assert nets.relative(found, InputXGradient(model).interpret(images, 1).values) < 1e-11


@pytest.mark.parametrize("rule", RULES)
def test_constants_do_not_matter_in_linear_nets(rule: str) -> None:
    model = nets.randomised(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(32, 3)))
    images, base = nets.uniform(3, 1, 6, 6), nets.uniform(1, 1, 6, 6, seed=4)
    found = DeepLIFT(model, rule=rule, reference=base).interpret(images, 2)
    assert nets.relative(found.values, found.multipliers * (images - base)) == 0
    expected = InputXGradient(model).interpret(images - base, 2).values
    assert nets.relative(found.values, expected) < 1e-12
