"""The result of a synthesis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from nn_interpretability.synthesis.loop import REASONS, THRESHOLD


@dataclass(frozen=True)
class Synthesis:
    """Synthesised images, and what the model says of exactly these.

    Attributes
    ----------
    images
        Shape ``(N, C, H, W)``, inside the bounds; all starts of the first target, then all of the second, and so on.
    target
        Class or channel of each image, int64, shape ``(N,)``.
    start
        Number of the start of each image, int64, shape ``(N,)``.
    steps
        Steps taken, int64, shape ``(N,)``.
    reason
        Why each image was left as it is: ``threshold`` (its probability reached it), ``steps`` (there were no more),
        ``diverged`` (the next step had no finite objective).
    objective
        What was maximised, of the images as they are, without priors: shape ``(N,)``, float64.
    total
        The same with priors.
    probability
        Probability of the target class, float64, shape ``(N,)``; None where the targets are not classes.
    codes
        Codes of a generator, shape ``(N, D)``; None for images without one.
    parameters
        Hyper-parameters.
    """

    images: Tensor
    target: Tensor
    start: Tensor
    steps: Tensor
    reason: tuple[str, ...]
    objective: Tensor
    total: Tensor
    probability: Tensor | None
    codes: Tensor | None
    parameters: Mapping[str, Any]

    @property
    def reached(self) -> tuple[bool, ...]:
        """Whether each image has reached the threshold."""
        return tuple(reason == THRESHOLD for reason in self.reason)


def reasons(index: Tensor) -> tuple[str, ...]:
    """The words for what :func:`~nn_interpretability.synthesis.loop.ascend` returns."""
    return tuple(REASONS[each] for each in index.tolist())
