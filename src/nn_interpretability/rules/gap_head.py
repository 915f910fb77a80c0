"""Finds, while a model runs, whether it ends in global average pooling and a linear layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nn_interpretability.engine.mode import Call, SurrogateMode, Treated, Treatment
from nn_interpretability.engine.operations import (
    PRODUCTS,
    QUOTIENTS,
    bind_linear,
    depends_on_input,
    first_input,
    linear_in_input,
    tensors_in,
)

_POOLS = frozenset(("mean", "avg_pool2d", "adaptive_avg_pool2d"))
_RESHAPES = frozenset(
    (
        "flatten",
        "view",
        "reshape",
        "squeeze",
        "contiguous",
        "clone",
        "dropout",
        "dropout2d",
        "feature_dropout",
        "getitem",
    )
)
_TOLERANCE = 1e-4
_ROUNDING = 4  # units in the last place: more than the tolerance in half precision


@dataclass(frozen=True)
class GapHead:
    """The end of a model.

    Attributes
    ----------
    features
        The feature maps that are pooled, ``(N, C, h, w)``.
    weight
        ``(K, C)``; None where the pool is the end.
    factor
        Constants that the means are multiplied by in front of the weights, such as the mask of a dropout, ``(N, C)``;
        None for none.
    """

    features: Tensor
    weight: Tensor | None = None
    factor: Tensor | None = None


class GapHeadFinder:
    """A rulebook that changes nothing and follows what is pooled over all places."""

    def __init__(self) -> None:
        self._followed: dict[int, tuple[Tensor, GapHead]] = {}  # holding the tensor keeps its identity stable

    def treat(self, call: Call, context: SurrogateMode) -> Treatment:
        """Run the call as it is, and see whether it is part of the end of the model."""
        depending = depends_on_input(tensors_in((call.args, call.kwargs)))
        before = depending[0] if len(depending) == 1 else first_input(call.args, call.kwargs)
        result = call.run()
        head = None if before is None or not isinstance(result, Tensor) else self._head(call, before, result)
        if head is not None:
            self._followed[id(result)] = (result, head)
        return Treated(result)

    def head_of(self, output: Any) -> GapHead | None:
        """The head whose result this is."""
        found = self._followed.get(id(output))
        return None if found is None else found[1]

    def _head(self, call: Call, before: Tensor, result: Tensor) -> GapHead | None:
        if call.name in _POOLS and before.dim() == 4:
            return _pooled(before, result)
        known = self.head_of(before)
        if known is None:
            return None
        if call.name in _RESHAPES and result.numel() == before.numel() and len(result) == len(before):
            return known
        if call.name in PRODUCTS | QUOTIENTS and known.weight is None and result.shape == before.shape:
            return _scaled(call, known, before)
        if call.name == "linear" and known.weight is None and before.dim() == 2:
            bound = bind_linear(call.function, call.args, call.kwargs)
            return None if bound is None else replace(known, weight=bound[1].detach())
        return None


def _scaled(call: Call, head: GapHead, before: Tensor) -> GapHead | None:
    """A product with constants, or a quotient; None for one of two things that depend on the input."""
    if not linear_in_input(call.name, call.args, call.kwargs):
        return None
    ones = torch.ones_like(before)
    args = [ones if arg is before else arg for arg in call.args]
    kwargs = {name: ones if arg is before else arg for name, arg in call.kwargs.items()}
    factor = call.function(*args, **kwargs).reshape(len(before), -1)
    return replace(head, factor=factor if head.factor is None else head.factor * factor)


def _pooled(before: Tensor, result: Tensor) -> GapHead | None:
    """A pool over all places, whatever its arguments: recognised by its values."""
    if result.numel() != before.shape[0] * before.shape[1] or len(result) != len(before):
        return None
    features = before.detach().clone()
    mean = features.mean(dim=(2, 3))
    size = features.abs().mean(dim=(2, 3))
    tolerance = max(_TOLERANCE, _ROUNDING * torch.finfo(mean.dtype).eps)
    same = (result.detach().reshape_as(mean) - mean).abs() <= tolerance * size
    return GapHead(features) if bool(torch.all(same)) else None
