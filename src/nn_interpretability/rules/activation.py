"""Activations: a backward pass of one's own, above all relevance that passes unchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nn_interpretability.engine.mode import Call, Treated
from nn_interpretability.engine.operations import changed_in_place, first_input
from nn_interpretability.engine.surrogate import Surrogate, graft


class Secant(Surrogate):
    r"""Relevance passes through an activation :math:`y = f(z)`: the slope is the secant :math:`y / z`.

    For a ReLU the secant is its derivative; for sigmoid, SiLU and the like it is not. Where :math:`z = 0` nothing can
    be represented as input times slope; there the slope is 0.
    """

    def __init__(self, before: Tensor, after: Tensor) -> None:
        self._slope = torch.where(before == 0, 0.0, after / before)

    def pull(self, gradient: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
        """The gradient times the secant."""
        return (gradient * self._slope,)


def replaced(call: Call, surrogate: Callable[[Tensor, Tensor], Surrogate]) -> Treated | None:
    """Run an elementwise activation with another backward pass; None where its input is not the first argument.

    An in-place activation writes its result into its input, as the model expects.

    Parameters
    ----------
    call
        The activation.
    surrogate
        Makes the backward pass from the values before and after the activation, both detached.
    """
    before = first_input(call.args, call.kwargs)
    if before is None or not before.requires_grad:
        return None
    scratch = before.detach().clone()
    version = scratch._version
    with torch.no_grad():
        after = call.on(scratch)
    in_place = changed_in_place(scratch, version)
    grafted = graft(after, surrogate(before.detach(), after), [before])
    return Treated(before.copy_(grafted) if in_place else grafted)


def pass_through(call: Call) -> Treated | None:
    """Run an elementwise activation with the secant as slope; None where its input is not the first argument."""
    return replaced(call, Secant)
