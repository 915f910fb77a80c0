r"""The rules of layer-wise relevance propagation for linear layers, as data.

With inputs :math:`a_j`, weights :math:`w_{jk}`, biases :math:`b_k` and relevance :math:`R_k`, every rule is a sum of
parts

.. math:: R_j = \sum_k \sum_p c_p \frac{N^p_{jk}}{D^p_k} R_k,
          \qquad D^p_k = \sum_j N^p_{jk} + B^p_k + E^p_k,

where the numerators :math:`N` are contributions (parts of the input times parts of the weights), :math:`B` is a part
of the bias, and :math:`E` is what the stabilizer adds. The coefficients sum to 1, so what the inputs do not get is in
:math:`B`, in :math:`E`, or, where :math:`D = 0`, blocked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor

from nn_interpretability.engine.operations import LinearOperation
from nn_interpretability.engine.stabilizer import Stabilizer
from nn_interpretability.engine.surrogate import Surrogate
from nn_interpretability.engine.trace import TraceRecorder
from nn_interpretability.errors import ConfigError

Source = Literal["input", "positive", "negative", "low", "high", "one"]
Modifier = Callable[[Tensor], Tensor]

_ROUNDING = 8  # units in the last place within which a difference of two terms counts as zero


def whole(values: Tensor) -> Tensor:
    """The values as they are."""
    return values


def positive(values: Tensor) -> Tensor:
    """The positive part, max(v, 0)."""
    return values.clamp(min=0)


def negative(values: Tensor) -> Tensor:
    """The negative part, min(v, 0)."""
    return values.clamp(max=0)


def nothing(values: Tensor) -> Tensor:
    """Zero."""
    return torch.zeros_like(values)


@dataclass(frozen=True)
class FavourPositive:
    """Values with their positive part added ``gamma`` times: v + gamma max(v, 0)."""

    gamma: float

    def __call__(self, values: Tensor) -> Tensor:
        """Apply to weights or biases."""
        return values + self.gamma * values.clamp(min=0)


@dataclass(frozen=True)
class FavourNegative:
    """Values with their negative part added ``gamma`` times: v + gamma min(v, 0)."""

    gamma: float

    def __call__(self, values: Tensor) -> Tensor:
        """Apply to weights or biases."""
        return values + self.gamma * values.clamp(max=0)


def squared(values: Tensor) -> Tensor:
    """The square."""
    return values.square()


def alike(values: Tensor) -> Tensor:
    """One for every value, whatever it is."""
    return torch.ones_like(values)


def beyond_both_signs(values: Tensor) -> Tensor:
    """What remains of a bias when its positive and its negative part are taken away: zero."""
    return values - positive(values) - negative(values)


@dataclass(frozen=True)
class Term:
    """Contributions of one part of the input through one part of the weights.

    The source ``"one"`` is 1 for every input that a pixel can change, and 0 for the rest (padding): what a rule without
    the value of the input needs. Its slope is such that the leaves, the bounds of the pixels, carry the relevance.
    """

    source: Source
    weight: Modifier
    sign: float = 1.0

    @property
    def plain(self) -> bool:
        """Whether this is the layer itself."""
        return self.source == "input" and self.weight is whole and self.sign == 1.0


@dataclass(frozen=True)
class Part:
    """One fraction of a rule: a share ``coefficient`` of the relevance of some outputs, spread over the terms."""

    terms: tuple[Term, ...]
    bias: Modifier = whole
    coefficient: float = 1.0
    stabilizer: Stabilizer = field(default_factory=Stabilizer)
    outputs: Literal["all", "positive", "negative"] = "all"


@dataclass(frozen=True)
class LinearRule:
    """A rule for linear layers: a name for people, its parts, and whether it holds for inputs >= 0 alone."""

    name: str
    parts: tuple[Part, ...]
    no_negative_inputs: bool = False

    @property
    def needs_bounds(self) -> bool:
        """Whether the bounds of the pixels are part of the rule."""
        return self.sources & {"low", "high"} != set()

    @property
    def for_input(self) -> bool:
        """Whether the rule is for layers that see the images: it reads their bounds, for what they are or as leaves."""
        return self.sources & {"low", "high", "one"} != set()

    @property
    def sources(self) -> set[Source]:
        """The parts of the input that are part of the rule."""
        return {term.source for part in self.parts for term in part.terms}

    def without_bias(self) -> LinearRule:
        """The same rule with denominators in which the bias does not count."""
        return replace(self, parts=tuple(replace(part, bias=nothing) for part in self.parts))


def zero_rule(stabilizer: Stabilizer | None = None) -> LinearRule:
    r"""LRP-0: :math:`a_j w_{jk} / z_k` (Bach et al. 2015)."""
    return LinearRule("0", (Part((Term("input", whole),), stabilizer=stabilizer or Stabilizer()),))


def epsilon_rule(epsilon: Stabilizer) -> LinearRule:
    r"""LRP-epsilon: :math:`a_j w_{jk} / (z_k + \epsilon\, s(z_k))` (Bach et al. 2015)."""
    return LinearRule("epsilon", (Part((Term("input", whole),), stabilizer=epsilon),))


def gamma_rule(gamma: float, stabilizer: Stabilizer | None = None) -> LinearRule:
    r"""LRP-gamma: :math:`a_j (w_{jk} + \gamma w_{jk}^+)`, for inputs :math:`a \ge 0` (Montavon et al. 2019)."""
    favour = FavourPositive(_not_negative("gamma", gamma))
    part = Part((Term("input", favour),), favour, stabilizer=stabilizer or Stabilizer())
    return LinearRule("gamma", (part,), no_negative_inputs=True)


def generalised_gamma_rule(gamma: float, stabilizer: Stabilizer | None = None) -> LinearRule:
    r"""LRP-gamma, generalised to inputs and outputs of either sign.

    Where :math:`z_k \ge 0`, :math:`a_j^+ (w_{jk} + \gamma w_{jk}^+) + a_j^- (w_{jk} + \gamma w_{jk}^-)` and the bias
    :math:`b_k + \gamma b_k^+`, which favours what is positive; elsewhere mirrored, which favours what is negative.
    """
    kept = stabilizer or Stabilizer()
    more, less = FavourPositive(_not_negative("gamma", gamma)), FavourNegative(gamma)
    above = Part((Term("positive", more), Term("negative", less)), more, stabilizer=kept, outputs="positive")
    below = Part((Term("positive", less), Term("negative", more)), less, stabilizer=kept, outputs="negative")
    return LinearRule("generalised_gamma", (above, below))


def alpha_beta_rule(alpha: float, beta: float, stabilizer: Stabilizer | None = None) -> LinearRule:
    r"""LRP-alpha-beta (Bach et al. 2015).

    :math:`\alpha (a_j w_{jk})^+ / z_k^+ - \beta (a_j w_{jk})^- / z_k^-`, the bias split by its sign.

    Raises
    ------
    ConfigError
        If alpha - beta is not 1, or one of them is negative.
    """
    _not_negative("alpha", alpha)
    _not_negative("beta", beta)
    if abs(alpha - beta - 1) > 1e-9:
        raise ConfigError(f"alpha={alpha!r}, beta={beta!r}: alpha - beta must be 1, else relevance is not conserved.")
    kept = stabilizer or Stabilizer()
    excitation = Part((Term("positive", positive), Term("negative", negative)), positive, alpha, kept)
    inhibition = Part((Term("positive", negative), Term("negative", positive)), negative, -beta, kept)
    return LinearRule("alpha_beta", (excitation, inhibition) if beta else (excitation,))


def z_plus_rule(stabilizer: Stabilizer | None = None) -> LinearRule:
    r"""The z+ rule :math:`(a_j w_{jk})^+ / \sum_j (a_j w_{jk})^+`, no bias (Montavon et al. 2017)."""
    terms = (Term("positive", positive), Term("negative", negative))
    return LinearRule("z_plus", (Part(terms, nothing, stabilizer=stabilizer or Stabilizer()),))


def z_box_rule(stabilizer: Stabilizer | None = None) -> LinearRule:
    r"""The z-box rule for pixels in :math:`[l, h]` (Montavon et al. 2017).

    :math:`x_j w_{jk} - l_j w_{jk}^+ - h_j w_{jk}^-`; the bias treated alike leaves nothing.
    """
    terms = (Term("input", whole), Term("low", positive, -1.0), Term("high", negative, -1.0))
    return LinearRule("z_box", (Part(terms, beyond_both_signs, stabilizer=stabilizer or Stabilizer()),))


def w2_rule(stabilizer: Stabilizer | None = None) -> LinearRule:
    r"""The w-squared rule :math:`w_{jk}^2 / \sum_j w_{jk}^2`, for unbounded inputs (Montavon et al. 2017)."""
    return LinearRule("w2", (Part((Term("one", squared),), nothing, stabilizer=stabilizer or Stabilizer()),))


def flat_rule(stabilizer: Stabilizer | None = None) -> LinearRule:
    r"""The flat rule :math:`1 / n_k`: each of a unit's :math:`n_k` inputs gets the same (Lapuschkin et al. 2019)."""
    return LinearRule("flat", (Part((Term("one", alike),), nothing, stabilizer=stabilizer or Stabilizer()),))


_DEFAULTS: Mapping[str, Any] = {
    "rule": "epsilon",
    "epsilon": {"rms": 0.25},
    "gamma": 0.25,
    "alpha": 1.0,
    "beta": 0.0,
    "stabilizer": None,
    "bias": "absorb",
}
_NAMES = ("0", "epsilon", "gamma", "generalised_gamma", "alpha_beta", "z_plus", "z_box", "w2", "flat")
INPUT_RULES = ("z_box", "w2", "flat")


def linear_rule(settings: str | Mapping[str, Any], defaults: Mapping[str, Any] = _DEFAULTS) -> LinearRule:
    """A rule from its name, or from a mapping of its settings.

    Parameters
    ----------
    settings
        ``"0"``, ``"epsilon"``, ``"gamma"``, ``"generalised_gamma"``, ``"alpha_beta"``, ``"z_plus"``, and for layers
        that see the images ``"z_box"``, ``"w2"``, ``"flat"``; or a mapping with ``rule`` and any of ``epsilon`` (of
        the epsilon rule), ``gamma``, ``alpha``, ``beta``, ``stabilizer`` (of the other rules) and ``bias``
        (``"absorb"`` or ``"ignore"``).
    defaults
        Settings for what the mapping leaves out.

    Raises
    ------
    ConfigError
        If a name or a value is not allowed.
    """
    given = {"rule": settings} if isinstance(settings, str) else dict(settings)
    unknown = set(given) - set(_DEFAULTS)
    if unknown:
        raise ConfigError(
            f"A rule has no setting {', '.join(sorted(map(repr, unknown)))}. It has: {', '.join(_DEFAULTS)}."
        )
    chosen = {**_DEFAULTS, **defaults, **given}
    if chosen["bias"] not in ("absorb", "ignore"):
        raise ConfigError(f"bias={chosen['bias']!r} is not allowed: choose 'absorb' or 'ignore'.")
    rule = _named_rule(chosen)
    return rule.without_bias() if chosen["bias"] == "ignore" else rule


def _named_rule(chosen: Mapping[str, Any]) -> LinearRule:
    stabilizer = Stabilizer.of(chosen["stabilizer"])
    match chosen["rule"]:
        case "0":
            return zero_rule(stabilizer)
        case "epsilon":
            return epsilon_rule(Stabilizer.of(chosen["epsilon"]))
        case "gamma":
            return gamma_rule(chosen["gamma"], stabilizer)
        case "generalised_gamma":
            return generalised_gamma_rule(chosen["gamma"], stabilizer)
        case "alpha_beta":
            return alpha_beta_rule(chosen["alpha"], chosen["beta"], stabilizer)
        case "z_plus":
            return z_plus_rule(stabilizer)
        case "z_box":
            return z_box_rule(stabilizer)
        case "w2":
            return w2_rule(stabilizer)
        case "flat":
            return flat_rule(stabilizer)
    raise ConfigError(f"rule={chosen['rule']!r} is not allowed: choose one of {', '.join(map(repr, _NAMES))}.")


def _not_negative(name: str, value: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < float("inf"):
        raise ConfigError(f"{name}={value!r} is not allowed: give a number >= 0.")
    return float(value)


@dataclass
class _Fraction:
    """A part made ready for one forward pass."""

    part: Part
    outputs: list[Tensor]
    signs: list[float]
    dead: Tensor
    bias: Tensor
    addition: Tensor | None
    ratio: Tensor


class LinearSurrogate(Surrogate):
    """Carries out a :class:`LinearRule` for one linear operation.

    Parameters
    ----------
    operation
        The operation; with batch norm folded in, its weight and bias are the folded ones.
    local_input, local_output
        The operation's own little graph: a detached input that asks for gradients, and the output computed from it.
    rule
        Called when relevance arrives, because the rule may depend on how many layers follow.
    recorder, row
        Where to keep account of conservation; None for no account.
    """

    reads_inputs = True
    weighted = True

    def __init__(
        self,
        operation: LinearOperation,
        local_input: Tensor,
        local_output: Tensor,
        rule: Callable[[], LinearRule],
        recorder: TraceRecorder | None,
        row: int,
    ) -> None:
        self.operation = operation
        self.local_input = local_input
        self.local_output = local_output
        self._value = local_output.detach()
        self._choose = rule
        self._recorder = recorder
        self._row = row
        self._ready: tuple[LinearRule, list[Tensor], list[_Fraction]] | None = None

    def pull(self, gradient: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
        """Each part's share of the relevance, back through its contributions."""
        if self._ready is None:
            self._ready = self._prepare(inputs)
        rule, leaves, fractions = self._ready
        outputs = [output for fraction in fractions for output in fraction.outputs]
        signals = [_times(sign, fraction.ratio * gradient) for fraction in fractions for sign in fraction.signs]
        pulled = self._back(outputs, leaves, signals)
        if self._recorder is not None:
            self._account(self._recorder, rule, fractions, gradient, leaves, pulled)
        return (*pulled, *([None] * (len(inputs) - len(leaves))))

    def _back(
        self, outputs: Sequence[Tensor], leaves: Sequence[Tensor], signals: Sequence[Tensor]
    ) -> Sequence[Tensor | None]:
        """The gradients of the outputs at the leaves."""
        if self.operation.kind == "linear" and len(outputs) == len(leaves) == 1 and outputs[0] is self.local_output:
            return [signals[0] @ self.operation.weight]  # without the detour of a nested backward pass
        return torch.autograd.grad(outputs, leaves, signals, retain_graph=True, allow_unused=True)

    def _prepare(self, inputs: Sequence[Tensor]) -> tuple[LinearRule, list[Tensor], list[_Fraction]]:
        rule = self._choose()
        leaves = [self.local_input]
        if rule.for_input:
            leaves += [bound.detach().requires_grad_(True) for bound in inputs[1:]]
        sources = dict(zip(("input", "low", "high"), leaves, strict=False))
        with torch.enable_grad():
            if "one" in rule.sources:
                sources["one"] = _one(sources["low"], sources["high"])
            fractions = [self._fraction(part, sources) for part in rule.parts]
        return rule, leaves, fractions

    def _fraction(self, part: Part, sources: Mapping[str, Tensor]) -> _Fraction:
        bias = self._bias(part.bias)
        if len(part.terms) == 1 and part.terms[0].plain and part.bias is whole:
            # LRP-0 and LRP-epsilon divide by the very value of the layer, so that z / z is exactly 1; the bias in
            # that value moves no gradient.
            outputs, signs, total, rounding = [self.local_output], [1.0], self._value, torch.zeros_like(self._value)
        else:
            outputs, signs, total, rounding = self._contributions(part, sources)
            total = total + bias
        addition = part.stabilizer.addition(total)
        denominator = total if addition is None else total + addition
        dead = denominator.abs() <= rounding
        ratio = torch.where(dead, 0.0, self._value / denominator)
        if part.coefficient != 1:
            ratio *= part.coefficient
        if part.outputs != "all":
            served = (self._value >= 0) == (part.outputs == "positive")
            dead, ratio = dead & served, torch.where(served, ratio, 0.0)
        return _Fraction(part, outputs, signs, dead, bias, addition, ratio)

    def _contributions(
        self, part: Part, sources: Mapping[str, Tensor]
    ) -> tuple[list[Tensor], list[float], Tensor, Tensor]:
        """The terms as differentiable outputs with their signs, the sum of their values, and how well it is known.

        The bias of the layer is not taken off its value: what is left of a window without contributions would be
        rounding instead of zero. Nor is a difference of terms zero when it should be; hence its rounding.
        """
        chosen: list[tuple[Term, Tensor, Tensor]] = []
        total = torch.zeros_like(self._value)
        size = torch.zeros_like(self._value)
        for term in part.terms:
            source = _select(term.source, sources)
            if not bool(source.detach().any()):
                continue  # zeros contribute nothing: an input that is never negative has no negative part
            chosen.append((term, source, term.weight(self.operation.weight)))
        differs = len({term.sign for term, _, _ in chosen}) > 1
        outputs, signs = self._outputs(chosen)
        if len(outputs) == len(chosen):
            values = [output.detach() * sign for output, sign in zip(outputs, signs, strict=True)]
        else:
            with torch.no_grad():
                values = [self.operation.apply(source, weight, None) * term.sign for term, source, weight in chosen]
        for value in values:
            total, size = total + value, size + value.abs()
        if chosen and self.operation.kind != "linear" and not _zeros_are_exact(size.device):
            blank = self._blank(chosen)
            total, size = total.masked_fill(blank, 0), size.masked_fill(blank, 0)
        if not outputs:
            return [self.local_output], [0.0], total, size
        return outputs, signs, total, size * (_ROUNDING * torch.finfo(size.dtype).eps if differs else 0.0)

    @torch.no_grad()
    def _blank(self, chosen: Sequence[tuple[Term, Tensor, Tensor]]) -> Tensor:
        """Where all terms see nothing but zeros."""
        seen = [self.operation.apply((x != 0).to(x.dtype), torch.ones_like(weight), None) for _, x, weight in chosen]
        return torch.stack(seen).sum(dim=0) < 0.5

    def _outputs(self, chosen: Sequence[tuple[Term, Tensor, Tensor]]) -> tuple[list[Tensor], list[float]]:
        """The terms as differentiable outputs with their signs; several as one, side by side, with one way back."""
        if len(chosen) == 1 and chosen[0][0].plain and self.operation.bias is None:
            return [self.local_output], [chosen[0][0].sign]
        axes = self.operation.joining_axes
        if len(chosen) < 2 or axes is None:
            applied = [self.operation.apply(source, weight, None) for _, source, weight in chosen]
            return applied, [term.sign for term, _, _ in chosen]
        of_input, of_weight = axes
        source = torch.cat([source for _, source, _ in chosen], dim=of_input)
        weight = torch.cat([_times(term.sign, weight) for term, _, weight in chosen], dim=of_weight)
        return [self.operation.apply(source, weight, None)], [1.0]

    def _bias(self, modifier: Modifier) -> Tensor:
        """A part of the bias, broadcastable against the output."""
        bias = self.operation.bias
        if bias is None:
            return self._value.new_zeros(())
        return self.operation.along_output(modifier(bias), self._value)

    def _account(
        self,
        recorder: TraceRecorder,
        rule: LinearRule,
        fractions: Sequence[_Fraction],
        gradient: Tensor,
        leaves: Sequence[Tensor],
        pulled: Sequence[Tensor | None],
    ) -> None:
        received = self._value.double() * gradient.double()
        recorder.record(self._row, rule.name, received=received)
        for fraction in fractions:
            per_unit = gradient.double() * fraction.ratio.double()
            blocked = torch.where(fraction.dead, received * fraction.part.coefficient, 0.0)
            recorder.record(self._row, rule.name, bias=per_unit * fraction.bias.double(), blocked=blocked)
            if fraction.addition is not None:
                recorder.record(self._row, rule.name, stabilizer=per_unit * fraction.addition.double())
        for leaf, moved in zip(leaves, pulled, strict=True):
            if moved is not None:
                recorder.record(self._row, rule.name, sent=leaf.double() * moved.double())


def _zeros_are_exact(device: torch.device) -> bool:
    """Whether a convolution of zeros is zero; the fast algorithms of GPUs leave rounding of the windows beside it."""
    return device.type == "cpu"


def _one(low: Tensor, high: Tensor) -> Tensor:
    """The distance of the bounds in units of itself: 1, or 0 where nothing can change.

    Scaling, shifting and moving pixels scales, leaves and moves this distance, so bounds times slopes sum to what 1
    times its slope is, whatever stands in front of the layer.
    """
    width = high - low
    return torch.where(width == 0, 0.0, width / torch.where(width == 0, 1.0, width.detach()))


def _times(sign: float, values: Tensor) -> Tensor:
    return values if sign == 1 else values * sign


def _select(source: Source, sources: Mapping[str, Tensor]) -> Tensor:
    match source:
        case "positive":
            return positive(sources["input"])
        case "negative":
            return negative(sources["input"])
    return sources[source]
