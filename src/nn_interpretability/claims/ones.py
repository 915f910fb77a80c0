"""Pictures of a 1, as several assertions turn them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nn_interpretability.claims import strokes
from nn_interpretability.claims.context import Context
from nn_interpretability.data.probes import first_rows

ONE, EIGHT = 1, 8
_SHARE = 3


def ones_for_passes(context: Context) -> Tensor:
    """Test pictures of a 1, a third as many as the budget has pictures: each is turned, and seen in many passes."""
    return context.test_images_of(ONE, max(2, context.budget.images // _SHARE))


def turned_from_upright(images: Tensor, angles: Sequence[float]) -> Tensor:
    """Pictures upright by the principal axis of their ink, and turned from there, ``(angles * n, 1, height, width)``.

    All pictures of one angle stand after those of another.
    """
    pictures = strokes.turned_from_upright(images[:, 0].double().cpu().numpy(), angles)
    return torch.from_numpy(pictures).flatten(0, 1)[:, None].to(images)


def first_one(context: Context) -> Tensor:
    """The first training picture of a 1, which is the digit that the study turns; ``(1, 1, 28, 28)``."""
    digits = context.digits
    row = first_rows(digits.train_labels, digits.train_source_index)[ONE]
    return torch.from_numpy(digits.train_images[row])[None, None].float().to(context.device) / 255
