"""Simple and deep Taylor decomposition: closed forms, literal twins, roots, and words."""

from __future__ import annotations

import warnings
from typing import Any

import nets
import pytest
import torch
from torch import Tensor, nn

from nn_interpretability import LRP, DeepTaylor, InputXGradient, SimpleTaylor
from nn_interpretability.errors import ConfigError
from nn_interpretability.models import build_model

# --- simple Taylor ----------------------------------------------------------------------------------------------------


def bias_free() -> nn.Module:
    return nets.randomised(build_model("bias_free_cnn"), seed=2)


def test_a_homogeneous_net_is_its_expansion_around_zero() -> None:
    model, images = bias_free(), nets.digits(6)
    assert nets.relative(model(2.5 * images), 2.5 * model(images)) < 1e-12
    found = SimpleTaylor(model).interpret(images, "all")
    assert found.completeness_error.max() < 1e-11
    assert not found.details["residual"].any()
    assert torch.equal(found.values, InputXGradient(model).interpret(images, "all").values)
    assert found.details["root"].shape == found.values.shape


def test_biases_leave_what_the_model_makes_of_black_and_more() -> None:
    model, images = nets.small_cnn(), nets.digits(6)
    found = SimpleTaylor(model).interpret(images, 3)
    black = model(torch.zeros_like(images))[:, 3].detach().double()
    assert torch.allclose(found.details["residual"], black, rtol=1e-12)
    assert found.completeness_error.max() > 0.01


def affine(weight: list[float], bias: float) -> nn.Module:
    model = nn.Sequential(nn.Flatten(), nn.Linear(len(weight), 1)).double()
    model[1].weight.data, model[1].bias.data = torch.tensor([weight]).double(), torch.tensor([bias]).double()
    return model


def test_the_nearest_root_of_an_affine_function() -> None:
    """f = 3 x1 - 4 x2 + 5: the root x - f(x) w / |w|^2, and shares w_i^2 / |w|^2 of the score."""
    images = torch.tensor([[[[2.0, 1.0]]], [[[-4.0, 2.0]]]], dtype=torch.float64)  # f = 7 and -15
    found = SimpleTaylor(affine([3, -4], 5), root="nearest").interpret(images, 0)
    assert found.score.tolist() == [7.0, -15.0]
    expected = torch.tensor([[[[2.52, 4.48]]], [[[-5.4, -9.6]]]], dtype=torch.float64)
    assert nets.relative(found.values, expected) < 1e-14
    assert found.details["residual"].abs().max() < 1e-14
    roots = torch.tensor([[[[2 - 21 / 25, 1 + 28 / 25]]], [[[-4 + 45 / 25, 2 - 60 / 25]]]], dtype=torch.float64)
    assert nets.relative(found.details["root"], roots) < 1e-14


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_nearest_root_of_a_network(dtype: torch.dtype) -> None:
    """It is a root, it is on the line, and there is none before it."""
    model, images = nets.small_cnn(dtype=dtype), nets.digits(8, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = SimpleTaylor(model, root="nearest").interpret(images)
    size = found.logits.abs().max()
    assert found.details["residual"].abs().max() < 50 * torch.finfo(dtype).eps * size
    leaf = images.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(model(leaf).gather(1, found.target[:, None]).sum(), leaf)
    way = images - found.details["root"]
    step = (way * gradient).flatten(1).sum(1) / gradient.square().flatten(1).sum(1)
    assert (step > 0).all()
    assert nets.relative(way, step[:, None, None, None] * gradient) < 1e-4
    for share in torch.linspace(0, 0.99, 12).tolist():
        between = model(images - share * way).gather(1, found.target[:, None])
        assert (between > 0).all()
    root = found.details["root"].requires_grad_(True)
    (there,) = torch.autograd.grad(model(root).gather(1, found.target[:, None]).sum(), root)
    assert nets.relative(found.values, there * way) < 1e-4


def test_a_curved_score_has_its_root_found_to_the_last_digits() -> None:
    """f = sum of tanh(x + 1): a first-order expansion cannot hit the root at once."""
    model = nets.net(lambda _, x: torch.tanh(x + 1).flatten(1).sum(1, keepdim=True))
    images = nets.uniform(5, 1, 2, 2, low=-0.5, high=2)
    found = SimpleTaylor(model, root="nearest").interpret(images, 0)
    assert found.details["residual"].abs().max() < 1e-14


def test_a_line_without_a_root_is_said() -> None:
    """f = relu(x) + 1 has none."""
    model = nets.net(lambda _, x: x.relu().flatten(1).sum(1, keepdim=True) + 1)
    images = torch.tensor([[[[2.0]]], [[[-1.0]]]], dtype=torch.float64)
    with pytest.warns(UserWarning, match=r"no root for the images at positions \[0, 1\].*residual"):
        found = SimpleTaylor(model, root="nearest").interpret(images, 0)
    assert found.details["residual"].tolist() == [1.0, 1.0]
    assert not found.values[1].any()  # its gradient is zero


def test_the_score_of_a_function_has_a_root_too() -> None:
    """The margin between two classes, bent; negative for some digits."""
    model, images = nets.small_cnn(), nets.digits(6)

    def margin(scores: Tensor) -> Tensor:
        return torch.sinh((scores[:, 7] - scores[:, 2]) / 4)

    found = SimpleTaylor(model, root="nearest").interpret(images, margin)
    assert 0 < int((found.score < 0).sum()) < 6
    assert margin(model(found.details["root"])).abs().max() < 1e-12
    root = found.details["root"].requires_grad_(True)
    (slope,) = torch.autograd.grad(margin(model(root)).sum(), root)
    assert nets.relative(found.values, slope * (images - root)) < 1e-9


@pytest.mark.parametrize(
    ("score", "pixel"), [(lambda x: torch.expm1(9 * x), 2.0), (lambda x: -torch.expm1(-5 * x), 1.0)]
)
def test_a_score_that_bends_is_not_left_at_one_end(score: Any, pixel: float) -> None:
    """e^(9x) - 1 and 1 - e^(-5x), where plain regula falsi creeps from one side or the other."""
    model = nets.net(lambda _, x: score(x).flatten(1).sum(1, keepdim=True))
    found = SimpleTaylor(model, root="nearest").interpret(torch.tensor([[[[pixel]]]], dtype=torch.float64), 0)
    assert found.details["residual"].abs().max() < 1e-12


def test_of_two_roots_the_nearer_one() -> None:
    """f = |x - 2| - 1 at 5 has the roots 3 and 1, at 2.5 (where it is negative, and climbs) 3."""
    model = nets.net(lambda _, x: (x - 2).abs().flatten(1) - 1)
    images = torch.tensor([[[[5.0]]], [[[2.5]]], [[[-3.0]]]], dtype=torch.float64)
    found = SimpleTaylor(model, root="nearest").interpret(images, 0)
    assert torch.allclose(found.details["root"].flatten(), torch.tensor([3.0, 3.0, 1.0], dtype=torch.float64))
    assert torch.allclose(found.values.flatten(), found.score)


def test_a_root_is_zero_or_nearest() -> None:
    with pytest.raises(ConfigError, match="root='far' is not allowed: choose 'zero' or 'nearest'"):
        SimpleTaylor(affine([1], 0), root="far")  # type: ignore[arg-type]


# --- deep Taylor ------------------------------------------------------------------------------------------------------


def literal(model: nn.Sequential, image: Tensor, target: int, low: float | None, high: float | None) -> Tensor:
    """Three linear layers with ReLUs between them, contribution by contribution, without biases."""
    layers = [model[1], model[3], model[5]]
    activations = [image.flatten()]
    for layer in layers:
        activations.append((layer.weight @ activations[-1] + layer.bias).relu().detach())
    relevance = torch.zeros_like(activations[-1])
    relevance[target] = activations[-1][target]
    for depth in (2, 1, 0):
        weight, before = layers[depth].weight.detach(), activations[depth]
        given = torch.zeros_like(before)
        for k in range(len(weight)):
            parts = torch.zeros_like(before)
            for j in range(len(before)):
                w, a = float(weight[k, j]), float(before[j])
                if depth:
                    parts[j] = max(a * w, 0.0)
                elif low is None or high is None:
                    parts[j] = w**2
                else:
                    parts[j] = a * w - low * max(w, 0.0) - high * min(w, 0.0)
            if parts.sum() != 0:
                given += parts / parts.sum() * relevance[k].detach()
        relevance = given
    return relevance.reshape(image.shape)


def dense() -> nn.Sequential:
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 7), nn.ReLU(inplace=True), nn.Linear(7, 4)
    )
    nets.randomised(model, seed=9)
    model[5].bias.data += torch.tensor([-0.5, 0.5, 0.2, 0.4])  # scores of both signs
    return model


@pytest.mark.parametrize("bounds", [(-1.0, 1.5), (0.0, 2.0), None])
def test_deep_taylor_is_its_formula(bounds: tuple[float, float] | None) -> None:
    model = dense()
    images = nets.uniform(6, 1, 2, 3, low=0 if bounds and bounds[0] == 0 else -1)
    found = DeepTaylor(model, input_bounds=bounds)
    positive = 0
    for target in range(4):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            maps = found.interpret(images, target)
        for image, values, score in zip(images, maps.values, maps.score, strict=True):
            expected = literal(model, image, target, *(bounds or (None, None)))
            assert (values - expected).abs().max() < 1e-13
            positive += int(score > 0)
        assert maps.values.min() >= -1e-15
    assert 5 < positive < 24


@pytest.mark.parametrize("bounds", [(0, 1), None])
@pytest.mark.parametrize(("bias", "rule"), [("ignore", "z_plus"), ("absorb", "alpha_beta")])
def test_deep_taylor_is_z_plus_with_an_input_rule_under_the_same_bias_policy(bias: Any, rule: str, bounds: Any) -> None:
    model, images = nets.small_cnn(), nets.digits(8)
    found = DeepTaylor(model, input_bounds=bounds, bias=bias).interpret(images)
    input_rule: Any = "z_box" if bounds else "w2"
    peer = LRP(model, rule=rule, bias=bias, input_rule=input_rule, input_bounds=bounds).interpret(images)
    assert torch.equal(found.values, peer.values)
    assert found.score.min() > 0


def test_the_bias_policies_differ() -> None:
    model, images = nets.small_cnn(), nets.digits(8)
    ignored, absorbed = (DeepTaylor(model, input_bounds=(0, 1), bias=b).interpret(images) for b in ("ignore", "absorb"))
    assert nets.relative(absorbed.values, ignored.values) > 0.005
    trace = DeepTaylor(model, input_bounds=(0, 1), trace=True, strict=True).interpret(images).trace
    assert not trace.bias.any()
    assert trace.unaccounted.abs().max() < 1e-12


def test_relevance_falls_on_black_pixels_too() -> None:
    """So it is not input times anything: the leaves are the image and both bounds."""
    images = nets.digits(8)
    found = DeepTaylor(nets.small_cnn(), input_bounds=(0, 1)).interpret(images)
    assert 0.05 < float(found.values[images == 0].abs().sum() / found.values.abs().sum()) < 0.6


def test_scores_that_are_not_positive_are_said() -> None:
    model, images = nets.small_cnn(), nets.digits(5)
    scores = model(images)
    target = torch.stack([scores[0].argmin(), scores[1].argmax(), scores[2].argmin(), *scores[3:].argmax(1)])
    with pytest.warns(UserWarning, match=r"max\(0, score\): for 2 of 5 explained scores \(images \[0, 2\]\)"):
        found = DeepTaylor(model, input_bounds=(0, 1)).interpret(images, target)
    assert not found.values[[0, 2]].any()
    assert found.values[[1, 3, 4]].flatten(1).any(1).all()
    assert (found.score[[0, 2]] == 0).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DeepTaylor(model, input_bounds=(0, 1)).interpret(images)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bias": "distribute"}, "'distribute'"),
        ({"pooling": "mean"}, "'mean'"),
        ({"layer": "features.conv4"}, "Did you mean 'features.conv"),
        ({"input_bounds": (0, 1, 2)}, "pair"),
    ],
)
def test_bad_hyper_parameters(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        DeepTaylor(build_model("small_cnn"), **options)
