"""Cross entropy of the softmax: the ordinary loss of a classifier."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from nn_interpretability.errors import ConfigError
from nn_interpretability.training.card import evaluation


class CrossEntropy:
    """The logits are scores: their softmax is the network's probabilities."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}

    def prepare(self, model: nn.Module) -> None:
        """Nothing to do."""

    def __call__(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:
        """Mean cross entropy of a batch, whatever the epoch."""
        return F.cross_entropy(logits, labels)

    def evaluation(self, logits: Tensor, labels: Tensor) -> dict[str, Any]:
        """Accuracy and calibration; see :func:`nn_interpretability.training.card.evaluation`."""
        return evaluation(logits, labels)


def build(*, epochs: int, kl_weight: float | None) -> CrossEntropy:  # noqa: ARG001
    """Build the loss; it has no parameters.

    Raises
    ------
    ConfigError
        If it is given a penalty.
    """
    if kl_weight is not None:
        raise ConfigError(f"kl_weight={kl_weight} is for loss='evidential'; cross entropy has no such penalty.")
    return CrossEntropy()
