"""What training makes small, by the name that a configuration uses, one file each.

A loss is one module of this folder with a function ``build(epochs=, kl_weight=)``; its file name is its name.  There is
no table to keep, so that a change of one loss is no reason to train the networks of another again.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nn_interpretability.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor, nn

DEFAULT = "cross_entropy"


class Loss(Protocol):
    """A loss, and how a network that was trained with it is to be read."""

    settings: dict[str, Any]
    """Its parameters, for the card."""

    def prepare(self, model: nn.Module) -> None:
        """What the first weights must have for this loss."""

    def __call__(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:
        """Mean loss of a batch in an epoch, counted from 0."""

    def evaluation(self, logits: Tensor, labels: Tensor) -> dict[str, Any]:
        """How good the network is on one part of the data."""


def losses() -> tuple[str, ...]:
    """Names of all losses, sorted; imports no torch."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__"))


def loss_module(loss: str) -> str:
    """Full name of the module that defines a loss, for a digest of the code; imports no torch.

    Raises
    ------
    ConfigError
        If there is no such loss.
    """
    if loss not in losses():
        raise ConfigError(f"There is no loss {loss!r}. The losses are: {', '.join(losses())}.")
    return f"nn_interpretability.training.losses.{loss}"


def build_loss(loss: str, *, epochs: int, kl_weight: float | None) -> Loss:
    """Build a loss.

    Parameters
    ----------
    loss
        Its name, such as ``cross_entropy``.
    epochs
        Length of the training.
    kl_weight
        Weight of the penalty of the evidential loss; None for its default, and for losses without one.

    Raises
    ------
    ConfigError
        If there is no such loss, or the parameter is not allowed.
    """
    built: Loss = importlib.import_module(loss_module(loss)).build(epochs=epochs, kl_weight=kl_weight)
    return built
