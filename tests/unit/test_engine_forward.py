"""What a model must return to be explained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nets
import pytest
import torch
from torch import Tensor, nn

from nn_interpretability import LRP, Gradient, InputXGradient
from nn_interpretability.errors import DataError

IMAGES = nets.uniform(3, 2, 4, 4)


def returning(change: Callable[[Tensor], Any]) -> nn.Module:
    """A linear classifier of five classes whose scores are changed before they are returned."""
    return nets.net(lambda model, x: change(model.linear(x.flatten(1))), linear=nn.Linear(32, 5))


def poisoned(scores: Tensor) -> Tensor:
    return scores + torch.tensor([[0.0], [torch.nan], [torch.inf]], dtype=torch.float64)


@torch.no_grad()
def without_gradient(scores: Tensor) -> Tensor:
    return scores * 2


UNFIT: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "tuple": (lambda s: (s, s), "The model returns a tuple, not a tensor of scores .* Wrap it in a module"),
    "mapping": (lambda s: {"out": s}, "The model returns a dict, not a tensor of scores"),
    "nothing": (lambda s: None, "The model returns a NoneType, not a tensor of scores"),
    "one axis": (lambda s: s[:, 0], r"scores of shape \(3,\) for 3 images; \(3, classes\) is expected"),
    "three axes": (lambda s: s[..., None], r"scores of shape \(3, 5, 1\) for 3 images"),
    "another number": (lambda s: s[:2], r"scores of shape \(2, 5\) for 3 images"),
    "one sum": (lambda s: s.sum(), r"scores of shape \(\) for 3 images"),
    "not finite": (poisoned, r"The model returns NaN or infinite scores for the images at positions \[1, 2\]"),
    "detached": (lambda s: s.detach(), "does not depend on the images, or was detached from them"),
    "without gradient": (without_gradient, "does not depend on the images, or was detached from them"),
    "constant": (lambda s: torch.ones(3, 5).double(), "does not depend on the images, or was detached from them"),
    "classes": (lambda s: s.argsort(1), "does not depend on the images, or was detached from them"),
}


@pytest.mark.parametrize("method", [Gradient, InputXGradient, LRP])
@pytest.mark.parametrize("name", UNFIT)
def test_scores_that_cannot_be_explained(name: str, method: Any) -> None:
    change, message = UNFIT[name]
    with pytest.raises(DataError, match=message):
        method(returning(change)).interpret(IMAGES, 0)


@pytest.mark.parametrize("method", [Gradient, InputXGradient, LRP])
def test_scores_of_a_part_that_is_not_the_first(method: Any) -> None:
    """Scores may be a view, or something that the model keeps."""

    def forward(model: Any, x: Tensor) -> Tensor:
        model.kept = [model.linear(x.flatten(1))]
        return model.kept[0][:, 1:4]

    model = nets.net(forward, linear=nn.Linear(32, 5))
    found = method(model).interpret(IMAGES, 0)
    assert found.logits.shape == (3, 3)
    assert not found.logits.requires_grad


def test_a_model_without_parameters() -> None:
    model = nets.Net(lambda _, x: x.flatten(1)[:, :3] * 2)
    assert torch.equal(Gradient(model).interpret(IMAGES, 1).values.flatten(1).sum(1), torch.full((3,), 2.0).double())


def test_pixels_that_the_model_does_not_look_at_get_nothing() -> None:
    model = nets.net(lambda model, x: model.linear(x[:, 0].flatten(1)), linear=nn.Linear(16, 5))
    for settings in ({}, {"input_rule": "z_box", "input_bounds": (0, 1)}):
        found = LRP(model, **settings).interpret(IMAGES, 0).values
        assert not found[:, 1].any()
        assert found[:, 0].all()


def test_bounds_that_no_rule_asks_for_change_nothing() -> None:
    model = returning(lambda s: s)
    assert torch.equal(
        LRP(model, input_bounds=(0, 1)).interpret(IMAGES, 0).values, LRP(model).interpret(IMAGES, 0).values
    )
