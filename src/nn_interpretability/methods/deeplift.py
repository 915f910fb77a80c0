"""DeepLIFT."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from nn_interpretability.attribution import Attribution
from nn_interpretability.engine.coverage import Coverage
from nn_interpretability.engine.forward import Forward
from nn_interpretability.engine.pairs import Pairs
from nn_interpretability.errors import CompletenessWarning, ConfigError
from nn_interpretability.methods.base import Method
from nn_interpretability.methods.references import Reference, References
from nn_interpretability.rules.composite import ByName
from nn_interpretability.rules.deeplift import DeepLIFTRulebook, DeepLIFTSettings, PoolOrder, check_rule
from nn_interpretability.targets import ResolvedTarget, Target, less_the_mean, resolve_target

_TOLERANCE = 1e-3  # relative gap of the sum of a map from which on it is reported
_ROUNDING = 1e3  # units in the last place of the largest numbers involved that are never reported


@dataclass
class _Explained:
    """One batch against one reference."""

    multipliers: Tensor
    contributions: Tensor
    resolved: ResolvedTarget
    logits: Tensor
    coverage: Coverage


class DeepLIFT(Method):
    r"""Contributions of input values to the difference between the score of an image and that of a reference.

    .. math:: \sum_i C_i = f_c(x) - f_c(x^0), \qquad C_i = m_i \, (x_i - x^0_i).

    Image and reference go through the network together. On the way back each nonlinearity :math:`y = f(x)` uses a
    multiplier where backpropagation uses the derivative, so that a saturated unit does not hide what drives it:

    * ``"rescale"``: :math:`m = \Delta y / \Delta x`;
    * ``"reveal_cancel"``: one multiplier for the sum :math:`\Delta x^+` of the positive contributions to the unit's
      input and one for the sum :math:`\Delta x^-` of the negative ones,
      :math:`\Delta y^+ = \frac12 [f(x^0 + \Delta x^+) - f(x^0)]
      + \frac12 [f(x^0 + \Delta x^- + \Delta x^+) - f(x^0 + \Delta x^-)]`, :math:`m^+ = \Delta y^+ / \Delta x^+`, and
      likewise for the negative part. Contributions that cancel are told apart from none at all.

    Linear layers follow the Linear rule: what is positive in a unit's input comes from the products
    :math:`w_i \Delta x_i > 0`. Sums, concatenations and averages add their parts. Max-pooling hands the difference of
    its output to the winner of the image or of the reference. In a product of two values that depend on the image each
    counts with the mean of the other. Where a difference vanishes the multiplier is the exact limit; nothing is added
    to a denominator.

    Parameters
    ----------
    model
        The classifier. Explain scores before a softmax.
    rule
        Rule of all nonlinearities, or a mapping from names to rules: of a nonlinearity (``"relu_0"``, by kind and order
        of execution), of the weight layer before it (``"classifier.fc1"``, ``"features.*"``), or of the kind of either
        (``"relu"``, ``"conv2d"``, ``"linear"``); what it does not name follows ``"rescale"``. The authors' choice for
        genomics is ``{"conv2d": "rescale", "linear": "reveal_cancel"}``.
    reference
        What the image is compared with: a number, one number per channel, one image (``(C, H, W)`` or
        ``(1, C, H, W)``), or one for each explained image. A list of tensors is averaged over.
    pool_order
        ``"relu_first"`` takes a nonlinearity that directly follows max-pooling before the pooling, which is the same
        function, so that RevealCancel sees the contributions to each unit. ``"as_built"`` does not; RevealCancel then
        has the same multipliers as Rescale there.
    mean_subtraction
        Explain each score less the mean of all scores, as is right for scores in front of a softmax (section 3.6
        of the paper): the target :math:`e_c - 1/K`.
    strict
        Raise where the method has no rule for an operation, instead of warning.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed.

    Notes
    -----
    The result has ``multipliers`` beside its ``values``, and its ``score`` is the difference from the reference. A
    function of the scores as target is explained completely: it starts from its mean derivative along the straight line
    from the scores of the reference to those of the image.

    References
    ----------
    Shrikumar, Greenside and Kundaje 2017, Learning important features through propagating activation differences.
    """

    name: ClassVar[str] = "deeplift"
    conserving = True
    linear = True
    start = "path"

    def __init__(
        self,
        model: nn.Module,
        *,
        rule: Literal["rescale", "reveal_cancel"] | Mapping[str, str] = "rescale",
        reference: Reference | Sequence[Tensor] = 0.0,
        pool_order: PoolOrder = "relu_first",
        mean_subtraction: bool = False,
        strict: bool = False,
    ) -> None:
        super().__init__(model)
        if pool_order not in ("relu_first", "as_built"):
            raise ConfigError(f"pool_order={pool_order!r} is not allowed: choose 'relu_first' or 'as_built'.")
        named = isinstance(rule, Mapping)
        for each in rule.values() if isinstance(rule, Mapping) else [rule]:
            check_rule(each)
        self._rule = dict(rule) if isinstance(rule, Mapping) else rule
        self._composite = ByName(self._rule) if isinstance(self._rule, dict) else None
        self._settings = DeepLIFTSettings("rescale" if named else str(rule), self._composite, pool_order=pool_order)
        self._references = References(reference)
        self._shared_reference, self.linear = True, not mean_subtraction
        self._mean_subtraction, self._strict = bool(mean_subtraction), strict

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {
            "rule": self._rule,
            "reference": self._references.describe(),
            "pool_order": self._settings.pool_order,
            "mean_subtraction": self._mean_subtraction,
        }

    def for_samples(self, index: Tensor, images: Tensor) -> Self:
        """The same method for some of the images, with their references."""
        chosen = copy.copy(self)
        chosen._references = self._references.for_samples(index, images)
        return chosen

    def on(self, model: nn.Module) -> Self:
        """The same method for a variant of its model; each row has a reference of its own, which sees the same mask."""
        chosen = super().on(model)
        chosen._shared_reference = False
        return chosen

    def origins(self, images: Tensor) -> Sequence[Tensor]:
        """The references."""
        return [reference.expand_as(images) for reference in self._references.of(images)]

    def explain(self, images: Tensor, target: Target, chunk: int | None) -> Attribution:
        """Explain one batch against each reference."""
        references = self._references.of(images)
        if not self._shared_reference:
            references = [reference.expand_as(images) for reference in references]
        explained = [self._against(images, reference, target) for reference in references]
        first = explained[0]
        stacked = first.resolved.stacked
        scores = torch.stack([each.resolved.scores for each in explained]).mean(dim=0)
        every = torch.stack([reference.expand_as(images) for reference in references], dim=1)
        return Attribution(
            values=_mean([each.contributions for each in explained], stacked),
            multipliers=_mean([each.multipliers for each in explained], stacked),
            score=scores.T if stacked else scores[0],
            logits=first.logits,
            target=first.resolved.classes,
            conserving=self._settings.complete,
            method=self.name,
            parameters=dict(self.parameters),
            target_description=first.resolved.description,
            coverage=first.coverage.describe(),
            reference=every[:, 0] if len(references) == 1 else every,
        )

    def _against(self, images: Tensor, reference: Tensor, target: Target) -> _Explained:
        pairs = Pairs(len(images), len(reference))
        rulebook = DeepLIFTRulebook(self._settings, pairs)
        forward = Forward(self.model, torch.cat([images, reference]), rulebook)
        rulebook.check()
        logits, origin = pairs.split(forward.output)
        resolved = resolve_target(target, logits, start=self.start, origin=origin.expand_as(logits))
        if self._mean_subtraction:
            resolved = less_the_mean(resolved, logits.double() - origin.double())
        multipliers = self._multipliers(forward, pairs, resolved)
        if self._strict:
            forward.coverage.require(type(self).__name__)
        return _Explained(multipliers, multipliers * (images - reference), resolved, logits, forward.coverage)

    @staticmethod
    def _multipliers(forward: Forward, pairs: Pairs, resolved: ResolvedTarget) -> Tensor:
        found = []
        last = len(resolved.starts) - 1
        for i, start in enumerate(resolved.starts):
            (gradient,) = forward.pull(pairs.padded(start), last=i == last)
            found.append(gradient[: pairs.images])
            if bool(gradient[pairs.images :].any()):
                forward.coverage.uncovered["an operation across images"] = 1
        return torch.stack(found)

    def _read(self, leaves: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        raise NotImplementedError  # two tensors are read, see _against

    def _conclude(self, whole: Attribution) -> None:
        """Say where the contributions do not sum to the difference of the scores."""
        if not whole.conserving:
            return
        gap = (whole.total - whole.score.cpu()).abs()
        largest = whole.values.detach().abs().flatten(whole.score.dim()).double().sum(dim=-1).cpu()
        largest = largest + whole.logits.abs().amax().double().cpu()
        rounding = _ROUNDING * torch.finfo(whole.values.dtype).eps * largest
        bad = (gap > _TOLERANCE * whole.score.abs().cpu()) & (gap > rounding)
        if bool(bad.any()):
            worst = float((gap / whole.score.abs().cpu().clamp(min=1e-12))[bad].max())
            warnings.warn(
                f"The contributions of {int(bad.sum())} of {bad.numel()} maps do not sum to the difference of their "
                f"scores (relative gap up to {worst:.2g}); see the completeness_error of the result.",
                CompletenessWarning,
                stacklevel=3,
            )


def _mean(maps: Sequence[Tensor], stacked: bool) -> Tensor:
    """The mean over references, of shape ``(N, ...)`` or ``(N, K, ...)``."""
    total = maps[0]
    if len(maps) > 1:
        total = torch.zeros_like(maps[0], dtype=torch.float64)
        for each in maps:
            total += each
        total = (total / len(maps)).to(maps[0].dtype)
    return (total.movedim(0, 1) if stacked else total[0]).detach()
