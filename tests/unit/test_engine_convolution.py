"""The way back through a convolution with few input channels against torch's own in double precision."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from nn_interpretability.engine import convolution
from nn_interpretability.engine.convolution import convolved

SETTINGS: list[dict[str, Any]] = [
    {},
    {"stride": 2},
    {"padding": 1, "groups": 1},
    {"stride": (2, 1), "padding": (0, 2), "dilation": (1, 2)},
    {"stride": [3, 3], "padding": [1, 1]},
]


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    """Return normal numbers in single precision."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("together", [1, 2**19])
def test_the_same_value_and_gradient(
    settings: dict[str, Any], channels: int, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolution, "_VALUES", together)
    images, weight, bias = drawn(5, channels, 11, 12), drawn(6, channels, 3, 4, seed=1), drawn(6, seed=2)
    leaf = images.clone().requires_grad_(True)
    found = convolved(leaf, weight, bias, settings)
    assert "FewChannels" in found.grad_fn.name()
    assert torch.equal(found, functional.conv2d(images, weight, bias, **settings))
    start = drawn(*found.shape, seed=3).transpose(2, 3).contiguous().transpose(2, 3)
    (gradient,) = torch.autograd.grad(found, leaf, start)
    exact = images.double().requires_grad_(True)
    output = functional.conv2d(exact, weight.double(), bias.double(), **settings)
    (expected,) = torch.autograd.grad(output, exact, start.double())
    torch.testing.assert_close(gradient.double(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("images", "weight", "settings"),
    [
        (drawn(2, 4, 8, 8), drawn(3, 4, 3, 3), {}),
        (drawn(2, 2, 8, 8), drawn(4, 1, 3, 3), {"groups": 2}),
        (drawn(2, 1, 8, 8), drawn(3, 1, 3, 3), {"padding": "same"}),
        (drawn(2, 1, 8, 8).double(), drawn(3, 1, 3, 3).double(), {}),
        (drawn(1, 8, 8), drawn(3, 1, 3, 3), {}),
    ],
    ids=["many channels", "groups", "padding in words", "double precision", "no batch"],
)
def test_everything_else_is_left_to_torch(images: torch.Tensor, weight: torch.Tensor, settings: dict[str, Any]) -> None:
    found = convolved(images.requires_grad_(True), weight, None, settings)
    assert "FewChannels" not in found.grad_fn.name()
    assert torch.equal(found, functional.conv2d(images, weight, None, **settings))
