"""Integrals of the gradient along straight lines from references to images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nn_interpretability.engine.forward import Forward
from nn_interpretability.methods.base import rows_per_image
from nn_interpretability.targets import ResolvedTarget


def path_integral(
    model: nn.Module,
    images: Tensor,
    resolved: ResolvedTarget,
    *,
    reference_at: Callable[[int], Tensor],
    nodes: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    multiply: bool,
    chunk: int | None,
) -> Tensor:
    r"""Sum over points of weight times gradient at :math:`x'_k + t_k (x - x'_k)`, times :math:`x - x'_k` if asked.

    The target is the one that was decided at the images.

    Parameters
    ----------
    reference_at
        The reference of point k, of the shape of the images.
    nodes, weights
        Of each point: its place on the line, 0 at the reference and 1 at the image, and its weight.
    multiply
        Whether to multiply gradients by image minus reference.
    chunk
        Rows (points times images) in one forward pass, or None.

    Returns
    -------
    Tensor
        Shape ``(M, N, ...)``, summed in float64.
    """
    total = torch.zeros(len(resolved.starts), *images.shape, dtype=torch.float64, device=images.device)
    size = rows_per_image(images, chunk)
    for first in range(0, len(nodes), size):
        points = range(first, min(first + size, len(nodes)))
        references = torch.stack([reference_at(k) for k in points])
        along = [len(points), *([1] * images.dim())]
        place = torch.as_tensor(nodes[points], dtype=images.dtype, device=images.device).reshape(along)
        weight = torch.as_tensor(weights[points], device=images.device).reshape(along)
        rows = torch.lerp(references, images.expand_as(references), place)
        factor = weight * (images - references).double() if multiply else weight
        forward = Forward(model, rows.flatten(0, 1))
        starts = _starts(resolved, forward.output, len(points))
        for target, start in enumerate(starts):
            (gradient,) = forward.pull(start, last=target == len(starts) - 1)
            total[target] += (gradient.double().unflatten(0, (len(points), len(images))) * factor).sum(dim=0)
    return total


def scores_at(model: nn.Module, images: Tensor, chunk: int | None) -> Tensor:
    """The scores ``(N, K)`` of a model, ``chunk`` rows at a time."""
    size = len(images) if chunk is None else chunk
    return torch.cat([Forward(model, part).output for part in images.split(size)])


def _starts(resolved: ResolvedTarget, output: Tensor, points: int) -> Tensor:
    """Start signals at rows that are points times images."""
    if resolved.function is None:
        return resolved.starts.repeat(1, points, 1)
    return torch.cat([resolved.at(scores).starts for scores in output.chunk(points)], dim=1)
