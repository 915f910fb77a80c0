"""Where the parts of a difference come from, operation by operation, worked out only when a rule asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nn_interpretability.engine.mode import Call
from nn_interpretability.engine.operations import changed_in_place, writes_in_place
from nn_interpretability.engine.pairs import Pairs
from nn_interpretability.engine.surrogate import graft
from nn_interpretability.rules.differences import Slopes, sign_of_difference

_JOINING = frozenset({"cat", "concat", "concatenate", "stack", "hstack", "vstack"})
_FILLING = frozenset({"pad", "constant_pad_nd"})


class NoPartsError(Exception):
    """The parts of a difference cannot be had; the message says why, in a word or two."""


@dataclass(frozen=True)
class Watched:
    """A tensor as it was at some moment."""

    tensor: Tensor
    version: int

    @classmethod
    def now(cls, tensor: Tensor) -> Watched:
        """The tensor as it is."""
        return cls(tensor, tensor._version)

    @property
    def changed(self) -> bool:
        """Whether somebody wrote into it since."""
        return changed_in_place(self.tensor, self.version)

    def get(self) -> Tensor:
        """The tensor, if nobody did."""
        if self.changed:
            raise NoPartsError("overwritten")
        return self.tensor


@dataclass
class Spread:
    """The spread of a tensor's difference: a tracked tensor, made when first asked for.

    Attributes
    ----------
    make
        Computes it from the spreads and values of the tensors before.
    own_sign
        Kinds of operation that had no parts to hand on, so that the sign of their whole difference decides.
    """

    make: Callable[[], Tensor]
    own_sign: frozenset[str] = frozenset()
    _made: Tensor | None = field(default=None, repr=False)

    def get(self) -> Tensor:
        """The spread.

        Raises
        ------
        NoPartsError
            If a tensor that it depends on has been written into, or does not hold images and references.
        """
        if self._made is None:
            self._made = self.make()
        return self._made


def own_sign(pairs: Pairs, tensor: Watched, kind: str) -> Spread:
    """The spread of a difference that is one part alone, by its own sign: its magnitude."""
    return Spread(lambda: magnitude(pairs, tensor.get()), frozenset({kind}))


def magnitude(pairs: Pairs, tensor: Tensor) -> Tensor:
    """The magnitude of a tensor's difference; on the way back, its sign (0 where it vanishes: both parts alike)."""
    if not pairs.fits(tensor):
        raise NoPartsError("across images")
    images, references = pairs.split(tensor)
    sign = sign_of_difference(images, references)
    return graft(pairs.padded(sign * (images - references)), Slopes(pairs.padded(sign)), [tensor])


def applied(call: Call, spreads: Mapping[int, Spread], others: Callable[[Any], Any]) -> Any:
    """The same call on spreads instead of the tensors they belong to, and on ``others`` of all other arguments."""
    in_place = writes_in_place(call.function)

    def replaced(value: Any) -> Any:
        if isinstance(value, Tensor) and id(value) in spreads:
            spread = spreads[id(value)].get()
            return spread.clone() if in_place else spread
        if isinstance(value, list | tuple):
            return type(value)(replaced(item) for item in value)
        if isinstance(value, dict):
            return {key: replaced(item) for key, item in value.items()}
        return others(value)

    return call.function(*replaced(call.args), **replaced(call.kwargs))


def summed(spreads: Sequence[Spread], factors: Sequence[float], shape: torch.Size) -> Spread:
    """The spread of a sum or difference of tensors: parts of equal sign add up."""

    def make() -> Tensor:
        terms = [
            spread.get() if factor == 1 else spread.get() * abs(factor)
            for spread, factor in zip(spreads, factors, strict=True)
        ]
        return (terms[0] if len(terms) == 1 else terms[0] + terms[1]).expand(shape)

    return Spread(make, _signs(spreads))


def rearranged(call: Call, spreads: Mapping[int, Spread]) -> Callable[[int], Spread]:
    """The spread of each result of a call that moves, joins or averages values: the same call on the spreads.

    Parameters
    ----------
    call
        The call.
    spreads
        By identity of the tensors that it was made on.
    """
    made: list[Any] = []

    def results() -> Any:
        if not made:
            found = applied(call, spreads, nothing_of if call.name in _JOINING else as_it_is)
            if call.name in _FILLING:  # what it fills in is the same for image and reference
                blank = {key: Spread(partial(_blank, spread)) for key, spread in spreads.items()}
                found = found - applied(call, blank, as_it_is)
            made.append(found)
        return made[0]

    def result(index: int) -> Tensor:
        found: Any = results()
        part: Tensor = found if isinstance(found, Tensor) else found[index]
        return part

    return lambda index: Spread(partial(result, index), _signs(list(spreads.values())))


def _blank(spread: Spread) -> Tensor:
    return torch.zeros_like(spread.get())


def _signs(spreads: Sequence[Spread]) -> frozenset[str]:
    return frozenset[str]().union(*(spread.own_sign for spread in spreads))


def as_it_is(value: Any) -> Any:
    """The value."""
    return value


def in_magnitude(value: Any) -> Any:
    """The magnitude of a factor."""
    return value.abs() if isinstance(value, Tensor) else abs(value) if isinstance(value, int | float) else value


def nothing_of(value: Any) -> Any:
    """Zero in place of a constant tensor."""
    return torch.zeros_like(value) if isinstance(value, Tensor) else value
