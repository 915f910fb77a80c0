"""What a chunk of passes is: its scores, and what a method says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class DrawnPasses:
    """The scores of a chunk of passes.

    Attributes
    ----------
    begin, end
        Half-open range of passes.
    logits
        Shape ``(passes, N, K)``.
    undisturbed
        Scores without dropout and noise, shape ``(N, K)``.
    digests
        Of the numbers drawn in each block, SHA-256; none where the numbers themselves are handed on.
    identity
        What chunks must agree on: digests of weights and images, the key of the random numbers, the block.
    device
        The kind of processor, see :func:`~nn_interpretability.stochastic.sampler.device_of`.
    coverage
        How passes were computed.
    """

    begin: int
    end: int
    logits: Tensor
    undisturbed: Tensor
    digests: tuple[str, ...]
    identity: Mapping[str, Any]
    device: str
    coverage: Mapping[str, int] = field(default_factory=dict)

    @property
    def predicted(self) -> Tensor:
        """The class of the largest score in each pass, shape ``(passes, N)``."""
        return self.logits.argmax(dim=-1)


@dataclass(frozen=True)
class AttributedPasses:
    """What a method says of a chunk of passes.

    Attributes
    ----------
    begin, end
        Half-open range of passes.
    sums
        For each product one float64 sum per block: ``(blocks, N, T, ...)`` with T the explained classes, or ``(blocks,
        N, K, ...)`` by predicted class.
    raw
        Maps of the first passes, ``(passes, N, T, ...)``, as many as were asked for; None for none.
    identity
        That of the drawn passes, and the method, its parameters, the target and the products.
    scores
        Explained score of each pass, as the method has it (a difference, where it has a reference), ``(passes, N, T)``,
        float64.
    base
        Explained score without dropout and noise, ``(N, T)``, float64; 0 where no product needs it.
    fixed
        Whether all passes have the same start signal; False for a function of all passes.
    stacked
        Whether the results keep the axis for classes.
    classes
        The explained class of each image; None where it was not one class.
    device
        The kind of processor.
    coverage
        The method's coverage log.
    """

    begin: int
    end: int
    sums: Mapping[str, Tensor]
    raw: Tensor | None
    identity: Mapping[str, Any]
    scores: Tensor
    base: Tensor
    fixed: bool
    stacked: bool
    classes: Tensor | None
    device: str
    coverage: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
