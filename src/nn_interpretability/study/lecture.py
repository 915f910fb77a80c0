"""The tables of the study's lecture: backward passes of single layers, small enough to be checked with a pencil.

The backward pass of a layer is the explanation of a network of that layer and one linear unit, whose weights are the
signal that arrives from above.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability.methods.base import Method
from nn_interpretability.methods.deconvolution import Deconvolution
from nn_interpretability.methods.gradient import Gradient
from nn_interpretability.methods.guided_backprop import GuidedBackprop

RELU_INPUT = ((1, -1, 5), (2, -5, -7), (-3, 2, 4))
RELU_ABOVE = ((-2, 3, -1), (6, -3, 1), (2, -1, 3))
"""The example of the lecture."""
POOL_INPUT = ((1, 0, 2, 5), (3, -2, 4, 1), (-1, -3, 0, 2), (-2, -4, 6, 1))
POOL_ABOVE = ((2, -1), (3, 4))
CONVOLVED_INPUT = ((1, 2, 0), (0, 1, 3), (2, 0, 1))
KERNEL = ((1, -2), (3, 0))
CONVOLVED_ABOVE = ((1, 2), (-1, 3))


def lecture_matrices() -> Mapping[str, Tensor]:
    """The matrices of all three examples, float64, by name.

    ``relu_*``: input, signal from above, and what the gradient, deconvolution and guided backpropagation pass on.
    ``pool_*``: input, output, signal, gradient. ``convolution_*``: input, kernel, output, signal from above, gradient,
    and for comparison ``flipped``, the kernel turned by half a turn, ``padded``, the signal in a frame of zeros, and
    ``again``, the padded signal convolved with the flipped kernel.
    """
    relu, pool, convolved = (_matrix(rows) for rows in (RELU_INPUT, POOL_INPUT, CONVOLVED_INPUT))
    relu_above, pool_above, above = (_matrix(rows) for rows in (RELU_ABOVE, POOL_ABOVE, CONVOLVED_ABOVE))
    convolution = nn.Conv2d(1, 1, 2, bias=False, dtype=torch.float64)
    kernel = _matrix(KERNEL)
    convolution.weight.data = kernel[None, None]
    flipped, padded = kernel.flip(0, 1), F.pad(above, (1, 1, 1, 1))
    matrices = {
        "relu_input": relu,
        "relu_above": relu_above,
        "relu_gradient": backward(Gradient, nn.ReLU(), relu, relu_above),
        "relu_deconvolution": backward(Deconvolution, nn.ReLU(), relu, relu_above),
        "relu_guided": backward(GuidedBackprop, nn.ReLU(), relu, relu_above),
        "pool_input": pool,
        "pool_output": F.max_pool2d(pool[None], 2)[0],
        "pool_above": pool_above,
        "pool_gradient": backward(Gradient, nn.MaxPool2d(2), pool, pool_above),
        "convolution_input": convolved,
        "convolution_kernel": kernel,
        "convolution_output": F.conv2d(convolved[None, None], kernel[None, None])[0, 0],
        "convolution_above": above,
        "convolution_gradient": backward(Gradient, convolution, convolved, above),
        "convolution_flipped": flipped,
        "convolution_padded": padded,
        "convolution_again": F.conv2d(padded[None, None], flipped[None, None])[0, 0],
    }
    return {name: matrix.detach() for name, matrix in matrices.items()}


def backward(method: type[Method], layer: nn.Module, given: Tensor, above: Tensor) -> Tensor:
    """What a method hands down through one layer.

    Parameters
    ----------
    method
        Takes a model alone.
    layer
        The layer.
    given
        Its input, two dimensions.
    above
        The signal that arrives at its output, two dimensions.
    """
    unit = nn.Linear(above.numel(), 1, bias=False, dtype=given.dtype)
    unit.weight.data = above.reshape(1, -1)
    return method(nn.Sequential(layer, nn.Flatten(), unit)).interpret(given[None, None], 0).values[0, 0]


def _matrix(rows: tuple[tuple[int, ...], ...]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)
