"""Integrated and expected gradients: closed forms, and what the sums are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nets
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability import ExpectedGradients, Gradient, IntegratedGradients
from nn_interpretability.errors import ConfigError, DataError

QUADRATURES: list[Any] = ["midpoint", "trapezoid", "left", "right", "gauss_legendre"]


def scalar(function: Callable[[Tensor], Tensor]) -> nn.Module:
    """A net of one score, a function of a row of features."""
    return nets.Net(lambda _, x: function(x)[:, None])


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def saturated(x: Tensor) -> Tensor:
    """Shrikumar et al. 2017, figure 1: 1 - relu(1 - i1 - i2)."""
    return 1 - F.relu(1 - x[:, 0] - x[:, 1])


@pytest.mark.parametrize("quadrature", ["midpoint", "gauss_legendre"])
def test_the_saturated_net(quadrature: Any) -> None:
    """The gradient at (1, 1) is zero; half of the way to it is not."""
    net = scalar(saturated)
    assert Gradient(net).interpret(row(1, 1), 0).values.tolist() == [[0, 0]]
    found = IntegratedGradients(net, steps=64, quadrature=quadrature).interpret(row(1, 1), 0)
    assert torch.allclose(found.values, row(0.5, 0.5), atol=1e-15)
    assert found.score.tolist() == [1.0]
    assert found.completeness_error.max() < 1e-14


def test_two_nets_of_the_same_function_get_the_same_values() -> None:
    """Sundararajan et al. 2017, figure 3: f and g agree everywhere, and at (3, 1) both get (1.5, -.5)."""
    f = scalar(lambda x: F.relu(F.relu(x[:, 0]) - 1 - F.relu(x[:, 1])))
    g = scalar(lambda x: F.relu(F.relu(x[:, 0] - 1) - F.relu(x[:, 1])))
    for net in (f, g):
        # The kink is at t = 1/2, between midpoints.
        found = IntegratedGradients(net, steps=50).interpret(row(3, 1), 0)
        assert torch.allclose(found.values, row(1.5, -0.5), atol=1e-14)


@pytest.mark.parametrize("values", [(3.0, 1.0), (5.0, 2.0)])
def test_the_minimum_of_two_inputs(values: tuple[float, float]) -> None:
    """min(i1, i2) = i1 - relu(i1 - i2): all to the smaller one."""
    net = scalar(lambda x: x[:, 0] - F.relu(x[:, 0] - x[:, 1]))
    found = IntegratedGradients(net, steps=8).interpret(row(*values), 0)
    assert torch.allclose(found.values, row(0, values[1]), atol=1e-14)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_gauss_is_exact_for_polynomial_nets_of_degree_2n(steps: int) -> None:
    """The gradient along the path then has the degree 2 n - 1; one degree more is out of reach."""
    image, reference = row(0.7, -1.3), row(-0.4, 0.2)

    def error(degree: int) -> float:
        net = scalar(lambda x: (x[:, 0] + 2 * x[:, 1] + 0.3) ** degree)
        found = IntegratedGradients(net, reference=reference, steps=steps, quadrature="gauss_legendre")
        # Of a function of w.x the shares are those of w (x - x').
        share = row(1, 2) * (image - reference)
        explained = found.interpret(image, 0)
        return nets.relative(explained.values, share / share.sum() * explained.score)

    assert error(2 * steps) < 1e-13
    assert error(2 * steps + 1) > 1e-6


@pytest.mark.parametrize("quadrature", QUADRATURES)
def test_linear_nets_are_exact(quadrature: Any) -> None:
    net = nets.net(lambda model, x: model.linear(x.flatten(1)), linear=nn.Linear(8, 3))
    images, reference = nets.uniform(4, 2, 2, 2), nets.uniform(4, 2, 2, 2, seed=1)
    found = IntegratedGradients(net, reference=reference, steps=2, quadrature=quadrature).interpret(images, 1)
    assert nets.relative(found.values, (images - reference) * net.linear.weight[1].reshape(2, 2, 2)) < 1e-14
    assert found.completeness_error.max() < 1e-13


def test_the_error_is_against_the_difference_of_scores() -> None:
    model, images = nets.small_cnn(), nets.digits(20)
    for reference in (0.0, images.mean(0)):
        found = IntegratedGradients(model, reference=reference, steps=256).interpret(images)
        below = model(torch.as_tensor(reference).double().expand_as(images)).detach()
        classes = found.logits.argmax(1)
        change = (found.logits - below)[torch.arange(20), classes]
        assert torch.equal(found.target, classes)
        assert nets.relative(found.score, change) < 1e-12
        assert torch.equal(found.reference, torch.as_tensor(reference).double().expand_as(images))
        assert 0 < found.completeness_error.median() < 5e-3


def test_the_error_falls_with_the_number_of_points() -> None:
    model, images = nets.small_cnn(), nets.digits(10)
    errors = [
        IntegratedGradients(model, steps=steps).interpret(images).completeness_error.median().item()
        for steps in (8, 64, 512)
    ]
    assert errors[0] > 3 * errors[1] > 9 * errors[2]


def test_the_class_is_decided_once_at_the_image() -> None:
    """Along the path of this net the largest score changes half way."""
    net = nets.Net(lambda _, x: torch.cat([x.square(), 1 - x], 1))
    found = IntegratedGradients(net, steps=2, quadrature="gauss_legendre").interpret(row(2.0))
    assert found.target.tolist() == [0]
    assert torch.allclose(found.values, row(4.0), atol=1e-14)


def test_a_function_is_differentiated_at_every_point() -> None:
    """With the slope at the image alone the sum would be far off; a function may know its images."""
    model, images = nets.small_cnn(), nets.digits(6)
    labels = torch.arange(6)

    def probability(scores: Tensor) -> Tensor:
        return scores.softmax(1)[torch.arange(len(labels)), labels]

    found = IntegratedGradients(model, steps=512).interpret(images, probability)
    change = probability(model(images)) - probability(model(torch.zeros_like(images)))
    assert torch.allclose(found.score, change.detach(), rtol=1e-12)
    assert (found.total - found.score).abs().max() < 1e-3


def test_nothing_is_kept_between_calls() -> None:
    explained = IntegratedGradients(nets.small_cnn(), steps=5)
    first = explained.interpret(nets.digits(4))
    explained.interpret(nets.digits(9)[4:], 3)
    again = explained.interpret(nets.digits(4))
    assert torch.equal(first.values, again.values)
    assert torch.equal(first.score, again.score)


def test_without_the_factor_it_is_the_mean_gradient() -> None:
    model, images = nets.small_cnn(), nets.digits(4)
    mean = IntegratedGradients(model, steps=6, multiply_by_inputs=False, reference=0.25).interpret(images, 3)
    whole = IntegratedGradients(model, steps=6, reference=0.25).interpret(images, 3)
    assert nets.relative(mean.values * (images - 0.25), whole.values) < 1e-14
    assert mean.completeness_error is None
    assert not mean.conserving
    points = [Gradient(model).interpret(0.25 + t * (images - 0.25), 3).values for t in (np.arange(6) + 0.5) / 6]
    assert nets.relative(mean.values, torch.stack(points).mean(0)) < 1e-13


@pytest.mark.parametrize(
    "reference",
    [
        0.5,
        [0.1, 0.2, 0.3],
        np.array([0.1, 0.2, 0.3]),
        nets.uniform(3, 1, 1, seed=3),
        nets.uniform(3, 4, 5, seed=3),
        nets.uniform(1, 3, 4, 5, seed=3),
        nets.uniform(3, 3, 4, 5, seed=3),
    ],
    ids=["number", "channels", "array", "colour", "image", "one image", "images"],
)
def test_forms_of_the_reference(reference: Any) -> None:
    net = nets.net(lambda model, x: model.linear(x.flatten(1)), linear=nn.Linear(60, 3))
    images = nets.uniform(3, 3, 4, 5)
    found = IntegratedGradients(net, reference=reference, steps=1).interpret(images, chunk=2)
    given = torch.as_tensor(reference, dtype=torch.float64)
    expected = (given.reshape(3, 1, 1) if given.dim() == 1 else given).expand_as(images)
    assert torch.equal(found.reference, expected)
    assert found.completeness_error.max() < 1e-13


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("black", "reference='black' is not allowed: give one number"),
        (float("nan"), "contains NaN"),
        (torch.zeros(2), r"A reference of shape \(2,\) does not fit images of shape \(5, 3, 4, 4\): give one number"),
        (torch.zeros(4, 4), r"A reference of shape \(4, 4\)"),
        (torch.zeros(4, 3, 4, 4), r"A reference of shape \(4, 3, 4, 4\)"),
        (torch.zeros(1, 5, 3, 4, 4), r"A reference of shape \(1, 5, 3, 4, 4\)"),
        (torch.tensor(True), "type torch.bool"),
    ],
)
def test_references_that_do_not_fit(reference: Any, words: str) -> None:
    net = nets.net(lambda model, x: model.linear(x.flatten(1)), linear=nn.Linear(48, 3))
    with pytest.raises(ConfigError, match=words):
        IntegratedGradients(net, reference=reference).interpret(nets.uniform(5, 3, 4, 4), chunk=2)


def test_the_result_has_the_type_of_the_images() -> None:
    model = nets.small_cnn(dtype=torch.float32)
    found = IntegratedGradients(model, reference=torch.tensor(0.5).double(), steps=3).interpret(
        nets.digits(2, torch.float32)
    )
    assert found.values.dtype == found.reference.dtype == torch.float32
    assert found.score.dtype == torch.float64


def test_a_reference_beyond_the_numbers_of_the_model_is_named() -> None:
    net = scalar(lambda x: (x[:, 0] - 1).log())
    with pytest.raises(DataError, match="NaN or infinite scores"):
        IntegratedGradients(net, reference=0).interpret(row(2.0), 0)


# --- expected gradients -----------------------------------------------------------------------------------------------


def test_of_one_reference_they_are_integrated_gradients() -> None:
    model, images = nets.small_cnn(), nets.digits(4)
    expected = IntegratedGradients(model, reference=images.mean(0), steps=400).interpret(images, 3)
    found = ExpectedGradients(model, references=images.mean(0, keepdim=True), samples=400).interpret(images, 3)
    assert nets.relative(found.values, expected.values) < 0.02
    assert nets.relative(found.score, expected.score) < 1e-12


def test_the_score_is_the_difference_to_the_mean_of_all_references() -> None:
    model, images, references = nets.small_cnn(), nets.digits(5), nets.digits(30)[5:]
    explained = ExpectedGradients(model, references=references, samples=1000)
    found = explained.interpret(images, "all")
    change = found.logits - model(references).detach().mean(0)
    assert nets.relative(found.score, change) < 1e-12
    assert (found.total - found.score).abs().max() < 0.05 * found.score.abs().max()
    squares = explained.interpret(images, lambda scores: scores.square().sum(1))
    assert nets.relative(squares.score, found.logits.square().sum(1) - model(references).square().sum(1).mean()) < 1e-12


def test_a_linear_net_is_exact_when_references_are_used_equally_often() -> None:
    net = nets.net(lambda model, x: model.linear(x.flatten(1)), linear=nn.Linear(8, 3))
    images, references = nets.uniform(4, 2, 2, 2), nets.uniform(5, 2, 2, 2, seed=1)
    found = ExpectedGradients(net, references=references, samples=15).interpret(images)
    assert found.completeness_error.max() < 1e-13
    uneven = ExpectedGradients(net, references=references, samples=16).interpret(images)
    assert uneven.completeness_error.max() > 1e-6


def test_pairs_are_stratified_balanced_and_unbiased() -> None:
    counts, places = np.zeros((4, 3)), []
    for seed in range(300):
        chosen, nodes = ExpectedGradients(nn.Identity(), references=[0.0, 1, 2], samples=4, seed=seed)._pairs(3)
        assert np.floor(nodes * 4).tolist() == [0, 1, 2, 3]
        assert sorted(np.bincount(chosen, minlength=3).tolist()) == [1, 1, 2]
        counts[range(4), chosen] += 1
        places.append(nodes)
    assert np.abs(counts / 300 - 1 / 3).max() < 0.12  # every reference everywhere: 4.4 standard deviations
    assert np.abs(np.mean(places, 0) - [0.125, 0.375, 0.625, 0.875]).max() < 0.02


def test_the_seed_decides() -> None:
    model, images = nets.small_cnn(), nets.digits(3)
    one, same, other = (
        ExpectedGradients(model, references=[0, 0.5], samples=10, seed=seed).interpret(images, 1).values
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert nets.relative(one, other) > 1e-3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"references": 0.5}, r"References of shape \(\) are not allowed"),
        ({"references": torch.zeros(1, 28, 28)}, r"References of shape \(1, 28, 28\) are not allowed"),
        ({"references": []}, r"References of shape \(0,\) are not allowed"),
        ({"references": torch.zeros(3, 1, 27, 28)}, "does not fit images"),
        ({"references": [0], "samples": 0}, "samples=0 is not allowed: give an integer >= 1"),
        ({"references": [0], "seed": -1}, "seed=-1"),
    ],
)
def test_expected_gradients_that_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ExpectedGradients(nets.small_cnn(study=False), **options).interpret(nets.digits(2))
