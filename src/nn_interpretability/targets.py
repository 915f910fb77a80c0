"""What is explained: a class, several, a weighting of classes, or any function of the scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from nn_interpretability.errors import ConfigError

ScoreFunction = Callable[[Tensor], Tensor]
Target = None | int | str | Sequence[int] | Tensor | ScoreFunction

_GAUSS_POINTS = 32


@dataclass(frozen=True)
class ResolvedTarget:
    """A target, decided for one batch.

    Attributes
    ----------
    description
        For metadata: ``"predicted"``, ``"class 3"``, ``"classes"``, ``"all"``, ``"weights"`` or ``"function"``.
    starts
        Start signals of the backward passes, shape ``(M, N, K)``; M is 1, or the number of classes for ``"all"``.
    scores
        What each of them explains, shape ``(M, N)``, summed in float64.
    classes
        Class of each image, shape ``(N,)``; None where the target is not one class.
    stacked
        Whether the results keep an axis for targets.
    function
        The function of the scores, where the target is one.
    """

    description: str
    starts: Tensor
    scores: Tensor
    classes: Tensor | None
    stacked: bool
    function: ScoreFunction | None = None

    def evaluate(self, output: Tensor) -> Tensor:
        """What is explained, for other scores of the same images.

        Parameters
        ----------
        output
            Scores of shape ``(..., N, K)``.

        Returns
        -------
        Tensor
            Shape ``(..., M, N)``, float64.
        """
        if self.function is None:
            return torch.einsum("mnk,...nk->...mn", self.starts.double(), output.double())
        batches = output.reshape(-1, *output.shape[-2:])
        values = torch.stack([_evaluate(self.function, batch) for batch in batches])
        return values.double().reshape(*output.shape[:-2], 1, output.shape[-2])

    def at(self, output: Tensor) -> ResolvedTarget:
        """The same target at other scores ``(N, K)`` of the same images.

        Classes and weights stay as they were decided; a function is evaluated, and differentiated, anew.
        """
        if self.function is not None:
            return _function_target(self.function, output, "derivative", None)
        return replace(self, scores=(self.starts.double() * output.double()).sum(dim=2))


def resolve_target(
    target: Target,
    output: Tensor,
    *,
    start: Literal["derivative", "path", "none"] = "derivative",
    origin: Tensor | None = None,
) -> ResolvedTarget:
    r"""Decide a target once, for scores that have been computed.

    Parameters
    ----------
    target
        None for the class of the largest score of each image; a class; one class per image; ``"all"``; weights of
        shape ``(N, K)`` (the score is then their sum of products with the scores), or ``(N, M, K)`` for M such
        scores at once; or a function of the scores
        ``(N, K) -> (N,)``.
    output
        Scores, shape ``(N, K)``.
    start
        For a function only. ``"derivative"`` starts from its derivative. ``"path"`` starts from the mean derivative
        along the straight line from the origin :math:`z^0` (0 if there is none),
        :math:`\int_0^1 \partial t(z^0 + \tau (z - z^0)) / \partial z_k \, d\tau` (Gauss-Legendre, 32 points), for which
        :math:`\sum_k s_k (z_k - z^0_k) = t(z) - t(z^0)`: what a method that conserves relevance needs. ``"none"``,
        where scores alone are asked for, starts from nothing, and the function need not be differentiable.
    origin
        Scores of a reference, of the shape of ``output``, from which what is explained is measured: a class has the
        score :math:`z_c - z^0_c`. Classes are chosen by ``output`` alone. None for methods without a reference.

    Raises
    ------
    ConfigError
        If the target does not fit the scores.
    """
    if callable(target):
        return _function_target(target, output, start, origin)
    change = output.double() if origin is None else output.double() - origin.double()
    if isinstance(target, str):
        return _all_classes(target, output, change)
    if target is None:
        return _class_target(output.argmax(dim=1), output, change, "predicted")
    values = _as_tensor(target).to(output.device)
    if values.is_floating_point():
        return _weight_target(values, output, change)
    description = f"class {int(values)}" if values.dim() == 0 else "classes"
    return _class_target(values, output, change, description)


def less_the_mean(resolved: ResolvedTarget, change: Tensor) -> ResolvedTarget:
    r"""The same target with the mean over all classes taken off: :math:`e_c - 1/K` in place of :math:`e_c`.

    Parameters
    ----------
    resolved
        A target that is linear in the scores.
    change
        Scores, less those of the origin if there is one, shape ``(N, K)``.

    Raises
    ------
    ConfigError
        If the target is a function.
    """
    if resolved.description == "function":
        raise ConfigError("mean_subtraction=True is for targets that are classes or weights, not for a function.")
    starts = resolved.starts - resolved.starts.mean(dim=2, keepdim=True)
    shares = resolved.starts.double().sum(dim=2)
    return replace(resolved, starts=starts, scores=resolved.scores - shares * change.double().mean(dim=1))


def for_images(target: Target, samples: int) -> Target:
    """The target with one entry per image as a tensor, so that it can be cut into batches; others as they are.

    Raises
    ------
    ConfigError
        If there are more or fewer entries than images.
    """
    if target is None or isinstance(target, str) or callable(target):
        return target
    values = _as_tensor(target)
    if values.dim() > 0 and len(values) != samples:
        raise ConfigError(f"The target has {len(values)} entries for {samples} images; give one per image.")
    return values


def _as_tensor(target: int | Sequence[int] | Tensor) -> Tensor:
    allowed = isinstance(target, int | Sequence | Tensor | np.ndarray | np.integer) and not isinstance(target, bool)
    try:
        values = torch.as_tensor(target) if allowed else None
    except (TypeError, ValueError, RuntimeError):
        values = None
    if values is None:
        raise ConfigError(
            f"target={target!r} is not allowed: give None (the predicted class), a class, one class per image, 'all', "
            "weights of shape (images, classes), or a function of the scores."
        )
    return values


def _class_target(classes: Tensor, output: Tensor, change: Tensor, description: str) -> ResolvedTarget:
    samples, count = output.shape
    if classes.dtype == torch.bool or classes.is_complex() or classes.dim() > 1:
        raise ConfigError(
            f"A target of shape {tuple(classes.shape)} and type {classes.dtype} is not one class per image: give an "
            "integer, or one integer per image."
        )
    for_images(classes, samples)
    outside = (classes < 0) | (classes >= count)
    if bool(outside.any()):
        worst = classes.reshape(-1)[outside.reshape(-1)][0].item()
        raise ConfigError(f"target={worst} is not a class of this model: its classes are 0 to {count - 1}.")
    classes = classes.to(torch.int64).expand(samples)
    start = torch.zeros_like(output).scatter_(1, classes[:, None], 1.0)
    scores = change.gather(1, classes[:, None])[:, 0]
    return ResolvedTarget(description, start[None], scores[None], classes.clone(), stacked=False)


def _all_classes(target: str, output: Tensor, change: Tensor) -> ResolvedTarget:
    if target != "all":
        raise ConfigError(f"target={target!r} is not allowed: the only word is 'all', for all classes at once.")
    count = output.shape[1]
    starts = torch.eye(count, dtype=output.dtype, device=output.device)[:, None, :].expand(-1, len(output), -1)
    return ResolvedTarget("all", starts, change.T, None, stacked=True)


def _weight_target(weights: Tensor, output: Tensor, change: Tensor) -> ResolvedTarget:
    several = weights.dim() == 3
    if (weights[:, 0] if several and weights.shape[1] else weights).shape != output.shape:
        raise ConfigError(
            f"The target weights have shape {tuple(weights.shape)}, the scores {tuple(output.shape)}: they must agree. "
            "(Classes are given as integers.)"
        )
    if not bool(torch.isfinite(weights).all()):
        raise ConfigError("The target weights contain NaN or infinite values.")
    starts = weights.to(output).movedim(1, 0) if several else weights.to(output)[None]
    scores = (starts.double() * change).sum(dim=2)
    return ResolvedTarget("weights", starts, scores, None, stacked=several)


def _function_target(function: ScoreFunction, output: Tensor, start: str, origin: Tensor | None) -> ResolvedTarget:
    scores = _evaluate(function, output).double()
    if start != "path":
        base = 0.0 if origin is None else _evaluate(function, origin).double()
        slope = _slope(function, output) if start == "derivative" else torch.zeros_like(output)
        return ResolvedTarget("function", slope[None], (scores - base)[None], None, False, function)
    begin = torch.zeros_like(output) if origin is None else origin
    nodes, weights = np.polynomial.legendre.leggauss(_GAUSS_POINTS)
    mean = torch.zeros_like(output, dtype=torch.float64)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        mean += weight * _slope(function, begin + float(node) * (output - begin)).double()
    change = scores - _evaluate(function, begin).double()
    return ResolvedTarget("function", mean.to(output.dtype)[None], change[None], None, False, function)


def _slope(function: ScoreFunction, output: Tensor) -> Tensor:
    with torch.enable_grad():
        scores = output.detach().requires_grad_(True)
        values = function(scores)
        if not values.requires_grad:
            raise ConfigError("The target function does not depend on the scores in a differentiable way.")
        (slope,) = torch.autograd.grad(values.sum(), scores)
    return slope


def _evaluate(function: ScoreFunction, output: Tensor) -> Tensor:
    with torch.no_grad():
        values = function(output)
    if not isinstance(values, Tensor) or values.shape != output.shape[:1]:
        found = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise ConfigError(
            f"The target function returned {found}; it must return one value per image, ({len(output)},)."
        )
    return values
