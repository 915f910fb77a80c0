r"""How uncertain the passes are together: functions of the scores of all passes, shape ``(P, N, K)``, for each image.

With :math:`p_i = \mathrm{softmax}(z_i)` and :math:`\bar p = \frac1P \sum_i p_i`:

==================================  ==================================================================
:func:`predictive_entropy`          :math:`H[\bar p]`
:func:`expected_entropy`            :math:`\frac1P \sum_i H[p_i]`
:func:`mutual_information`          their difference, >= 0 (BALD, Houlsby et al. 2011)
:func:`evidential_uncertainty`      :math:`\frac1P \sum_i K / (K + \sum_k \max(0, z_{ik}))` (Sensoy et al. 2018)
==================================  ==================================================================

In nats. They are differentiable, and can be targets of :class:`~nn_interpretability.stochastic.mc_dropout.MCDropout`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from nn_interpretability.errors import ConfigError

PassFunction = Callable[[Tensor], Tensor]

_GAUSS_POINTS = 32
_PIECES = (1, 8, 64)  # more where a function has kinks
_ENOUGH = 1e-7  # relative gap of the integral at which no more pieces are tried


def predictive_entropy(scores: Tensor) -> Tensor:
    """Entropy of the mean probabilities, shape ``(N,)``."""
    mean = scores.log_softmax(dim=-1).logsumexp(dim=0) - math.log(len(scores))
    return _entropy(mean)


def expected_entropy(scores: Tensor) -> Tensor:
    """Mean entropy of the probabilities, shape ``(N,)``."""
    return _entropy(scores.log_softmax(dim=-1)).mean(dim=0)


def mutual_information(scores: Tensor) -> Tensor:
    """What the passes disagree on, shape ``(N,)``."""
    return predictive_entropy(scores) - expected_entropy(scores)


def evidential_uncertainty(scores: Tensor) -> Tensor:
    """Mean share of the evidence that is missing, in (0, 1], for nets trained with the evidential loss; ``(N,)``."""
    classes = scores.shape[-1]
    return (classes / (classes + scores.clamp(min=0).sum(dim=-1))).mean(dim=0)


def _entropy(logarithms: Tensor) -> Tensor:
    """From logarithms, which stay finite, and differentiable, where a probability is zero."""
    return -(logarithms.exp() * logarithms).sum(dim=-1)


def pass_weights(function: PassFunction, scores: Tensor, origin: Tensor | None = None) -> tuple[Tensor, Tensor]:
    r"""Start signals that explain a function of all passes completely.

    .. math:: s_{ik} = P \int_0^1 \frac{\partial t(z^0 + \tau (z - z^0))}{\partial z_{ik}} \, d\tau, \qquad
              \frac1P \sum_{ik} s_{ik} (z_{ik} - z^0_{ik}) = t(z) - t(z^0),

    along the straight line from the origin to the scores of all passes at once, so the mean over passes of the maps
    that start from them is a map of the function. Gauss-Legendre with 32 points, exact to rounding for the entropies;
    in up to 64 pieces for functions with kinks, such as the evidential uncertainty, where about 1e-4 of the change may
    be left.

    Parameters
    ----------
    function
        ``(P, N, K) -> (N,)``, differentiable.
    scores
        Scores of all passes, shape ``(P, N, K)``.
    origin
        Scores that the method measures from, of the same shape; None for 0.

    Returns
    -------
    Tensor, Tensor
        Start signals ``(P, N, K)``, float64, and what they explain, ``(N,)``.

    Raises
    ------
    ConfigError
        If the function does not return one value per image, or is not differentiable.
    """
    scores = scores.double()
    begin = torch.zeros_like(scores) if origin is None else origin.double()
    with torch.no_grad():
        explained = _checked(function, scores) - _checked(function, begin)
    for pieces in _PIECES:
        mean = _mean_slope(function, begin, scores, pieces)
        gap = (mean * (scores - begin)).sum(dim=(0, 2)) - explained
        if bool((gap.abs() <= _ENOUGH * explained.abs()).all()):
            break
    return mean * len(scores), explained


def _mean_slope(function: PassFunction, begin: Tensor, end: Tensor, pieces: int) -> Tensor:
    """The mean derivative along a line, in so many pieces."""
    nodes, weights = np.polynomial.legendre.leggauss(_GAUSS_POINTS)
    mean = torch.zeros_like(end)
    for piece in range(pieces):
        for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            with torch.enable_grad():
                point = torch.lerp(begin, end, (piece + float(node)) / pieces).detach().requires_grad_(True)
                (slope,) = torch.autograd.grad(_checked(function, point).sum(), point)
            mean += float(weight) / pieces * slope
    return mean


def _checked(function: PassFunction, scores: Tensor) -> Tensor:
    values = function(scores)
    if not isinstance(values, Tensor) or values.shape != scores.shape[1:2]:
        found = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise ConfigError(
            f"The target function returned {found} for scores of shape (passes, images, classes) = "
            f"{tuple(scores.shape)}; it must return one value per image, ({scores.shape[1]},)."
        )
    if scores.requires_grad and not values.requires_grad:
        raise ConfigError("The target function does not depend on the scores in a differentiable way.")
    return values
