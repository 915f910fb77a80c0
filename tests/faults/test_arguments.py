"""Whatever images, targets and layers a method gets: a finite map of the right shape, or one clear error."""

from __future__ import annotations

import random
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from faults.volume import generators, volumes, words_of
from nn_interpretability import LRP, GradCAM, Gradient, InputXGradient, IntegratedGradients, Occlusion
from nn_interpretability.errors import ConfigError, CoverageError, DataError


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)
    )


def any_images(rng: random.Random) -> Any:
    shape = rng.choice(
        ((2, 1, 8, 8), (1, 1, 8, 8), (1, 8, 8), (8, 8), (0, 1, 8, 8), (2, 3, 8, 8), (2, 1, 7, 8), (), (2, 64))
    )
    dtype = rng.choice((torch.float32,) * 4 + (torch.float64, torch.float16, torch.int64, torch.uint8, torch.bool))
    images: Any = torch.rand(shape if rng.random() < 0.5 else (2, 1, 8, 8)).to(dtype)
    if rng.random() < 0.1 and images.is_floating_point() and images.numel():
        images.view(-1)[0] = rng.choice((float("nan"), float("inf"), -1e30, 1e38))
    return rng.choice((images,) * 12 + (images.tolist(), None, images.numpy(), "a.png"))


def any_target(rng: random.Random) -> Any:
    return rng.choice(
        (
            None, 0, 2, 3, -1, -3, 10**9, True, 1.0, float("nan"), "all", "label", "", [0, 1], (0, 1), [5, 0], [0], [],
            torch.tensor([0, 1]), torch.tensor([0, 9]), torch.tensor([0.0, 1.0]), torch.tensor(1), torch.zeros(2, 3),
            torch.full((2, 3), float("nan")), torch.ones(2, 4), torch.ones(2, 3, dtype=torch.int64), {"a": 1}, b"all",
            lambda output: output[:, 0], lambda output: output, lambda output: output.sum(), lambda output: None,
            lambda output: torch.zeros(len(output)), lambda output: output[:, 0] * float("nan"),
        )
    )  # fmt: skip


BOUNDS = ((0, 1), (1, 0), (0,), None)


def any_method(rng: random.Random, model: nn.Module) -> Any:
    names = [name for name, _ in model.named_modules()]
    layer = rng.choice((*names, "", "0.weight", "conv1", "ü", "..", "7", None, 3, "3"))
    return rng.choice(
        (
            lambda: Gradient(model),
            lambda: InputXGradient(model),
            lambda: LRP(model, rule=rng.choice(("0", "epsilon", "gamma", "x", None, 3))),
            lambda: LRP(model, rule="z_plus", input_rule="z_box", input_bounds=rng.choice(BOUNDS)),
            lambda: IntegratedGradients(model, steps=rng.choice((2, 1, 0, -1, 2.5, "5"))),
            lambda: GradCAM(model, layer=layer),
            lambda: Occlusion(model, window=rng.choice((1, 4, 8, 9, 0, -1, 1.5, (2, 3), "a"))),
        )
    )


@volumes
@pytest.mark.filterwarnings("ignore")
def test_a_finite_map_or_one_clear_error(count: int) -> None:
    model = network()
    refused = 0
    for rng in generators(count):
        torch.manual_seed(rng.randrange(10))
        images, target, method = any_images(rng), any_target(rng), any_method(rng, model)
        with warnings.catch_warnings(), words_of(ConfigError, DataError, CoverageError) as told:
            warnings.simplefilter("ignore")
            values = method().interpret(images, target).values
        refused += bool(told)
        assert told or (
            isinstance(values, Tensor) and len(values) == len(images) and bool(torch.isfinite(values).all())
        )
        assert model.training
        assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert count / 10 < refused < count
