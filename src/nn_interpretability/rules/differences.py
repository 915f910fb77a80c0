r"""The differences from a reference, element by element: slopes of nonlinearities.

Every operation sees the input :math:`x` and the reference :math:`x^0`, with :math:`\Delta x = x - x^0`. Some tensors
know in addition what their difference is a sum of: the positive part :math:`\Delta x^+` and the negative part
:math:`\Delta x^-` of its contributions (Shrikumar et al. 2017, section 3.2). Both follow from the difference and its

.. math:: \text{spread } D = \Delta x^+ - \Delta x^-, \qquad \Delta x^\pm = \tfrac12 (\Delta x \pm D),

which for a linear layer is :math:`\sum_i |w_i \Delta x_i|`: one more pass through the layer, with absolute values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from nn_interpretability.engine.surrogate import Surrogate

Function = Callable[[Tensor], Tensor]

_ROUNDING = 32  # units in the last place within which a difference counts as zero


class Slopes(Surrogate):
    """An operation that is elementwise linear on the way back: one slope for each of its inputs."""

    def __init__(self, *slopes: Tensor) -> None:
        self._slopes = slopes

    def pull(self, gradient: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
        """The gradient times each slope."""
        return [gradient * slope for slope in self._slopes]


class Vicarious(Surrogate):
    """The backward pass of another function of the same inputs, given as its own little graph."""

    def __init__(self, local_output: Tensor, local_inputs: Sequence[Tensor]) -> None:
        self._output, self._inputs = local_output, list(local_inputs)

    def pull(self, gradient: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
        """The gradient through that function."""
        return torch.autograd.grad(self._output, self._inputs, gradient, retain_graph=True)


def vanishes(difference: Tensor, *sizes: Tensor) -> Tensor:
    """Where a difference is no larger than the rounding of the numbers of these sizes."""
    scale = sizes[0].abs()
    for size in sizes[1:]:
        scale = scale + size.abs()
    return difference.abs() <= _ROUNDING * torch.finfo(difference.dtype).eps * scale


def sign_of_difference(images: Tensor, references: Tensor) -> Tensor:
    """The sign of the difference, 0 where it is nothing but rounding."""
    difference = images - references
    return torch.where(vanishes(difference, images, references), 0.0, difference.sign())


def derivative(function: Function, points: Tensor, side: Literal["below", "at", "above"] = "at") -> Tensor:
    """The derivative of an elementwise function, at points or at their nearest neighbour on one side."""
    points = points.detach()
    if side != "at":
        towards = torch.full_like(points, torch.inf if side == "above" else -torch.inf)
        # The neighbour of 0 is a subnormal number, which some processors take for 0.
        tiny = torch.finfo(points.dtype).tiny if side == "above" else -torch.finfo(points.dtype).tiny
        points = torch.where(points == 0, tiny, torch.nextafter(points, towards))
    with torch.enable_grad():
        leaf = points.requires_grad_(True)
        values = function(leaf.clone())
        (slope,) = torch.autograd.grad(values, leaf, torch.ones_like(values))
    return slope


def rescale_slope(
    function: Function, images: Tensor, references: Tensor, after: Tensor, after_reference: Tensor
) -> Tensor:
    r"""The multiplier of the Rescale rule, :math:`\Delta y / \Delta x`; in the limit, the slope at the reference.

    Parameters
    ----------
    function
        The elementwise nonlinearity.
    images, references
        Its input, and the reference of its input.
    after, after_reference
        Its values there.
    """
    difference = images - references
    near = vanishes(difference, images, references)
    slope = (after - after_reference) / torch.where(near, 1.0, difference)
    return torch.where(near, derivative(function, references), slope) if bool(near.any()) else slope


def reveal_cancel_slopes(
    function: Function,
    images: Tensor,
    references: Tensor,
    after: Tensor,
    after_reference: Tensor,
    spread: Tensor,
) -> tuple[Tensor, Tensor]:
    r"""The multipliers of the RevealCancel rule for both parts of the difference.

    .. math:: \Delta y^+ = \tfrac12 [f(x^0 + \Delta x^+) - f(x^0)]
                         + \tfrac12 [f(x^0 + \Delta x^- + \Delta x^+) - f(x^0 + \Delta x^-)],
              \qquad m^+ = \Delta y^+ / \Delta x^+,

    and likewise for the negative part. For a vanishing part the limit is exact: the mean of the derivatives at the two
    points the part is added to, from the side that it adds to.

    Parameters
    ----------
    function, images, references, after, after_reference
        As for :func:`rescale_slope`.
    spread
        Positive part minus negative part of the difference.

    Returns
    -------
    Tensor, Tensor
        The multipliers of the positive and the negative part.
    """
    difference = images - references
    up, down = (difference + spread) / 2, (difference - spread) / 2
    with torch.no_grad():
        after_up, after_down = function(references + up), function(references + down)
    change_up = ((after_up - after_reference) + (after - after_down)) / 2
    change_down = ((after_down - after_reference) + (after - after_up)) / 2
    slopes = []
    for part, change, side in ((up, change_up, "above"), (down, change_down, "below")):
        near = vanishes(part, images, references)
        slope = change / torch.where(near, 1.0, part)
        if bool(near.any()):
            # Without this part the other one is the whole difference, so that its end is the input itself.
            limit = (derivative(function, references, side) + derivative(function, images, side)) / 2  # type: ignore[arg-type]
            slope = torch.where(near, limit, slope)
        slopes.append(slope)
    return slopes[0], slopes[1]


def multipliers(
    rule: str,
    function: Function,
    before: tuple[Tensor, Tensor],
    after: tuple[Tensor, Tensor],
    spread: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """The multiplier of the whole difference; with RevealCancel, and then that of its spread.

    Parameters
    ----------
    rule
        ``"rescale"``, ``"reveal_cancel"``, or ``"gradient"`` for the plain derivative.
    function
        The elementwise nonlinearity.
    before, after
        Its inputs and its values, of images and references.
    spread
        Positive part minus negative part of the difference; for RevealCancel.
    """
    if rule == "gradient":
        return (derivative(function, before[0]),)
    if rule == "rescale" or spread is None:
        return (rescale_slope(function, *before, *after),)
    up, down = reveal_cancel_slopes(function, *before, *after, spread)
    return (up + down) / 2, (up - down) / 2


class Deferred(Surrogate):
    """A surrogate that is made when relevance arrives: what no relevance reaches costs nothing."""

    def __init__(self, make: Callable[[], Surrogate]) -> None:
        self._make = make
        self._made: Surrogate | None = None

    def pull(self, gradient: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
        """What the surrogate says."""
        if self._made is None:
            self._made = self._make()
        return self._made.pull(gradient, inputs)
