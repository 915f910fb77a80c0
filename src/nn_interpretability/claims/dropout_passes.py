"""Passes of a network with its dropout on, as several assertions need them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nn_interpretability.claims.context import Context
from nn_interpretability.data.rotations import rotated
from nn_interpretability.stochastic.chunks import DrawnPasses
from nn_interpretability.stochastic.passes import BLOCK, draw_passes
from nn_interpretability.stochastic.sampler import Dropout, Randomness

SEED = 0
"""Of the masks: all assertions, pictures and training seeds see the same ones in pass i."""


def turned(images: Tensor, angles: Sequence[float]) -> Tensor:
    """Pictures at several angles, all of one angle after those of another, ``(angles * n, 1, height, width)``."""
    pictures = rotated(images[:, 0].cpu().numpy(), angles)
    return torch.from_numpy(pictures).flatten(0, 1)[:, None].to(images)


def passes_of(model: nn.Module, images: Tensor, passes: int) -> DrawnPasses:
    """The scores of so many passes of each picture, ``logits`` ``(passes, n, classes)``."""
    return draw_passes(model, images, Randomness(Dropout(SEED)), 0, passes, block=min(BLOCK, passes))


def passes_of_turned(context: Context, name: str, angles: Sequence[float]) -> list[DrawnPasses]:
    """Passes of the test pictures at several angles, for each training seed; drawn once for all assertions of a job."""

    def draw() -> list[DrawnPasses]:
        images = turned(context.test_images()[0], angles)
        return [passes_of(model, images, context.budget.passes) for model in context.networks(name)]

    return context.shared(("passes_of_turned", name, *angles), draw)


def by_angle(values: Tensor, angles: int) -> NDArray[np.float64]:
    """Values of turned pictures, from ``(angles * n,)`` to ``(n, angles)``, float64."""
    return np.asarray(values.double().reshape(angles, -1).T.cpu().numpy())
