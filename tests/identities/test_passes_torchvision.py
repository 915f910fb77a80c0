"""Passes of torchvision's classifiers, unmodified, and of other kinds of dropout."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from nets import net, relative, torchvision_classifier
from torch import Tensor, nn
from torch.nn import functional

from nn_interpretability import LRP, DeepLIFT, InputXGradient, MCDropout

METHODS: list[Any] = [InputXGradient, lambda m: LRP(m, rule="epsilon"), DeepLIFT]


def both_ways(make: Any, model: nn.Module, images: Tensor) -> tuple[Any, Any]:
    late = MCDropout(make(model), passes=3, block=2, seed=1).interpret(images, 0)
    rows = MCDropout(make(model), passes=3, block=2, seed=1, keep_raw=3).interpret(images, 0)
    return late, rows


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("alexnet", METHODS[1]),
        ("alexnet", DeepLIFT),
        ("squeezenet1_0", METHODS[1]),
        ("mobilenet_v3_small", InputXGradient),
    ],
    ids=["AlexNet, LRP", "AlexNet, DeepLIFT", "SqueezeNet, LRP", "MobileNet, input x gradient"],
)
def test_classifiers_as_they_are(name: str, make: Any) -> None:
    model, images = torchvision_classifier(name), torch.rand(1, 3, 64, 64, dtype=torch.float64)
    late, rows = both_ways(make, model, images)
    assert late.coverage["passes"] == {"born at the first dropout": 1}
    assert relative(late.mean, rows.mean) < 1e-8
    assert relative(late.covariance, rows.covariance) < 1e-7
    assert float(rows.raw.var(dim=0).max()) > 0


@pytest.mark.parametrize("kind", ["alpha_dropout", "feature_alpha_dropout", "dropout2d", "dropout"])
@pytest.mark.parametrize("make", METHODS, ids=["input x gradient", "LRP", "DeepLIFT"])
def test_kinds_of_dropout(kind: str, make: Any) -> None:
    model = net(
        lambda m, x: m.b(functional.relu(getattr(functional, kind)(m.a(x), 0.4)).flatten(1)),
        a=nn.Conv2d(2, 3, 3),
        b=nn.Linear(48, 3),
    )
    images = torch.rand(2, 2, 6, 6, dtype=torch.float64)
    late, rows = both_ways(make, model, images)
    assert late.coverage["passes"] == {"born at the first dropout": 1}
    assert relative(late.mean, rows.mean) < 1e-10
    if make is DeepLIFT:
        assert relative(rows.mean.flatten(1).sum(dim=1), rows.score_mean) < 1e-10


@pytest.mark.parametrize(
    "make",
    [
        lambda m: LRP(m, rule="gamma", input_rule="z_box", input_bounds=(0, 1)),
        lambda m: LRP(m, rule="z_plus", input_rule="w2"),
        DeepLIFT,
    ],
    ids=["z-box", "w2", "DeepLIFT"],
)
def test_dropout_of_the_pixels(make: Any) -> None:
    """Passes are born in front of the first layer, and so are the bounds of its pixels."""
    model = net(
        lambda m, x: m.b(functional.relu(m.a(functional.dropout2d(functional.dropout(x, 0.3), 0.2))).flatten(1)),
        a=nn.Conv2d(2, 3, 3),
        b=nn.Linear(48, 3),
    )
    images = torch.rand(3, 2, 6, 6, dtype=torch.float64)
    late, rows = both_ways(make, model, images)
    assert late.coverage["passes"] == {"born at the first dropout": 1}
    assert relative(late.mean, rows.mean) < 1e-10
    assert relative(late.by_predicted_class, rows.by_predicted_class) < 1e-10
