"""The way back through a convolution of pictures, where torch is slow: few input channels in single precision."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

_CHANNELS = 3  # up to so many, torch's own way back took 1.5 to 8 times as long as a matrix product
_VALUES = 2**19  # of the product at a time; more fall out of the cache


def convolved(values: Tensor, weight: Tensor, bias: Tensor | None, options: dict[str, Any]) -> Tensor:
    """A convolution of pictures, the same bits as torch's, with a faster way back to its input where there is one.

    The way back is a matrix product for all offsets of the window at once, which are then added up where they belong.

    Parameters
    ----------
    values, weight, bias
        Shapes ``(N, C, H, W)``, ``(K, C, h, w)`` and ``(K,)``; gradients are for ``values`` alone.
    options
        ``stride``, ``padding``, ``dilation``, ``groups``, as for :func:`torch.nn.functional.conv2d`.
    """
    few = values.dim() == 4 and values.shape[1] <= _CHANNELS and options.get("groups", 1) == 1
    ordinary = values.device.type == "cpu" and values.dtype == weight.dtype == torch.float32
    if not (few and ordinary and values.requires_grad) or isinstance(options.get("padding"), str):
        return functional.conv2d(values, weight, bias, **options)
    result: Tensor = _FewChannels.apply(values, weight, bias, options)  # type: ignore[no-untyped-call]
    return result


class _FewChannels(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor | None, options: dict[str, Any]) -> Tensor:
        ctx.weight, ctx.size, ctx.options = weight, values.shape[2:], options
        return functional.conv2d(values, weight, bias, **options)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        windows = {name: value for name, value in ctx.options.items() if name != "groups"}
        matrix, gradient = ctx.weight.flatten(1).t(), gradients[0].flatten(2)
        rows = max(1, _VALUES // (matrix.shape[0] * gradient.shape[2]))
        parts = [
            functional.fold(matrix @ part, ctx.size, ctx.weight.shape[2:], **windows) for part in gradient.split(rows)
        ]
        return torch.cat(parts), None, None, None
