"""Batch normalisation with fixed statistics: part of the linear layer in front of it, or a layer of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nn_interpretability.engine.mode import Call
from nn_interpretability.engine.operations import LinearOperation, depends_on_input
from nn_interpretability.engine.surrogate import Surrogate
from nn_interpretability.engine.trace import TraceRecorder

_FUNCTIONAL = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
_NATIVE = ("input", "weight", "bias", "running_mean", "running_var", "training", "momentum", "eps", "cudnn_enabled")


@dataclass(frozen=True)
class BatchNorm:
    r"""Batch normalisation with running statistics, :math:`y = s\,z + t` per channel."""

    input: Tensor
    scale: Tensor
    shift: Tensor
    weight: Tensor | None

    @classmethod
    def of(cls, call: Call) -> BatchNorm | None:
        """Read a call of ``batch_norm``; None where its scale and shift are not constants."""
        order = _NATIVE if call.function is torch.batch_norm else _FUNCTIONAL
        given = {**dict(zip(order, call.args, strict=False)), **call.kwargs}
        mean, variance = given.get("running_mean"), given.get("running_var")
        if given.get("training", False) or mean is None or variance is None:
            return None
        if depends_on_input(t for t in (mean, variance, given.get("weight"), given.get("bias")) if t is not None):
            return None
        scale = (variance + given.get("eps", 1e-5)).rsqrt()
        if given.get("weight") is not None:
            scale = scale * given["weight"].detach()
        shift = -mean * scale
        if given.get("bias") is not None:
            shift = shift + given["bias"].detach()
        return cls(given["input"], scale, shift, given.get("weight"))

    def folded_into(self, operation: LinearOperation) -> LinearOperation | None:
        """The linear operation with this normalisation behind it, as one.

        None for grouped transposed convolutions, and for linear layers along another axis than the normalised one.
        """
        if operation.kind == "linear" and operation.input.dim() != 2:
            return None
        axis = 1 if operation.kind.startswith("conv_transpose") else 0
        if operation.weight.shape[axis] != len(self.scale):
            return None
        shape = [1] * operation.weight.dim()
        shape[axis] = -1
        bias = self.shift if operation.bias is None else operation.bias * self.scale + self.shift
        return replace(operation, weight=operation.weight * self.scale.reshape(shape), bias=bias)


class Affine(Surrogate):
    """The plain gradient of an affine operation, with an account of what its shift absorbs."""

    def __init__(self, local_input: Tensor, local_output: Tensor, recorder: TraceRecorder, row: int) -> None:
        self._input, self._output = local_input, local_output
        self._value = local_output.detach().clone()
        self._recorder, self._row = recorder, row

    def pull(self, gradient: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
        """The gradient as it is."""
        (pulled,) = torch.autograd.grad(self._output, self._input, gradient, retain_graph=True)
        received = self._value.double() * gradient.double()
        sent = self._input.double() * pulled.double()
        self._recorder.record(self._row, "affine", received=received, sent=sent, bias=received)
        self._recorder.record(self._row, "affine", bias=-sent)
        return (pulled,)
