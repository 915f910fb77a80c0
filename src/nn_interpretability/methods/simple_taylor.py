"""Simple Taylor decomposition."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from nn_interpretability.attribution import Attribution
from nn_interpretability.engine.forward import Forward, check_scores
from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.base import Method
from nn_interpretability.targets import ResolvedTarget, Target

_GROWTH = 2**0.5
_MARCH = 22  # from 1/8 of Newton's step to 180 times it
_REFINE = 60


class SimpleTaylor(Method):
    r"""A first-order Taylor expansion of the score around a root point.

    .. math:: R_i = \frac{\partial S_c}{\partial x_i}\Big|_{\tilde x}\,(x_i - \tilde x_i),
              \qquad S_c(\tilde x) = 0

    The values sum to the score where the net is linear between :math:`\tilde x` and :math:`x`; the completeness error
    says how far it is from that. ``details`` hold ``root``, the point :math:`\tilde x`, and ``residual``, the score
    that is left there, float64, in units of the score.

    Parameters
    ----------
    model
        The classifier.
    root
        ``"zero"``: the limit :math:`\tilde x = t x` for :math:`t \to 0` on the linear piece of :math:`x`, so the map is
        input times gradient. A net of ReLUs without biases has its root there, and the map sums to the score; biases
        leave ``residual``, the score of black, and what they add on the way. ``"nearest"``: the first root on the line
        from :math:`x` along the gradient, downhill for a positive score; it may lie outside the range of pixels. Where
        the line has no root, the point with the smallest score is taken, and a warning says so.

    Raises
    ------
    ConfigError
        If the root is neither.

    References
    ----------
    Bach et al. 2015, On pixel-wise explanations for non-linear classifier decisions ("Taylor-type decomposition").
    Montavon, Samek and Mueller 2018, Methods for interpreting and understanding deep neural networks, section 4.
    """

    name: ClassVar[str] = "simple_taylor"
    conserving = True

    def __init__(self, model: nn.Module, *, root: Literal["zero", "nearest"] = "zero") -> None:
        super().__init__(model)
        if root not in ("zero", "nearest"):
            raise ConfigError(f"root={root!r} is not allowed: choose 'zero' or 'nearest'.")
        self._root = root

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {"root": self._root}

    def explain(self, images: Tensor, target: Target, chunk: int | None) -> Attribution:
        """Explain one batch; see :meth:`~nn_interpretability.methods.base.Method.explain`."""
        forward = self._forward(images)
        resolved = self._resolve(target, forward.output)
        last = len(resolved.starts) - 1
        gradients = [forward.pull(start, last=i == last)[0] for i, start in enumerate(resolved.starts)]
        found = [self._expansion(images.detach(), resolved, i, gradient) for i, gradient in enumerate(gradients)]
        maps, roots, residuals = (torch.stack(parts) for parts in zip(*found, strict=True))
        details = {"root": roots, "residual": residuals}
        kept = {name: part.movedim(0, 1) if resolved.stacked else part[0] for name, part in details.items()}
        return self._result(forward, resolved, maps, details=kept)

    def _expansion(
        self, images: Tensor, resolved: ResolvedTarget, index: int, gradient: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The map of one target, its root and its residual."""

        def score(points: Tensor) -> Tensor:
            with torch.no_grad():
                return resolved.evaluate(check_scores(self.model(points.clone()), points))[index]

        if self._root == "zero":
            root = torch.zeros_like(images)
        else:
            root = _nearest_root(images, gradient, resolved.scores[index], score)
            again = Forward(self.model, root)
            (gradient,) = again.pull(resolved.at(again.output).starts[index], last=True)
        return (gradient * (images - root)).detach(), root, score(root)


@dataclass
class _Line:
    """The absolute score along a line, positive at its beginning; everything of one value per image, float64."""

    images: Tensor
    direction: Tensor
    sign: Tensor
    score: Callable[[Tensor], Tensor]
    whole: Tensor = field(init=False)
    best: Tensor = field(init=False)
    least: Tensor = field(init=False)

    def point(self, step: Tensor) -> Tensor:
        shape = [-1] + [1] * (self.images.dim() - 1)
        return self.images - (step * self.sign).to(self.images.dtype).reshape(shape) * self.direction

    def start(self, score: Tensor) -> Tensor:
        self.best, self.least, self.whole = torch.zeros_like(score), score.abs(), score.abs()
        return self.whole

    def value(self, step: Tensor) -> Tensor:
        """Positive before the first root; the best step so far is kept."""
        value = self.sign * self.score(self.point(step))
        nearer = value.abs() < self.least
        self.best = torch.where(nearer, step, self.best)
        self.least = torch.where(nearer, value.abs(), self.least)
        return value


def _nearest_root(images: Tensor, gradient: Tensor, score: Tensor, evaluate: Callable[[Tensor], Tensor]) -> Tensor:
    """March along the gradient until the score changes its sign, then close in on the root (Illinois method)."""
    line = _Line(images, gradient, torch.where(score < 0, -1.0, 1.0).to(score), evaluate)
    steepness = gradient.double().flatten(1).square().sum(dim=1)
    newton = torch.where(steepness > 0, score.abs() / steepness.clamp(min=torch.finfo(steepness.dtype).tiny), 0.0)
    low, at_low = torch.zeros_like(score), line.start(score)
    high, at_high = low, at_low
    for i in range(_MARCH):
        step = newton / 8 * _GROWTH**i
        value = line.value(step)
        open_ = at_high > 0
        before = open_ & (value > 0)
        low, at_low = torch.where(before, step, low), torch.where(before, value, at_low)
        high, at_high = torch.where(open_, step, high), torch.where(open_, value, at_high)
        if not bool((at_high > 0).any()):
            break
    found = at_high <= 0
    _close_in(line, low, at_low, high, at_high, found & (score != 0))
    without = (~found & (score != 0)).nonzero().flatten().tolist()
    if without:
        warnings.warn(
            f"The line along the gradient has no root for the images at positions {without[:10]}: their expansion is "
            "around its point with the smallest score, see details['residual'].",
            stacklevel=7,
        )
    return line.point(line.best)


def _close_in(line: _Line, low: Tensor, at_low: Tensor, high: Tensor, at_high: Tensor, wanted: Tensor) -> None:
    """Regula falsi between a positive value at ``low`` and one <= 0 at ``high``; an end that stays twice is halved."""
    enough = 4 * torch.finfo(line.images.dtype).eps * line.whole
    stayed = torch.zeros_like(low)
    for _ in range(_REFINE):
        if not bool((wanted & (line.least > enough)).any()):
            return
        rise = at_low - at_high
        step = torch.where(rise > 0, low + (high - low) * at_low / torch.where(rise > 0, rise, 1.0), low)
        value = line.value(step)
        above = value > 0
        at_high = torch.where(above, torch.where(stayed > 0, at_high / 2, at_high), value)
        at_low = torch.where(above, value, torch.where(stayed < 0, at_low / 2, at_low))
        low, high = torch.where(above, step, low), torch.where(above, high, step)
        stayed = torch.where(above, 1.0, -1.0).to(low)
