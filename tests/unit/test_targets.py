"""What can be explained, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nets
import numpy as np
import pytest
import torch
from torch import Tensor

from nn_interpretability import (
    LRP,
)
from nn_interpretability.errors import ConfigError
from nn_interpretability.targets import resolve_target

SCORES = torch.tensor([[0.5, 2.0, -1.0], [3.0, -2.0, 0.25]], dtype=torch.float64)
IMAGES = nets.uniform(5, 1, 28, 28)


def entropy(scores: Tensor) -> Tensor:
    return -(scores.softmax(1) * scores.log_softmax(1)).sum(1)


def test_nothing_means_the_largest_score_of_each_image() -> None:
    resolved = resolve_target(None, SCORES)
    assert resolved.description == "predicted"
    assert resolved.classes.tolist() == [1, 0]
    assert resolved.starts.tolist() == [[[0, 1, 0], [1, 0, 0]]]
    assert resolved.scores.tolist() == [[2.0, 3.0]]
    assert not resolved.stacked


@pytest.mark.parametrize("target", [2, np.int64(2), torch.tensor(2), torch.tensor(2, dtype=torch.uint8), np.array(2)])
def test_a_class(target: Any) -> None:
    resolved = resolve_target(target, SCORES)
    assert resolved.description == "class 2"
    assert resolved.classes.tolist() == [2, 2]
    assert resolved.scores.tolist() == [[-1.0, 0.25]]


@pytest.mark.parametrize(
    "target", [[2, 0], (2, 0), torch.tensor([2, 0]), torch.tensor([2, 0], dtype=torch.int16), np.array([2, 0])]
)
def test_one_class_per_image(target: Any) -> None:
    resolved = resolve_target(target, SCORES)
    assert resolved.description == "classes"
    assert resolved.starts.tolist() == [[[0, 0, 1], [1, 0, 0]]]
    assert resolved.scores.tolist() == [[-1.0, 3.0]]


def test_all_classes() -> None:
    resolved = resolve_target("all", SCORES)
    assert resolved.stacked
    assert resolved.starts.shape == (3, 2, 3)
    assert torch.equal(resolved.starts[1], torch.tensor([[0, 1, 0], [0, 1, 0]]).double())
    assert torch.equal(resolved.scores, SCORES.T)
    assert resolved.classes is None


def test_weights() -> None:
    weights = torch.tensor([[1.0, -0.5, 0.0], [0.0, 0.0, 2.0]])
    resolved = resolve_target(weights, SCORES)
    assert torch.equal(resolved.starts[0], weights.double())
    assert resolved.scores.tolist() == [[-0.5, 0.5]]


def test_a_function_starts_from_its_derivative() -> None:
    resolved = resolve_target(lambda scores: (scores**2).sum(1), SCORES)
    assert torch.allclose(resolved.starts[0], 2 * SCORES, rtol=1e-14)
    assert torch.allclose(resolved.scores[0], (SCORES**2).sum(1), rtol=1e-14)


def test_a_function_on_the_path_starts_from_the_mean_derivative() -> None:
    """For a quadratic t the mean of 2 tau z over tau in [0, 1] is z."""
    resolved = resolve_target(lambda scores: (scores**2).sum(1) + 7, SCORES, start="path")
    assert torch.allclose(resolved.starts[0], SCORES, rtol=1e-14)
    assert torch.allclose(resolved.scores[0], (SCORES**2).sum(1), rtol=1e-14)  # the change, without the 7


@pytest.mark.parametrize("function", [entropy, lambda z: z.softmax(1)[:, 0], lambda z: torch.logsumexp(z, 1)])
def test_the_path_accounts_for_the_whole_change(function: Callable[[Tensor], Tensor]) -> None:
    """Sum of s_k z_k = t(z) - t(0), by the fundamental theorem of calculus."""
    resolved = resolve_target(function, SCORES, start="path")
    change = function(SCORES) - function(torch.zeros_like(SCORES))
    assert torch.allclose((resolved.starts[0] * SCORES).sum(1), change, rtol=0, atol=1e-10)
    assert torch.allclose(resolved.scores[0], change, rtol=0, atol=1e-15)


@pytest.mark.parametrize("function", [entropy, lambda z: z.softmax(1)[:, 3] ** 2])
def test_maps_of_a_function_sum_to_its_change(function: Callable[[Tensor], Tensor]) -> None:
    """On a net without biases LRP-0 conserves, so the map sums to t(z) - t(0)."""
    model = nets.small_cnn()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.data.zero_()
    attribution = LRP(model, rule="0").interpret(nets.digits(5), function)
    scores = model(nets.digits(5)).detach()
    change = function(scores) - function(torch.zeros_like(scores))
    assert (attribution.total - change).abs().max() < 1e-10
    assert attribution.completeness_error.max() < 1e-9
    assert attribution.target is None


WRONG: dict[str, tuple[Any, str]] = {
    "above": (10, "target=10 is not a class of this model: its classes are 0 to 9"),
    "below": (-1, "target=-1 is not a class of this model"),
    "one above": ([0, 1, 2, 3, 11], "target=11 is not a class of this model"),
    "too few": ([0, 1], "The target has 2 entries for 5 images; give one per image"),
    "too many": (list(range(6)), "The target has 6 entries for 5 images"),
    "none": ([], "The target has 0 entries for 5 images"),
    "two axes": (torch.zeros(5, 2, dtype=torch.int64), "is not one class per image: give an integer"),
    "truth": (True, "target=True is not allowed: give None"),
    "truths": (torch.ones(5, dtype=torch.bool), "type torch.bool is not one class per image"),
    "complex": (torch.zeros(5, dtype=torch.complex128), "type torch.complex128 is not one class per image"),
    "word": ("predicted", "target='predicted' is not allowed: the only word is 'all'"),
    "words": (["a"] * 5, r"target=\['a', .* is not allowed: give None"),
    "ragged": ([[1], [1, 2], 3, 4, 5], "is not allowed: give None"),
    "mapping": ({"class": 1}, "is not allowed: give None"),
    "fraction": (1.5, "target=1.5 is not allowed"),
    "classes as floats": (
        torch.tensor([1.0, 2, 3, 4, 5]),
        r"target weights have shape \(5,\), the scores \(5, 10\): they must agree. \(Classes are given as integers.\)",
    ),
    "weights of other classes": (torch.zeros(5, 9), r"target weights have shape \(5, 9\), the scores \(5, 10\)"),
    "weights of other images": (torch.zeros(4, 10), "The target has 4 entries for 5 images"),
    "weights not a number": (torch.full((5, 10), torch.nan), "target weights contain NaN or infinite"),
    "function of too many values": (lambda scores: scores, r"returned \(5, 10\); it must return one value per image"),
    "function of one value": (
        lambda scores: scores.sum(),
        r"returned \(\); it must return one value per image, \(5,\)",
    ),
    "function of a number": (lambda scores: 1.0, "returned float; it must return one value per image"),
    "constant function": (lambda scores: torch.ones(len(scores)), "does not depend on the scores"),
}


@pytest.mark.parametrize("chunk", [None, 2, 5])
@pytest.mark.parametrize("name", WRONG)
def test_a_target_that_does_not_fit_is_one_clear_message(name: str, chunk: int | None) -> None:
    target, message = WRONG[name]
    if chunk == 2:
        message = message.replace("(5,", "(2,")
    with pytest.raises(ConfigError, match=message):
        LRP(nets.small_cnn(study=False)).interpret(IMAGES, target, chunk=chunk)


def test_the_target_of_no_rule_is_decided_once() -> None:
    """Also for scores that tie: the first class, in a batch as alone."""
    tied = torch.zeros(3, 4, dtype=torch.float64)
    assert resolve_target(None, tied).classes.tolist() == [0, 0, 0]


def test_several_weightings_at_once_are_several_targets() -> None:
    scores = torch.tensor([[1.0, 2.0, 4.0], [3.0, 0.0, 1.0]])
    weights = torch.tensor([[[1.0, 0, 0], [0, 1, -1]], [[0.5, 0, 0.5], [0, 0, 2]]])
    resolved = resolve_target(weights, scores)
    assert resolved.stacked
    assert resolved.starts.shape == (2, 2, 3)
    assert resolved.scores.T.tolist() == [[1, -2], [2, 2]]
    for m in range(2):
        assert torch.equal(resolve_target(weights[:, m], scores).starts[0], resolved.starts[m])
    with pytest.raises(ConfigError, match="they must agree"):
        resolve_target(weights[:, :, :2], scores)
