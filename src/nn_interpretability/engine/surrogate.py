"""Grafting: an operation keeps its value and gets another backward pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class Surrogate(ABC):
    """What takes the place of one operation on the way back.

    A surrogate is built during the forward pass and asked during the backward pass, so one that no path from the
    explained output reaches costs nothing.

    Attributes
    ----------
    reads_inputs
        Whether :meth:`pull` looks at its inputs; only then must they stay as they are until the backward pass.
    weighted
        Whether the operation is a layer with weights.
    """

    reads_inputs: ClassVar[bool] = False
    weighted: ClassVar[bool] = False

    @abstractmethod
    def pull(self, gradient: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
        """The gradient for each input, given the one at the output.

        Parameters
        ----------
        gradient
            Gradient at the output, of the output's shape. Output times gradient is the relevance received.
        inputs
            The tensors given to :func:`graft`, unchanged since; none for a surrogate that does not read them.
        """


class _Graft(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, surrogate: Surrogate, value: list[Tensor], *inputs: Tensor) -> Tensor:
        ctx.surrogate = surrogate
        if surrogate.reads_inputs:
            ctx.save_for_backward(*inputs)
        return value[0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        return (None, None, *ctx.surrogate.pull(gradients[0], ctx.saved_tensors))


def graft(value: Tensor, surrogate: Surrogate, inputs: Sequence[Tensor]) -> Tensor:
    """A tensor with this value whose backward pass is the surrogate's.

    Parameters
    ----------
    value
        The true result of the operation. The grafted tensor is a copy, so that a model that writes into it in place
        leaves the surrogate's own values alone.
    surrogate
        The backward pass.
    inputs
        Tensors that receive gradients.
    """
    # The list hides the value from autograd, which would otherwise take a returned argument for a view of it.
    grafted: Tensor = _Graft.apply(surrogate, [value.clone()], *inputs)  # type: ignore[no-untyped-call]
    return grafted


def behind_weights(tensor: Tensor) -> bool:
    """Whether any path from the input to this tensor passes through a grafted layer with weights."""
    stack, visited = [tensor.grad_fn], set[Any]()
    while stack:
        node = stack.pop()
        if node is None or node in visited:
            continue
        surrogate = getattr(node, "surrogate", None)
        if isinstance(surrogate, Surrogate) and surrogate.weighted:
            return True
        visited.add(node)
        stack.extend(parent for parent, _ in node.next_functions)
    return False
