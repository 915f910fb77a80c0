"""The rulebook of DeepLIFT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from nn_interpretability.engine.mode import Call, Passed, SurrogateMode, Treated, Treatment, Uncovered
from nn_interpretability.engine.operations import (
    AVERAGES,
    BATCH_NORM,
    CONTRACTIONS,
    DROPOUT,
    FUNCTIONS,
    HOMOGENEOUS_ACTIVATIONS,
    LINEAR,
    MATRIX_PRODUCTS,
    MAX_POOL,
    MONOTONE_ACTIVATIONS,
    PRODUCTS,
    QUOTIENTS,
    REORDERING,
    SMOOTH_ACTIVATIONS,
    SUMS,
    TRANSPARENT,
    LinearOperation,
    bind_linear,
    changed_in_place,
    depends_on_input,
    first_input,
    tensors_in,
    writes_in_place,
)
from nn_interpretability.engine.pairs import Pairs
from nn_interpretability.engine.surrogate import graft
from nn_interpretability.errors import ConfigError
from nn_interpretability.rules.affine import BatchNorm
from nn_interpretability.rules.composite import ByName, Composite, Place
from nn_interpretability.rules.differences import (
    Deferred,
    Slopes,
    Vicarious,
    multipliers,
)
from nn_interpretability.rules.spread import (
    NoPartsError,
    Spread,
    Watched,
    applied,
    as_it_is,
    in_magnitude,
    magnitude,
    own_sign,
    rearranged,
    summed,
)
from nn_interpretability.rules.winners import ActiveWinners, WinnersDifference, gives_indices, kept, with_winners

PoolOrder = Literal["relu_first", "as_built"]

_ACTIVATIONS = HOMOGENEOUS_ACTIVATIONS | SMOOTH_ACTIVATIONS | FUNCTIONS
_MONOTONE_IF_POSITIVE = frozenset({"leaky_relu", "elu", "celu"})


@dataclass(frozen=True)
class DeepLIFTSettings:
    """What a user asked of DeepLIFT.

    Attributes
    ----------
    rule
        Rule of nonlinearities: ``"rescale"`` or ``"reveal_cancel"``; ``"gradient"`` (no rule at all) is for
        comparisons only, and not complete.
    composite
        Rules by place, or None. A nonlinearity stands at its own place, and at that of the weight layer before it.
    pool_order
        Whether a nonlinearity right behind a max-pooling is taken in front of it.
    linear_rule
        Whether linear layers split differences into parts. False is for comparisons only.
    """

    rule: str = "rescale"
    composite: Composite | None = None
    pool_order: PoolOrder = "relu_first"
    linear_rule: bool = True

    @property
    def complete(self) -> bool:
        """Whether contributions sum to the difference of the scores."""
        return self.rule != "gradient"


@dataclass(frozen=True)
class _Pooled:
    """A max-pooling whose result has been seen, for a nonlinearity that may follow."""

    call: Call
    before: Watched
    kept: Tensor
    known: _Known


@dataclass(frozen=True)
class _Known:
    """What is known of a tensor, good until somebody writes into it."""

    version: int = -1
    kind: str = "input"
    place: Place | None = None
    spread: Spread | None = None
    pooled: _Pooled | None = None


class DeepLIFTRulebook:
    """Gives each operation of one forward pass over images and references its rule.

    Parameters
    ----------
    settings
        What the user asked for.
    pairs
        How images and references lie in the batch.
    """

    def __init__(self, settings: DeepLIFTSettings, pairs: Pairs) -> None:
        self._settings = settings
        self._pairs = pairs
        self._places: list[Place] = []
        self._count = 0
        self._known: Any = WeakIdKeyDictionary()  # weak, or nothing would free the tensors of a forward pass

    def treat(self, call: Call, context: SurrogateMode) -> Treatment:
        """The treatment of one call."""
        name = call.name
        if name in LINEAR:
            return self._linear(call, context)
        if name in BATCH_NORM:
            return self._batch_norm(call)
        if name in MAX_POOL:
            return self._max_pool(call, context)
        if name in _ACTIVATIONS:
            return self._activation(call, context)
        if name in PRODUCTS or name in QUOTIENTS or name in MATRIX_PRODUCTS:
            return self._product(call)
        if name in TRANSPARENT:
            return self._transparent(call)
        return Uncovered(f"{name} (explain the scores before it)" if "softmax" in name else name)

    def check(self) -> None:
        """Check, after the forward pass, that the rules by name fit the model.

        Raises
        ------
        ConfigError
            If they name layers that the model does not have.
        """
        if isinstance(self._settings.composite, ByName):
            self._settings.composite.check(self._places)

    # What is known of a tensor

    def _lookup(self, tensor: Tensor) -> _Known:
        known: _Known | None = self._known.get(tensor)
        return known if known is not None and known.version == tensor._version else _Known()

    def _remember(
        self,
        results: Any,
        call: Call,
        place: Place | None,
        spread: Callable[[int], Spread | None] | None = None,
        pooled: _Pooled | None = None,
    ) -> None:
        several = results if isinstance(results, list | tuple) else [results]
        for index, result in enumerate(several):
            if isinstance(result, Tensor) and result.requires_grad:
                made = spread(index) if spread is not None and self._settings.linear_rule else None
                self._known[result] = _Known(result._version, call.name, place, made, pooled)

    def _latest_place(self, operands: list[Tensor]) -> Place | None:
        places = [known.place for known in map(self._lookup, operands) if known.place is not None]
        return max(places, key=lambda place: place.index, default=None)

    def _spread_of(self, tensor: Tensor, *, kept: bool = True) -> Spread:
        """The parts that a tensor has, or else the magnitude of its difference; ``kept`` False if it is overwritten."""
        known = self._lookup(tensor)
        if known.spread is not None:
            return known.spread
        return own_sign(self._pairs, Watched.now(tensor if kept else tensor.clone()), known.kind)

    # Linear operations

    def _linear(self, call: Call, context: SurrogateMode) -> Treatment:
        bound = bind_linear(call.function, call.args, call.kwargs)
        if bound is None:
            return Uncovered(f"{call.name} without a batch axis, or whose weights depend on the input")
        values, weight, bias, settings, options = bound
        layer = context.layer_name(call.name, weight)
        place = Place(layer, call.name, self._count)
        operation = LinearOperation(layer, call.name, call.function, values, weight.detach(), None, settings, options)
        self._count += 1
        self._places.append(place)
        result, before = operation.apply(values, operation.weight, bias), Watched.now(values)

        def spread() -> Tensor:
            return operation.apply(magnitude(self._pairs, before.get()), operation.weight.abs(), None)

        self._remember(result, call, place, lambda _: Spread(spread))
        return Treated(result)

    def _batch_norm(self, call: Call) -> Treatment:
        norm = BatchNorm.of(call)
        if norm is None:
            return Uncovered(f"{call.name} with the statistics of the batch, or weights that depend on the input")
        known = self._lookup(norm.input)
        result = call.run()
        factor = norm.scale.abs().reshape(1, -1, *([1] * (norm.input.dim() - 2)))
        before = known.spread
        spread = None if before is None else Spread(lambda: before.get() * factor, before.own_sign)
        self._remember(result, call, known.place, lambda _: spread)
        return Passed(result)

    def _transparent(self, call: Call) -> Treatment:
        if call.name in DROPOUT and _is_random(call):
            return self._random_dropout(call)
        operands = depends_on_input(tensors_in((call.args, call.kwargs)))
        place = self._latest_place(operands)
        spread = self._transparent_spread(call, operands)
        first, version = operands[0], operands[0]._version
        result = call.run()
        if call.name in REORDERING and isinstance(result, Tensor) and not _same_first_axis(first, result):
            return Uncovered(f"{call.name} of the batch axis")
        if result is first and not changed_in_place(first, version):
            return Passed(result)  # dropout that is off, contiguous, and the like hand back the very tensor
        self._remember(result, call, place, spread)
        return Passed(result)

    def _transparent_spread(self, call: Call, operands: list[Tensor]) -> Callable[[int], Spread | None] | None:
        """How the parts of the result follow from those of the operands; None where it is by its own sign."""
        if call.name in {"copy", "setitem"} or not self._settings.linear_rule:
            return None
        mixes = len(operands) > 1 if call.name in SUMS else call.name in AVERAGES
        if not mixes and all(self._lookup(operand).spread is None for operand in operands):
            return None
        if call.name in AVERAGES and call.kwargs.get("mode") in {"bicubic", "lanczos"}:
            return None
        overwritten = writes_in_place(call.function)
        spreads = [self._spread_of(t, kept=not (overwritten and i == 0)) for i, t in enumerate(operands)]
        if call.name in SUMS:
            shape = torch.broadcast_shapes(*(t.shape for t in call.args[:2] if isinstance(t, Tensor)))
            whole = summed(spreads, [1.0, float(call.kwargs.get("alpha", 1))][: len(spreads)], shape)
            return lambda _: whole
        return rearranged(call, {id(tensor): spread for tensor, spread in zip(operands, spreads, strict=True)})

    def _random_dropout(self, call: Call) -> Treatment:
        """An image and its reference see the same mask."""
        before = first_input(call.args, call.kwargs)
        if before is None or self._pairs.images != self._pairs.references or not self._pairs.fits(before):
            return Uncovered(f"{call.name} in training, with one reference for all images")
        mask = call.on(torch.ones_like(before.detach()[: len(before) // 2]))
        factor = torch.cat([mask, mask])
        known = self._lookup(before)
        spread = known.spread
        result = before * factor
        scaled = None if spread is None else Spread(lambda: spread.get() * factor.abs(), spread.own_sign)
        self._remember(result, call, known.place, lambda _: scaled)
        return Passed(result)

    # Products

    def _product(self, call: Call) -> Treatment:
        operands = list({id(t): t for t in depends_on_input(tensors_in((call.args, call.kwargs)))}.values())
        divisor = _divisor(call)
        if isinstance(divisor, Tensor) and divisor.requires_grad:
            return self._quotient(call, operands)
        if len(depends_on_input(tensors_in((call.args, call.kwargs)))) == 1:
            return self._scaled(call, operands[0])
        if not all(self._pairs.fits(operand) for operand in operands):
            return Uncovered(f"{call.name} on a tensor whose first axis is not the batch")
        if call.name in MATRIX_PRODUCTS and min(operand.dim() for operand in operands) < 3 and call.name != "bilinear":
            return Uncovered(f"{call.name} across images")
        return self._vicarious(call, operands, call)

    def _scaled(self, call: Call, operand: Tensor) -> Treatment:
        """A product with constants is a linear layer: of single values, or of a matrix."""
        known = self._lookup(operand)
        before = Watched.now(operand)
        spread: Spread | None = None
        if call.name in CONTRACTIONS:
            by_total = Spread(lambda: magnitude(self._pairs, before.get()))
            spread = Spread(lambda: applied(call, {id(operand): by_total}, in_magnitude))
        elif known.spread is not None and call.name not in MATRIX_PRODUCTS:
            held = known.spread
            spread = Spread(lambda: _factored(call, {id(operand): held}), held.own_sign)
        result = call.run()
        self._remember(result, call, known.place, lambda _: spread)
        return Passed(result)

    def _vicarious(self, call: Call, operands: list[Tensor], function: Call) -> Treatment:
        """The gradient at the mean of input and reference, which is exact for products of two."""
        leaves = [self._pairs.mean(operand).requires_grad_(True) for operand in operands]
        local = {id(operand): leaf for operand, leaf in zip(operands, leaves, strict=True)}
        with torch.enable_grad():
            output = _called(function, {key: leaf.clone() for key, leaf in local.items()})
        copies = {id(operand): operand.detach().clone() for operand in operands}
        first = call.args[0] if isinstance(call.args[0], Tensor) else None
        version = 0 if first is None or id(first) not in copies else copies[id(first)]._version
        value = _called(call, copies)
        in_place = first is not None and id(first) in copies and changed_in_place(copies[id(first)], version)
        result = graft(value, Vicarious(output, leaves), operands)
        if in_place and first is not None:
            result = first.copy_(result)
        self._remember(result, call, self._latest_place(operands))
        return Treated(result)

    def _quotient(self, call: Call, operands: list[Tensor]) -> Treatment:
        """A quotient x / y is the product of x and 1 / y, whose Rescale multiplier is -1 / (y y0)."""
        divisor = _divisor(call)
        dividend = call.args[1] if call.name.startswith("r") else call.args[0]
        if call.kwargs.get("rounding_mode") is not None or not all(map(self._pairs.fits, operands)):
            return Uncovered(f"{call.name} with rounding, or on a tensor whose first axis is not the batch")
        image, reference = self._pairs.split(divisor)
        per_dividend = self._pairs.padded((1 / image + 1 / reference) / 2)
        per_divisor = self._pairs.padded((-1 / (image * reference)).expand_as(image))
        mean = self._pairs.mean(dividend) if isinstance(dividend, Tensor) and dividend.requires_grad else dividend
        leaves = [operand.detach().requires_grad_(True) for operand in operands]
        local = {id(operand): leaf for operand, leaf in zip(operands, leaves, strict=True)}
        with torch.enable_grad():
            output = mean * per_divisor * local[id(divisor)]
            if isinstance(dividend, Tensor) and dividend.requires_grad:
                output = output + per_dividend * local[id(dividend)]
        value = _called(call, {id(operand): operand.detach().clone() for operand in operands})
        result = graft(value, Vicarious(output, leaves), operands)
        if call.name in {"idiv", "itruediv"}:
            result = call.args[0].copy_(result)
        self._remember(result, call, self._latest_place(operands))
        return Treated(result)

    # Nonlinearities

    def _activation(self, call: Call, context: SurrogateMode) -> Treatment:
        before = first_input(call.args, call.kwargs)
        depending = depends_on_input(tensors_in((call.args, call.kwargs)))
        if before is None or len(depending) != 1 or depending[0] is not before:
            return Uncovered(f"{call.name} whose settings depend on the input")
        if not self._pairs.fits(before):
            return Uncovered(f"{call.name} on a tensor whose first axis is not the batch")
        known = self._lookup(before)
        own = Place(context.layer_name(call.name), call.name)
        self._places.append(own)
        scratch = before.detach().clone()
        version = scratch._version
        with torch.no_grad():
            after = call.on(scratch)
        in_place = changed_in_place(scratch, version)
        rule = self._rule_at(own, known.place)
        result, spread, note = self._rectified(call, rule, before, known, after, in_place=in_place)
        result = before.copy_(result) if in_place else result
        self._remember(result, call, known.place, lambda _: spread)
        return Treated(result, f"{call.name} ({note})")

    def _rule_at(self, own: Place, layer: Place | None) -> str:
        composite = self._settings.composite
        if composite is not None:
            for place in (own, layer):
                chosen = None if place is None else composite(place)
                if isinstance(chosen, str):
                    return chosen
        return self._settings.rule

    def _rectified(
        self, call: Call, rule: str, before: Tensor, known: _Known, after: Tensor, *, in_place: bool
    ) -> tuple[Tensor, Spread | None, str]:
        """The result of a nonlinearity, its parts, and what to say of it in the log."""
        pooled = known.pooled
        if pooled is not None and self._settings.pool_order == "relu_first" and _is_monotone(call):
            if not pooled.before.changed:
                return self._rectified_before_pooling(call, rule, pooled, after)
            result, spread, note = self._ruled(call, rule, before, known, after, in_place=in_place)
            return result, spread, f"{note}; behind max-pooling, whose input was overwritten"
        return self._ruled(call, rule, before, known, after, in_place=in_place)

    def _rectified_before_pooling(
        self, call: Call, rule: str, pooled: _Pooled, after: Tensor
    ) -> tuple[Tensor, Spread | None, str]:
        unpooled, known = pooled.before.get(), pooled.known
        if known.pooled is not None:  # two poolings in a row
            with torch.no_grad():
                early = call.on(unpooled.detach().clone())
            active, _, note = self._rectified(call, rule, unpooled, known, early, in_place=False)
            surrogate = Deferred(lambda: WinnersDifference(self._pairs, pooled.call, active.detach()))
            return graft(after, surrogate, [active]), None, f"{note}, before max-pooling"
        parts, note = self._parts(rule, unpooled, known)
        spread = () if parts is None else (parts.get(),)
        given = [each.detach() for each in spread]
        surrogate = Deferred(lambda: ActiveWinners(self._pairs, pooled.call, call, rule, pooled.kept, *given))
        return graft(after, surrogate, [unpooled, *spread]), None, f"{note}, before max-pooling"

    def _ruled(
        self, call: Call, rule: str, before: Tensor, known: _Known, after: Tensor, *, in_place: bool
    ) -> tuple[Tensor, Spread | None, str]:
        ends = self._pairs.split(before), self._pairs.split(after)
        parts, note = self._parts(rule, before, known)
        given = None if parts is None else parts.get().detach()[: len(ends[0][0])]
        both, *others = map(self._pairs.padded, multipliers(rule, call.on, *ends, given))
        handed = known.spread
        if parts is None:
            spread = None if handed is None else Spread(lambda: handed.get() * both.abs(), handed.own_sign)
            return graft(after, Slopes(both), [before]), spread, note
        (apart,) = others
        total = before.clone() if in_place else before
        result = graft(after, Slopes(both, apart), [total, parts.get()])
        watched = Watched.now(total)

        def spread_after() -> Tensor:
            images, references = self._pairs.split(watched.get())
            difference = self._pairs.padded(images - references)
            return apart * graft(difference, Slopes(torch.ones_like(both)), [total]) + both * parts.get()

        return result, None if handed is None else Spread(spread_after, parts.own_sign), note

    def _parts(self, rule: str, before: Tensor, known: _Known) -> tuple[Spread | None, str]:
        """The parts of a nonlinearity's input, if its rule asks; by own sign where not known, which the log says."""
        if rule != "reveal_cancel":
            return None, rule
        if known.spread is not None:
            try:
                known.spread.get()
            except NoPartsError as reason:
                return own_sign(self._pairs, Watched.now(before), known.kind), f"reveal_cancel; parts {reason}"
            names = ", ".join(sorted(known.spread.own_sign))
            return known.spread, f"reveal_cancel; {names} by own sign" if names else "reveal_cancel"
        return own_sign(self._pairs, Watched.now(before), known.kind), f"reveal_cancel; {known.kind} by own sign"

    def _max_pool(self, call: Call, context: SurrogateMode) -> Treatment:
        before = first_input(call.args, call.kwargs)
        if before is None or not self._pairs.fits(before) or before.dim() < 3:
            return Uncovered(f"{call.name} without a batch axis")
        known = self._lookup(before)
        kind = call.name.removesuffix("_with_indices")
        self._places.append(Place(context.layer_name(kind), kind))
        copied = kept(before)
        value, indices = with_winners(call, copied)
        # Not needed where a nonlinearity follows; then the winners, which take longest, are not looked for.
        surrogate = Deferred(lambda: WinnersDifference(self._pairs, call, copied))
        result = graft(value, surrogate, [before])
        self._remember(result, call, known.place, pooled=_Pooled(call, Watched.now(before), copied, known))
        return Treated((result, indices) if gives_indices(call) else result)


def check_rule(rule: Any) -> None:
    """Make sure that a rule of nonlinearities exists.

    Raises
    ------
    ConfigError
        If it does not.
    """
    if rule not in ("rescale", "reveal_cancel"):
        raise ConfigError(f"rule={rule!r} is not allowed: choose 'rescale' or 'reveal_cancel'.")


def _same_first_axis(before: Tensor, after: Tensor) -> bool:
    return after.dim() > 0 and len(after) == len(before) and after.stride(0) == before.stride(0)


def _is_random(call: Call) -> bool:
    """Whether a dropout drops anything."""
    order = {"dropout": ("input", "p", "training")}.get(call.name, ("input", "p", "training"))
    given = {**dict(zip(order, call.args, strict=False)), **call.kwargs}
    default = call.function is not torch.dropout and not call.name.startswith("alpha")
    return bool(given.get("training", given.get("train", default))) and given.get("p", 0.5) > 0


def _is_monotone(call: Call) -> bool:
    if call.name in _MONOTONE_IF_POSITIVE:
        numbers = [value for value in (*call.args[1:], *call.kwargs.values()) if isinstance(value, int | float)]
        return all(number >= 0 for number in numbers)
    return call.name in MONOTONE_ACTIVATIONS


def _divisor(call: Call) -> Any:
    if call.name not in QUOTIENTS:
        return None
    if call.name.startswith("r"):
        return call.args[0]
    return call.args[1] if len(call.args) > 1 else call.kwargs.get("other")


def _called(call: Call, tensors: dict[int, Tensor]) -> Tensor:
    """The call with other tensors in place of some of its own."""
    spreads = {key: Spread(lambda value=value: value) for key, value in tensors.items()}  # type: ignore[misc]
    result: Tensor = applied(call, spreads, as_it_is)
    return result


def _factored(call: Call, spreads: dict[int, Spread]) -> Tensor:
    result: Tensor = applied(call, spreads, in_magnitude)
    return result
