r"""The rulebook of guided backpropagation and of deconvolution: another backward pass at rectifiers only.

With input :math:`z` and upstream signal :math:`G`, the signal below a ReLU is

==================  =================================================
gradient            :math:`G \cdot 1[z > 0]`
deconvolution       :math:`G \cdot 1[G > 0]`
guided              :math:`G \cdot 1[z > 0] \cdot 1[G > 0]`
==================  =================================================

Rectifiers are ReLU and its clipped forms, zero below zero and the identity above it up to a limit: ``relu``, ``relu6``,
``hardtanh`` and ``clamp`` with the lower limit 0, ``threshold`` at 0. For these, :math:`1[z > 0]` reads as the
derivative. The papers define nothing for other activations (leaky ReLU, SiLU, GELU, ...); they keep the plain gradient
and are named as uncovered, unless ``activations="all"`` extends the formulas to them with the derivative :math:`f'(z)`
in the place of :math:`1[z > 0]`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from nn_interpretability.engine.mode import Call, Passed, SurrogateMode, Treated, Treatment, Uncovered
from nn_interpretability.engine.operations import (
    BATCH_NORM,
    HOMOGENEOUS_ACTIVATIONS,
    LINEAR,
    MATRIX_PRODUCTS,
    MAX_POOL,
    PRODUCTS,
    QUOTIENTS,
    SMOOTH_ACTIVATIONS,
    TRANSPARENT,
    bind_linear,
    linear_in_input,
)
from nn_interpretability.engine.surrogate import Surrogate, graft
from nn_interpretability.rules.activation import replaced
from nn_interpretability.rules.affine import BatchNorm

ACTIVATIONS = HOMOGENEOUS_ACTIVATIONS | SMOOTH_ACTIVATIONS | {"clamp_min"}
Backward = Literal["guided", "deconvolution"]


class PositiveOnly(Surrogate):
    """Only the positive part of the signal passes, times a slope where there is one."""

    def __init__(self, slope: Tensor | None) -> None:
        self._slope = slope

    def pull(self, gradient: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
        """The positive part of the signal, times the slope."""
        passed = gradient.clamp(min=0)
        return (passed if self._slope is None else passed * self._slope,)


class Gate(Surrogate):
    """The signal times a mask."""

    def __init__(self, mask: Tensor) -> None:
        self._mask = mask

    def pull(self, gradient: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
        """The masked signal."""
        return (gradient * self._mask,)


@dataclass
class Tap:
    """Watches one layer of the forward pass.

    Attributes
    ----------
    layer
        Dotted module name; a second use of the same layer is ``name#2``.
    keep
        Filters that the signal may pass through on the way back, ``(rows, filters)`` of 0 and 1; None for all.
    output
        After the forward pass: the layer's output, with its graph; None where there is no such layer.
    axis
        After the forward pass: the axis of the output that counts filters.
    seen
        After the forward pass: the names of all layers with weights.
    """

    layer: str
    keep: Tensor | None = None
    output: Tensor | None = None
    axis: int = 1
    seen: Counter[str] = field(default_factory=Counter)

    def names(self) -> list[str]:
        """The names of the layers that were seen."""
        return [name if i == 0 else f"{name}#{i + 1}" for name, count in self.seen.items() for i in range(count)]

    def pass_by(self, name: str, axis: int, result: Tensor) -> Tensor:
        """Look at the result of a layer; the one that is watched is kept, and gated."""
        self.seen[name] += 1
        uses = self.seen[name]
        if self.layer != (name if uses == 1 else f"{name}#{uses}"):
            return result
        self.axis = axis % result.dim()
        self.output = result.clone()  # the model may write into the result
        return result if self.keep is None else graft(result.detach(), Gate(self.along(self.keep)), [result])

    def along(self, filters: Tensor) -> Tensor:
        """Shape one value per row and filter so that it broadcasts against the layer's output."""
        assert self.output is not None
        shape = [1] * self.output.dim()
        shape[0], shape[self.axis] = filters.shape
        return filters.reshape(shape)


class ReLURulebook:
    """Gives rectifiers another backward pass, and leaves everything else alone.

    Parameters
    ----------
    backward
        ``"guided"`` or ``"deconvolution"``.
    activations
        ``"relu"``: rectifiers alone; ``"all"``: every elementwise activation.
    tap
        The layer to watch, or None.
    """

    def __init__(self, backward: Backward, activations: Literal["relu", "all"], tap: Tap | None = None) -> None:
        self._make = _guided if backward == "guided" else _deconvolved
        self._all = activations == "all"
        self._tap = tap

    def treat(self, call: Call, context: SurrogateMode) -> Treatment:
        """The treatment of one call."""
        name = call.name
        if name in ACTIVATIONS:
            covered = self._all or is_rectifier(call)
            return (replaced(call, self._make(call)) if covered else None) or Uncovered(name)
        if name in LINEAR or name in BATCH_NORM:
            return self._layer(call, context)
        if name in PRODUCTS or name in QUOTIENTS or name in MATRIX_PRODUCTS:
            return Passed() if linear_in_input(name, call.args, call.kwargs) else Uncovered(name)
        return Passed() if name in TRANSPARENT or name in MAX_POOL else Uncovered(name)

    def _layer(self, call: Call, context: SurrogateMode) -> Treatment:
        axis = -1 if call.name == "linear" else 1
        if call.name in BATCH_NORM:
            norm = BatchNorm.of(call)
            if norm is None:
                return Uncovered(f"{call.name} with the statistics of the batch, or weights that depend on the input")
            weight = norm.weight
        else:
            bound = bind_linear(call.function, call.args, call.kwargs)
            if bound is None:
                return Uncovered(f"{call.name} without a batch axis, or whose weights depend on the input")
            weight = bound[1]
        if self._tap is None:
            return Passed()
        return Treated(self._tap.pass_by(context.layer_name(call.name, weight), axis, call.run()))


def is_rectifier(call: Call) -> bool:
    """Whether an activation is zero below zero and the identity above, up to a limit."""
    if call.name in ("relu", "relu6"):
        return True
    limits = {
        "hardtanh": (("min_val", -1.0),),
        "clamp": (("min", None),),
        "clip": (("min", None),),
        "clamp_min": (("min", None),),
        "threshold": (("threshold", None), ("value", None)),
    }
    wanted = limits.get(call.name)
    return wanted is not None and all(
        _is_zero(call.args[i] if i < len(call.args) else call.kwargs.get(key, default))
        for i, (key, default) in enumerate(wanted, start=1)
    )


def _is_zero(limit: Any) -> bool:
    if isinstance(limit, Tensor):
        return not limit.requires_grad and bool((limit == 0).all())
    return limit is not None and limit == 0


def _guided(call: Call) -> Callable[[Tensor, Tensor], Surrogate]:
    def surrogate(before: Tensor, _after: Tensor) -> Surrogate:
        with torch.enable_grad():
            local = before.clone().requires_grad_(True)
            # In-place calls may not write into a leaf. Elementwise, so the gradient of the sum is the derivative.
            (slope,) = torch.autograd.grad(call.on(local.clone()).sum(), local)
        if is_rectifier(call):
            slope = slope * (before > 0)  # torch has clamp(min=0) rise at 0 already, and relu only above
        return PositiveOnly(slope)

    return surrogate


def _deconvolved(_call: Call) -> Callable[[Tensor, Tensor], Surrogate]:
    return lambda _before, _after: PositiveOnly(None)
