"""The rulebook of layer-wise relevance propagation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nn_interpretability.engine.coverage import Coverage
from nn_interpretability.engine.mode import Call, Passed, SurrogateMode, Treated, Treatment, Uncovered
from nn_interpretability.engine.operations import (
    BATCH_NORM,
    HOMOGENEOUS_ACTIVATIONS,
    LINEAR,
    MATRIX_PRODUCTS,
    MAX_POOL,
    PRODUCTS,
    QUOTIENTS,
    SMOOTH_ACTIVATIONS,
    TRANSPARENT,
    LinearOperation,
    bind_linear,
    changed_in_place,
    linear_in_input,
)
from nn_interpretability.engine.stabilizer import Stabilizer
from nn_interpretability.engine.surrogate import behind_weights, graft
from nn_interpretability.engine.trace import TraceRecorder
from nn_interpretability.errors import ConfigError
from nn_interpretability.rules.activation import pass_through
from nn_interpretability.rules.affine import Affine, BatchNorm
from nn_interpretability.rules.composite import ByName, Composite, Place, RuleSettings
from nn_interpretability.rules.linear import LinearRule, LinearSurrogate, linear_rule
from nn_interpretability.rules.pooling import PoolingRule, pool

_POOLING_EPSILON = {"rms": 0.25}


@dataclass(frozen=True)
class LRPSettings:
    """What a user asked of LRP.

    Attributes
    ----------
    defaults
        Settings of the rule for layers that nothing else names.
    input_rule
        Rule of the layers that see the input, or None.
    composite
        Rules by place, or None.
    pooling
        Rule of max-pooling that the composite does not name.
    bounded
        Whether the bounds of the pixels are known.
    """

    defaults: Mapping[str, Any]
    input_rule: RuleSettings | None
    composite: Composite | None
    pooling: PoolingRule
    bounded: bool = False


@dataclass(frozen=True)
class _Produced:
    """A linear operation whose result has been seen, for a batch norm that may follow."""

    operation: LinearOperation
    local_input: Tensor
    local_output: Tensor
    inputs: list[Tensor]
    place: Place
    output: Tensor
    version: int


class LRPRulebook:
    """Gives each operation of one forward pass its rule.

    Parameters
    ----------
    settings
        What the user asked for.
    recorder
        Keeps the conservation trace; None for none.
    """

    def __init__(self, settings: LRPSettings, recorder: TraceRecorder | None = None) -> None:
        self._settings = settings
        self._recorder = recorder
        self._places: list[Place] = []
        self._count = 0
        self._produced: dict[int, _Produced] = {}

    def treat(self, call: Call, context: SurrogateMode) -> Treatment:
        """The treatment of one call."""
        name = call.name
        if name in LINEAR:
            return self._linear(call, context)
        if name in BATCH_NORM:
            return self._batch_norm(call, context)
        if name in MAX_POOL:
            return self._max_pool(call, context)
        if name in SMOOTH_ACTIVATIONS:
            return pass_through(call) or Uncovered(name)
        if name in PRODUCTS or name in QUOTIENTS:
            return self._product(call)
        if name in MATRIX_PRODUCTS:
            return self._matrix_product(call)
        if name in TRANSPARENT or name in HOMOGENEOUS_ACTIVATIONS:
            return Passed()
        return Uncovered(name)

    def check(self) -> None:
        """Check, after the forward pass, that the composite fits the model.

        Raises
        ------
        ConfigError
            If it names layers that the model does not have.
        """
        if isinstance(self._settings.composite, ByName):
            self._settings.composite.check(self._places)

    def forget(self) -> None:
        """Let go of the tensors of the forward pass, which lead back here: nothing else would free their memory."""
        self._produced.clear()

    def rule_at(self, place: Place) -> LinearRule:
        """The rule of a weight layer.

        Raises
        ------
        ConfigError
            If the rule is for layers that see the input, and this one does not.
        """
        settings = self._settings
        place = replace(place, count=self._count)
        chosen: RuleSettings | None = settings.composite(place) if settings.composite else None
        if place.sees_input and settings.input_rule is not None:
            chosen = settings.input_rule
        rule = linear_rule(chosen if chosen is not None else {}, settings.defaults)
        if rule.for_input and not place.sees_input:
            raise ConfigError(f"The rule {rule.name!r} is for layers that see the input; {place.layer!r} does not.")
        return rule

    def _linear(self, call: Call, context: SurrogateMode) -> Treatment:
        bound = bind_linear(call.function, call.args, call.kwargs)
        if bound is None:
            return Uncovered(f"{call.name} without a batch axis, or whose weights depend on the input")
        values, weight, bias, settings, options = bound
        layer = context.layer_name(call.name, weight)
        detached = None if bias is None else bias.detach()
        operation = LinearOperation(
            layer, call.name, call.function, values, weight.detach(), detached, settings, options, self._count
        )
        place = Place(layer, call.name, self._count, 0, not behind_weights(values))
        self._count += 1
        self._places.append(place)
        local = values.detach().requires_grad_(True)
        with torch.enable_grad():
            output = operation.apply(local, operation.weight, operation.bias)
        inputs = self._with_bounds(values, place, context)
        return Treated(self._grafted(operation, local, output, inputs, place, context.coverage))

    def _with_bounds(self, values: Tensor, place: Place, context: SurrogateMode) -> list[Tensor]:
        if context.bounds is None or not place.sees_input:
            return [values]
        bounds = context.bounds.of(values)
        return [values] if bounds is None else [values, *bounds]

    def _grafted(
        self,
        operation: LinearOperation,
        local: Tensor,
        output: Tensor,
        inputs: list[Tensor],
        place: Place,
        coverage: Coverage,
    ) -> Tensor:
        row = -1 if self._recorder is None else self._recorder.enter(operation.layer)

        def rule() -> LinearRule:
            chosen = self.rule_at(place)
            unknown = chosen.needs_bounds and not self._settings.bounded
            if chosen.for_input and (unknown or len(inputs) == 1):
                raise ConfigError(
                    f"The rule {chosen.name!r} at {place.layer!r} needs the bounds of its input: "
                    f"{'give input_bounds; ' if chosen.needs_bounds else 'they are followed from the pixels; '}"
                    "in front of this layer only reshaping, padding, joining and elementwise scaling may stand."
                )
            if chosen.no_negative_inputs and bool((local < 0).any()):
                coverage.negative_inputs[place.layer] += 1
            return chosen

        surrogate = LinearSurrogate(operation, local, output, rule, self._recorder, row)
        grafted = graft(output.detach(), surrogate, inputs)
        self._produced[id(grafted)] = _Produced(operation, local, output, inputs, place, grafted, grafted._version)
        return grafted

    def _batch_norm(self, call: Call, context: SurrogateMode) -> Treatment:
        norm = BatchNorm.of(call)
        if norm is None:
            return Uncovered(f"{call.name} with the statistics of the batch, or weights that depend on the input")
        produced = self._produced.get(id(norm.input))
        if produced is not None and not changed_in_place(produced.output, produced.version):
            operation = norm.folded_into(produced.operation)
            if operation is not None:
                return Treated(self._folded(call, produced, operation, context.coverage))
        followed = context.bounds is not None and context.bounds.of(norm.input) is not None
        if self._recorder is None or followed:
            return Passed()
        local = norm.input.detach().requires_grad_(True)
        with torch.enable_grad():
            output = call.on(local)
        row = self._recorder.enter(context.layer_name(call.name, norm.weight))
        return Treated(graft(output.detach(), Affine(local, output, self._recorder, row), [norm.input]))

    def _folded(self, call: Call, produced: _Produced, operation: LinearOperation, coverage: Coverage) -> Tensor:
        """The linear layer and its batch norm as one operation; the layer's own graft is passed by."""
        with torch.enable_grad():
            output = call.on(produced.local_output)
        return self._grafted(operation, produced.local_input, output, produced.inputs, produced.place, coverage)

    def _max_pool(self, call: Call, context: SurrogateMode) -> Treatment:
        kind = call.name.removesuffix("_with_indices")
        layer = context.layer_name(kind)
        place = Place(layer, kind, weighted=False)
        self._places.append(place)
        settings = self._settings
        chosen = settings.composite(place) if settings.composite else None
        rule = settings.pooling if chosen is None else pooling_rule(chosen, settings.pooling)
        return pool(call, rule, self._recorder, layer)

    @staticmethod
    def _product(call: Call) -> Treatment:
        """A product with constants is linear; a product of two things that depend on the input has no rule."""
        return Passed() if linear_in_input(call.name, call.args, call.kwargs) else Uncovered(call.name)

    def _matrix_product(self, call: Call) -> Treatment:
        """A product with a constant matrix is a layer that only LRP-0 has an answer for, which is the gradient."""
        if not linear_in_input(call.name, call.args, call.kwargs):
            return Uncovered(call.name)
        only_zero = self._settings.defaults["rule"] == "0" and self._settings.composite is None
        return Passed() if only_zero else Uncovered(f"{call.name} with a constant matrix")


def pooling_rule(settings: RuleSettings, default: PoolingRule) -> PoolingRule:
    """The rule of a max-pooling that a composite names: ``"0"`` leaves it as it is, ``"epsilon"`` stabilizes it."""
    given: dict[str, Any] = {"rule": settings} if isinstance(settings, str) else dict(settings)
    if given.get("rule") == "epsilon":
        return replace(default, stabilizer=Stabilizer.of(given.get("epsilon", _POOLING_EPSILON)))
    if given.get("rule") == "0":
        return default
    raise ConfigError(f"Max-pooling has the rules '0' and 'epsilon', not {given.get('rule')!r}.")
