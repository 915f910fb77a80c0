"""Layer-wise relevance propagation."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from nn_interpretability.attribution import Attribution
from nn_interpretability.engine.bounds import Bound, PixelBounds
from nn_interpretability.engine.forward import Forward
from nn_interpretability.engine.layers import layer_of
from nn_interpretability.engine.stabilizer import Stabilizer
from nn_interpretability.engine.trace import ConservationTrace, TraceRecorder
from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.base import Method
from nn_interpretability.registry import POOLS
from nn_interpretability.rules.composite import Composite, RuleSettings, composite_of, may_name, names_z_box
from nn_interpretability.rules.linear import INPUT_RULES, linear_rule
from nn_interpretability.rules.lrp import LRPRulebook, LRPSettings, pooling_rule
from nn_interpretability.rules.pooling import PoolingRule
from nn_interpretability.targets import ResolvedTarget

_WITHOUT_BOUNDS = ("w2", "flat")  # rules of the input that need leaves, but not the values of the bounds

Stabilization = Stabilizer | float | Mapping[str, Any]


class LRP(Method):
    r"""Layer-wise relevance propagation: the score is handed back, layer by layer, in proportion to contributions.

    .. math:: R_j = \sum_k \frac{\text{contribution}_{jk}}{\text{denominator}_k} R_k

    It starts from the score itself, so a negative score gives a map of negative sum. Activations and dropout pass
    relevance on unchanged, max-pooling gives it to the winner, sums, concatenations and average pooling share it in
    proportion. Batch normalisation behind a linear layer is folded into it.

    Parameters
    ----------
    model
        The classifier.
    rule
        Rule of the weight layers that nothing else names: ``"0"``, ``"epsilon"``, ``"gamma"`` (for inputs that are not
        negative; a warning names layers that have others), ``"generalised_gamma"`` (for any), ``"alpha_beta"`` or
        ``"z_plus"``; see :mod:`nn_interpretability.rules.linear` for the formulas.
    epsilon
        Stabilizer of the epsilon rule: a number (absolute), or a mapping such as ``{"rms": 0.25}`` (relative to the
        root mean square of the denominators of one row); ``"signed": False`` for the unsigned rule as it was published.
    gamma
        Strength of the gamma rules, >= 0.
    alpha, beta
        Of the alpha-beta rule; alpha - beta must be 1.
    stabilizer
        Stabilizer of all rules but epsilon; None adds nothing, and a denominator of exactly zero blocks relevance.
    bias
        ``"absorb"``: the bias counts in the denominators and keeps its share. ``"ignore"``: it does not count, and a
        unit that fires from its bias alone has nowhere to send relevance to.
    input_rule
        Rule of the layers that see the images: ``"z_box"`` (pixels between bounds), ``"w2"`` (by squared weights, for
        pixels without bounds), ``"flat"`` (to all pixels alike); None for the same rule as elsewhere.
    input_bounds
        Lowest and highest value that a pixel can take: two numbers, or two sequences of one number per channel.
    composite
        A preset (``"montavon2019"``, ``"small_cnn"``, ``"study2020"``), or a mapping from layer names, patterns or
        kinds of operation to rules, for example ``{"features.*": "gamma", "linear": "epsilon"}``. Layers it does not
        name follow ``rule``.
    pooling
        ``"winner"`` or ``"proportional"``, for max-pooling.
    layer
        Dotted name of a layer; the values are then the relevance of its output, not of the images.
    trace
        Keep the conservation trace (:class:`~nn_interpretability.engine.trace.ConservationTrace`).
    strict
        Raise where the method has no rule for an operation, instead of warning.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed.

    References
    ----------
    Bach et al. 2015, On pixel-wise explanations for non-linear classifier decisions. Montavon et al. 2017, Explaining
    nonlinear classification decisions with deep Taylor decomposition. Montavon et al. 2019, Layer-wise relevance
    propagation: an overview.
    """

    name: ClassVar[str] = "lrp"
    linear = True
    conserving = True
    start = "path"

    def __init__(
        self,
        model: nn.Module,
        *,
        rule: str = "epsilon",
        epsilon: Stabilization = {"rms": 0.25},  # noqa: B006 (never written to)
        gamma: float = 0.25,
        alpha: float = 1.0,
        beta: float = 0.0,
        stabilizer: Stabilization | None = None,
        bias: Literal["absorb", "ignore"] = "absorb",
        input_rule: Literal["z_box", "w2", "flat"] | None = None,
        input_bounds: tuple[Bound, Bound] | Sequence[Bound] | None = None,
        composite: str | Mapping[str, RuleSettings] | Composite | None = None,
        pooling: Literal["winner", "proportional"] = "winner",
        layer: str | None = None,
        trace: bool = False,
        strict: bool = False,
    ) -> None:
        super().__init__(model)
        defaults: dict[str, Any] = {"rule": rule, "epsilon": epsilon, "gamma": gamma, "alpha": alpha, "beta": beta}
        defaults |= {"stabilizer": stabilizer, "bias": bias}
        linear_rule({}, defaults)  # bad values are named here, not in the middle of an explanation
        if input_rule not in (*INPUT_RULES, None):
            raise ConfigError(
                f"input_rule={input_rule!r} is not allowed: choose {', '.join(map(repr, INPUT_RULES))} or None."
            )
        if pooling not in ("winner", "proportional"):
            raise ConfigError(f"pooling={pooling!r} is not allowed: choose 'winner' or 'proportional'.")
        if input_bounds is None and ("z_box" in (rule, input_rule) or names_z_box(composite)):
            raise ConfigError(
                "The z_box rule at the input needs input_bounds=(lowest, highest), the values that a pixel can take: "
                "(0, 1), or per channel ((0 - mean) / std, (1 - mean) / std) for normalised pictures."
            )
        if input_bounds is not None and (not isinstance(input_bounds, Sequence | Tensor) or len(input_bounds) != 2):
            raise ConfigError(f"input_bounds={input_bounds!r} is not allowed: give a pair (lowest, highest).")
        for name, settings in composite.items() if isinstance(composite, Mapping) else ():
            if re.fullmatch(POOLS, name):
                pooling_rule(settings, PoolingRule(pooling))
        if layer is not None:
            layer_of(model, layer)
        self._composite, self._layer = composite, layer
        self._followed = (
            rule in _WITHOUT_BOUNDS or input_rule in _WITHOUT_BOUNDS or may_name(_WITHOUT_BOUNDS, composite)
        )
        self._bounds = None if input_bounds is None else (input_bounds[0], input_bounds[1])
        self._defaults = defaults
        self._settings = LRPSettings(
            defaults,
            input_rule,
            None if composite is None else composite_of(composite, model),
            PoolingRule(pooling),
            bounded=input_bounds is not None,
        )
        self._keep_trace, self._strict = trace, strict
        self._recorder: TraceRecorder | None = None

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        composite = self._composite
        bounds = self._bounds
        return {
            **_described(self._defaults),
            "input_rule": self._settings.input_rule,
            "input_bounds": None if bounds is None else [_plain(bound) for bound in bounds],
            "composite": _described(composite) if isinstance(composite, str | Mapping | None) else repr(composite),
            "pooling": self._settings.pooling.share,
            "layer": self._layer,
        }

    def _forward(self, images: Tensor) -> Forward:
        self._recorder = TraceRecorder(len(images)) if self._keep_trace else None
        rulebook = LRPRulebook(self._settings, self._recorder)
        try:
            forward = Forward(self.model, images, rulebook, self._pixel_bounds(images.detach()), self._layer)
        finally:
            rulebook.forget()
        rulebook.check()
        if self._strict:
            forward.coverage.require(type(self).__name__)
        return forward

    def _warn(self, result: Attribution, *, stacklevel: int) -> None:
        super()._warn(result, stacklevel=stacklevel + 1)
        if layers := ", ".join(result.coverage.get("negative_inputs", {})):
            warnings.warn(
                f"The gamma rule is for inputs >= 0, and these layers have negative ones: {layers}. Give them the rule "
                "'generalised_gamma' or 'alpha_beta', which are for inputs of any sign.",
                stacklevel=stacklevel + 1,
            )

    def _pixel_bounds(self, images: Tensor) -> PixelBounds | None:
        if self._bounds is not None:
            return PixelBounds.around(images, self._bounds)
        return PixelBounds.unknown(images) if self._followed else None

    def _map(self, forward: Forward, start: Tensor, *, last: bool) -> Tensor:
        if self._recorder is not None:
            self._recorder.next_target()
        return super()._map(forward, start, last=last)

    def _read(self, leaves: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        products = [leaf * gradient for leaf, gradient in zip(leaves, gradients, strict=True)]
        return torch.stack(products).sum(dim=0) if len(products) > 1 else products[0]

    def _trace(self, resolved: ResolvedTarget, maps: Tensor) -> ConservationTrace | None:
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return None
        remaining = maps.double().flatten(2).sum(dim=2)
        return recorder.finish(resolved.scores, remaining, stacked=resolved.stacked)


def _described(settings: Any) -> Any:
    """Rules in a form that metadata can hold."""
    if isinstance(settings, Mapping):
        return {key: _described(value) for key, value in settings.items()}
    return settings.describe() if isinstance(settings, Stabilizer) else settings


def _plain(bound: Bound) -> Any:
    """A bound in a form that metadata can hold."""
    return bound.tolist() if isinstance(bound, Tensor) else bound if isinstance(bound, int | float) else list(bound)
