"""DeepLIFT's Rescale rule against captum.

captum 0.9 reads a stale gradient where two non-linear modules follow each other, so a product with one stands between
them; its max-pooling is right for windows that do not overlap.
"""

from __future__ import annotations

from typing import Any

import nets
import pytest
import torch
from captum import attr as captum
from torch import Tensor, nn

from nn_interpretability import DeepLIFT


class Times(nn.Module):
    """The identity, for captum."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 1.0


def chain(*layers: nn.Module, seed: int = 0) -> nn.Module:
    """The layers with the identity behind each."""
    return nets.randomised(nn.Sequential(*(each for layer in layers for each in (layer, Times()))), seed)


NETS: dict[str, Any] = {
    "dense": lambda: chain(nn.Flatten(), nn.Linear(64, 9), nn.ReLU(), nn.Linear(9, 8), nn.Tanh(), nn.Linear(8, 3)),
    "pool first": lambda: chain(
        nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 8), nn.Sigmoid(), nn.Linear(8, 3)
    ),
    "pool last": lambda: chain(
        nn.Conv2d(1, 4, 3), nn.LeakyReLU(), nn.MaxPool2d(3), nn.Flatten(), nn.Linear(16, 8), nn.ELU(), nn.Linear(8, 3)
    ),
    "norm": lambda: chain(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Softplus(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 3)
    ),
}


@pytest.mark.parametrize("reference", ["zero", "one", "each"])
@pytest.mark.parametrize("name", NETS)
def test_rescale(name: str, reference: str) -> None:
    model = NETS[name]().eval()
    images = nets.uniform(4, 1, 8, 8, seed=1)
    base = {
        "zero": torch.zeros(1, 1, 8, 8, dtype=torch.float64),
        "one": nets.uniform(1, 1, 8, 8, seed=2),
        "each": nets.uniform(4, 1, 8, 8, seed=3),
    }[reference]
    found = DeepLIFT(model, reference=base, pool_order="as_built", strict=True).interpret(images, 2)
    expected, gap = captum.DeepLift(model).attribute(images, base, target=2, return_convergence_delta=True)
    assert gap.abs().max() < 1e-12
    assert nets.relative(found.values, expected) < 1e-12


def test_several_references_are_averaged_as_by_deep_lift_shap() -> None:
    model, images = NETS["dense"]().eval(), nets.uniform(3, 1, 8, 8, seed=1)
    base = nets.uniform(5, 1, 8, 8, seed=2)
    found = DeepLIFT(model, reference=list(base)).interpret(images, 1).values
    assert nets.relative(found, captum.DeepLiftShap(model).attribute(images, base, target=1)) < 1e-12
