"""Max-pooling in DeepLIFT: the winner of each window, and a nonlinearity that is taken in front of the pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from nn_interpretability.engine.mode import Call
from nn_interpretability.engine.pairs import Pairs
from nn_interpretability.engine.surrogate import Surrogate
from nn_interpretability.rules.differences import multipliers

_POOL_ARGUMENTS = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_ADAPTIVE_ARGUMENTS = ("input", "output_size", "return_indices")


class WinnersDifference(Surrogate):
    r"""Max-pooling that hands on exactly the difference of its output.

    With the larger of both outputs, :math:`t = \max(y, y^0)`, the winner of the input gets :math:`t - y^0` and the
    winner of the reference :math:`y - t`: one of them is zero. Windows whose outputs tie give no credit, also where
    their winners differ. A value that wins several windows collects from all of them.

    Parameters
    ----------
    pairs
        How images and references lie in the batch.
    call
        The max-pooling.
    before
        What it is made on.
    """

    def __init__(self, pairs: Pairs, call: Call, before: Tensor) -> None:
        self._pairs, self._shape = pairs, before.shape
        after, winners = with_winners(call, before)
        after_image, after_reference = pairs.split(after)
        self._winner = torch.where(after_image >= after_reference, *pairs.split(winners)).flatten(2)
        difference = torch.sub(*self.at_winners(before))
        change = (after_image - after_reference).flatten(2)
        self._slope = torch.where(difference == 0, 1.0, change / difference)

    def at_winners(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Values of images and references where each window has its winner, shape ``(images, channels, windows)``."""
        images, references = self._pairs.split(values)
        base = references.expand_as(images).flatten(2)
        return images.flatten(2).gather(2, self._winner), base.gather(2, self._winner)

    def moved(self, gradient: Tensor) -> Tensor:
        """The gradient of each window at its winner, shape ``(images, channels, windows)``."""
        return gradient[: len(self._winner)].flatten(2) * self._slope

    def collected(self, moved: Tensor) -> Tensor:
        """The sum at each winner; zero elsewhere, and in the rows of the references."""
        whole = moved.new_zeros(self._shape)
        whole[: len(moved)].flatten(2).scatter_add_(2, self._winner, moved)
        return whole

    def pull(self, gradient: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
        """The gradient of each window to the winner that the difference is due to."""
        return (self.collected(self.moved(gradient)),)


class ActiveWinners(Surrogate):
    """A nonlinearity and a max-pooling behind it: only the winners get relevance, so the rule is worked out for them.

    Parameters
    ----------
    pairs
        How images and references lie in the batch.
    pooling, nonlinearity
        The calls.
    rule
        Of the nonlinearity, as for :func:`~nn_interpretability.rules.differences.multipliers`.
    before
        What the nonlinearity is made on.
    spread
        Its spread, for RevealCancel; it then has a multiplier of its own.
    """

    def __init__(
        self, pairs: Pairs, pooling: Call, nonlinearity: Call, rule: str, before: Tensor, spread: Tensor | None = None
    ) -> None:
        with torch.no_grad():
            active = nonlinearity.on(before.clone())
        self._winners = WinnersDifference(pairs, pooling, active)
        at_winners = self._winners.at_winners
        parts = None if spread is None else at_winners(spread)[0]
        self._slopes = multipliers(rule, nonlinearity.on, at_winners(before), at_winners(active), parts)

    def pull(self, gradient: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
        """The gradient of each window, times the multipliers of its winner."""
        moved = self._winners.moved(gradient)
        return [self._winners.collected(moved * slope) for slope in self._slopes]


def gives_indices(call: Call) -> bool:
    """Whether a max-pooling returns the winners of its windows, too."""
    return call.name.endswith("_with_indices") or bool(_settings(call).get("return_indices"))


def kept(values: Tensor) -> Tensor:
    """A copy to pool: of pictures with their channels last, which takes a quarter of the time."""
    faster = torch.channels_last if values.dim() == 4 else torch.contiguous_format
    return values.detach().clone(memory_format=faster)


def with_winners(call: Call, values: Tensor) -> tuple[Tensor, Tensor]:
    """A max-pooling of other values, best such as :func:`kept` made, and the winner of each window."""
    settings = {**_settings(call), "input": values, "return_indices": True}
    with torch.no_grad():
        found, winners = getattr(functional, call.name.removesuffix("_with_indices"))(**settings)
    return found.contiguous(), winners.contiguous()


def _settings(call: Call) -> dict[str, Any]:
    names = _ADAPTIVE_ARGUMENTS if call.name.startswith("adaptive") else _POOL_ARGUMENTS
    return {**dict(zip(names, call.args, strict=False)), **call.kwargs}
