"""Networks with dropout, and dropout written out, for the tests of stochastic passes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from nets import STUDY_WEIGHTS, Net, net, randomised
from torch import Tensor, nn
from torch.nn import functional

from nn_interpretability.models import build_model
from nn_interpretability.stochastic.noise import uniforms

DROPOUT_WEIGHTS = STUDY_WEIGHTS.with_name("mc_dropout_cnn.pt")


def dropout_cnn(dtype: torch.dtype = torch.float64) -> nn.Module:
    """Return the study's dropout network: with the study's own weights where they are at hand, else random ones."""
    model = build_model("dropout_cnn")
    if DROPOUT_WEIGHTS.is_file():
        model.load_state_dict(torch.load(DROPOUT_WEIGHTS, map_location="cpu", weights_only=True))
        return model.to(dtype)
    return randomised(model, seed=1, dtype=dtype)


def linear_net() -> Net:
    """Return a linear network with a dropout of units inside."""
    return net(
        lambda m, x: m.b(m.drop(m.a(x))),
        a=nn.Linear(6, 8),
        drop=nn.Dropout(0.4),
        b=nn.Linear(8, 3),
    )


def bias_free_net() -> Net:
    """Return a network of ReLUs without biases, for which input x gradient is complete in every pass."""
    return net(
        lambda m, x: m.c(m.two(functional.relu(m.b(m.one(functional.relu(m.a(x))).flatten(1))))),
        a=nn.Conv2d(2, 4, 3, bias=False),
        one=nn.Dropout2d(0.5),
        b=nn.Linear(4 * 16, 12, bias=False),
        two=nn.Dropout(0.3),
        c=nn.Linear(12, 3, bias=False),
    )


def pictures(count: int = 2, seed: int = 5) -> Tensor:
    """Return pictures for the small networks."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 2, 6, 6, generator=generator, dtype=torch.float64)


def mask(seed: int, source: int, number: int, shape: tuple[int, ...], rate: float) -> Tensor:
    """Return the mask of one pass, over 1 - p, from the definition."""
    drawn = uniforms(seed, number, shape, source=source)
    return torch.from_numpy((drawn >= rate).astype(np.float64)) / (1 - rate)


class WrittenOut(nn.Module):
    """The dropout CNN of one pass, its masks written into the forward pass as constants."""

    def __init__(self, model: nn.Module, seed: int, number: int) -> None:
        super().__init__()
        self.features, self.classifier = model.features, model.classifier
        shapes = ((10, 1, 1), (20, 1, 1), (50,))
        self.masks = [mask(seed, source, number, (1, *shape)[1:], 0.5) for source, shape in enumerate(shapes)]

    def forward(self, images: Tensor) -> Tensor:
        one, two, three = (each.to(images) for each in self.masks)
        f, c = self.features, self.classifier
        hidden = f.relu1(f.pool1(f.conv1(images) * one))
        hidden = f.relu2(f.pool2(f.conv2(hidden) * two)).flatten(1)
        return c.fc2(c.relu3(c.fc1(hidden)) * three)


def _around(model: nn.Module, images: Tensor, joined: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Hidden values joined with what dropout makes of them."""
    hidden = model.a(images)
    return joined(hidden, model.drop(hidden))


# Networks in which rows that are born at the dropout do not fit, or give other values.
AWKWARD: dict[str, Callable[[], Net]] = {
    "residual": lambda: net(
        lambda m, x: m.b(functional.relu(_around(m, x, torch.add)).flatten(1)),
        a=nn.Conv2d(2, 3, 3),
        drop=nn.Dropout2d(0.5),
        b=nn.Linear(48, 3),
    ),
    "concatenation": lambda: net(
        lambda m, x: m.b(_around(m, x, lambda h, d: torch.cat([h, d], dim=1)).flatten(1)),
        a=nn.Conv2d(2, 3, 3),
        drop=nn.Dropout2d(0.5),
        b=nn.Linear(96, 3),
    ),
    "view with the batch size read before": lambda: net(
        lambda m, x: m.b(m.drop(functional.relu(m.a(x))).view(x.shape[0], -1)),
        a=nn.Conv2d(2, 3, 3),
        drop=nn.Dropout(0.5),
        b=nn.Linear(48, 3),
    ),
    "mean over a batch read before": lambda: net(
        lambda m, x: m.b(m.drop(functional.relu(m.a(x))).reshape(x.shape[0], -1, 48).mean(dim=1)),
        a=nn.Conv2d(2, 3, 3),
        drop=nn.Dropout(0.5),
        b=nn.Linear(48, 3),
    ),
    "flipped by the batch size read before": lambda: net(
        lambda m, x: m.b(m.drop(m.a(x.flatten(1))).view(x.shape[0], -1).flip(1).reshape(-1, 8)),
        a=nn.Linear(72, 8),
        drop=nn.Dropout(0.5),
        b=nn.Linear(8, 3),
    ),
    "in place, and read again": lambda: net(
        lambda m, x: m.b(_around(m, x, lambda h, d: h).flatten(1)),
        a=nn.Conv2d(2, 3, 3),
        drop=nn.Dropout(0.5, inplace=True),
        b=nn.Linear(48, 3),
    ),
}
