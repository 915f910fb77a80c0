"""Max-pooling with the channels last has the same values and, among equals, the same winners."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from nn_interpretability.engine.mode import Call
from nn_interpretability.rules.winners import kept, with_winners
from nn_interpretability.stochastic.pooling import QuickPooling

SETTINGS: list[dict[str, Any]] = [
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 3, "stride": 1, "dilation": 2},
    {"kernel_size": (3, 2), "stride": (2, 3), "ceil_mode": True},
]


def values(dtype: torch.dtype) -> torch.Tensor:
    """Return values with many ties and zeros of both signs."""
    drawn = torch.randint(-2, 3, (3, 5, 11, 12), generator=torch.Generator().manual_seed(0))
    return drawn.to(dtype) * 0.5


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_same_bits(settings: dict[str, Any], dtype: torch.dtype) -> None:
    images = values(dtype)
    expected = functional.max_pool2d(images, **settings)
    with QuickPooling():
        found = functional.max_pool2d(images, **settings)
    assert torch.equal(found, expected)
    assert torch.equal(torch.signbit(found), torch.signbit(expected))
    assert found.is_contiguous()


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_same_winners(settings: dict[str, Any]) -> None:
    images = values(torch.float32)
    found, winners = with_winners(Call("max_pool2d", functional.max_pool2d, (images,), settings), kept(images))
    expected, theirs = functional.max_pool2d(images, **settings, return_indices=True)
    assert torch.equal(found, expected)
    assert torch.equal(winners, theirs)


def test_other_values_are_left_alone() -> None:
    lines = torch.rand(2, 3, 8)
    with QuickPooling():
        assert torch.equal(functional.max_pool1d(lines, 2), lines.unflatten(2, (4, 2)).amax(dim=3))
        both = functional.max_pool2d(values(torch.float32), 2, return_indices=True)
    assert torch.equal(both[1], functional.max_pool2d(values(torch.float32), 2, return_indices=True)[1])
