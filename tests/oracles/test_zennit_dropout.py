"""LRP through active dropout against zennit with its ``Pass`` rule for dropout, pass by pass, with the same masks."""

from __future__ import annotations

import copy

import torch
from nets import digits, relative
from passes import dropout_cnn, mask
from torch import Tensor, nn

from nn_interpretability import LRP, MCDropout

# isort: split
import zennit.rules
from zennit.attribution import Gradient
from zennit.core import Composite

PASSES, SEED, EPSILON = 6, 3, 1e-3


class FixedDropout(nn.Dropout):
    """A dropout whose mask is given."""

    def __init__(self, factor: Tensor) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, values: Tensor) -> Tensor:
        return values * self.factor


def with_masks(model: nn.Module, number: int) -> nn.Module:
    """Return the dropout CNN with the masks of one pass."""
    fixed = copy.deepcopy(model).eval()
    shapes = {"dropout1": (10, 1, 1), "dropout2": (20, 1, 1), "dropout3": (50,)}
    for source, (name, shape) in enumerate(shapes.items()):
        part = fixed.features if name in fixed.features._modules else fixed.classifier
        part._modules[name] = FixedDropout(mask(SEED, source, number, shape, 0.5))
    return fixed


def test_relevance_through_active_dropout() -> None:
    model, images = dropout_cnn(), digits(3)
    found = MCDropout(LRP(model, rule="epsilon", epsilon=EPSILON), passes=PASSES, block=4, seed=SEED, keep_raw=PASSES)
    maps = found.interpret(images, "all")

    def rules(_: object, __: str, module: nn.Module) -> zennit.rules.Hook | None:
        if isinstance(module, nn.Conv2d | nn.Linear):
            return zennit.rules.Epsilon(epsilon=EPSILON)
        return zennit.rules.Pass() if isinstance(module, nn.ReLU | nn.Dropout) else None

    theirs = torch.zeros_like(maps.raw)  # type: ignore[arg-type]
    for number in range(PASSES):
        fixed = with_masks(model, number)
        for k in range(10):
            start = torch.eye(10, dtype=torch.float64)[[k] * len(images)]
            with Gradient(fixed, Composite(module_map=rules), attr_output=lambda out, s=start: out * s) as attributor:
                theirs[number, :, k] = attributor(images.clone())[1].detach()
    assert relative(maps.raw, theirs) < 1e-12  # type: ignore[arg-type]
    summed = MCDropout(LRP(model, rule="epsilon", epsilon=EPSILON), passes=PASSES, block=4, seed=SEED)
    assert relative(summed.interpret(images, "all").mean, theirs.mean(dim=0)) < 1e-12
