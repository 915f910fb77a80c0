"""Max-pooling: the winner of a window takes its relevance, or each value gets its proportion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import torch
from torch import Tensor
from torch.nn import functional

from nn_interpretability.engine.mode import Call, Passed, Treated, Treatment, Uncovered
from nn_interpretability.engine.stabilizer import Stabilizer
from nn_interpretability.engine.surrogate import Surrogate, graft
from nn_interpretability.engine.trace import TraceRecorder

_ARGUMENTS = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")


@dataclass(frozen=True)
class PoolingRule:
    """How max-pooling passes relevance on.

    Attributes
    ----------
    share
        ``"winner"``: all to the largest value of the window, the first one of equals. ``"proportional"``: to each
        value in proportion, as if the window were averaged.
    stabilizer
        Added to the denominator; the 2020 study did so in its epsilon rule, and lost relevance there.
    """

    share: Literal["winner", "proportional"] = "winner"
    stabilizer: Stabilizer = field(default_factory=Stabilizer)

    @property
    def plain(self) -> bool:
        """Whether this is the ordinary gradient."""
        return self.share == "winner" and self.stabilizer.adds_nothing

    @property
    def name(self) -> str:
        """The name used in a trace."""
        return self.share if self.stabilizer.adds_nothing else f"{self.share}, stabilized"


class Proportional(Surrogate):
    r"""Relevance goes back in proportion to contributions: slope of the numerator times value / denominator.

    Parameters
    ----------
    local_input, numerator
        A detached input, and the sum of contributions computed from it.
    value
        The true value of the operation.
    stabilizer
        Added to the denominator.
    """

    def __init__(
        self,
        local_input: Tensor,
        numerator: Tensor,
        value: Tensor,
        rule: PoolingRule,
        recorder: TraceRecorder | None,
        row: int,
    ) -> None:
        self._input, self._numerator, self._rule = local_input, numerator, rule
        total = numerator.detach()
        addition = rule.stabilizer.addition(total)
        denominator = total if addition is None else total + addition
        dead = denominator == 0
        self._ratio = torch.where(dead, 0.0, value / denominator)
        self._value = value.clone() if recorder is not None else None
        self._addition, self._dead = addition, dead
        self._recorder, self._row = recorder, row

    def pull(self, gradient: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
        """The gradient of the numerator, scaled."""
        scaled = gradient * self._ratio
        (pulled,) = torch.autograd.grad(self._numerator, self._input, scaled, retain_graph=True)
        if self._recorder is not None and self._value is not None:
            received = self._value.double() * gradient.double()
            self._recorder.record(
                self._row,
                self._rule.name,
                received=received,
                sent=self._input.double() * pulled.double(),
                blocked=torch.where(self._dead, received, 0.0),
            )
            if self._addition is not None:
                lost = scaled.double() * self._addition.double()
                self._recorder.record(self._row, self._rule.name, stabilizer=lost)
        return (pulled,)


def pool(call: Call, rule: PoolingRule, recorder: TraceRecorder | None, layer: str) -> Treatment:
    """Run a max-pooling call under a rule."""
    if rule.plain:
        return Passed()
    settings = _settings(call)
    if settings.get("return_indices") or call.name.endswith("_with_indices"):
        return Uncovered(f"{call.name} with indices")
    before: Tensor = settings["input"]
    local = before.detach().requires_grad_(True)
    with torch.enable_grad():
        largest = call.on(local)
        numerator = largest if rule.share == "winner" else _window_sum(call.name, local, settings)
    if numerator is None:
        return Uncovered(f"{call.name} with dilation")
    row = -1 if recorder is None else recorder.enter(layer)
    surrogate = Proportional(local, numerator, largest.detach(), rule, recorder, row)
    return Treated(graft(largest.detach(), surrogate, [before]))


def _settings(call: Call) -> dict[str, Any]:
    return {**dict(zip(_ARGUMENTS, call.args, strict=False)), **call.kwargs}


def _window_sum(name: str, local: Tensor, settings: Mapping[str, Any]) -> Tensor | None:
    """Each window's mean, which is its sum up to a factor that cancels; None where there is no such function."""
    average = getattr(functional, name.replace("max", "avg"))
    if name.startswith("adaptive"):
        size = settings["kernel_size"] if "kernel_size" in settings else settings["output_size"]
        return cast("Tensor", average(local, size))
    dilation = settings.get("dilation", 1)
    if any(step != 1 for step in (dilation if isinstance(dilation, list | tuple) else [dilation])):
        return None
    shape = {key: settings[key] for key in ("stride", "padding", "ceil_mode") if key in settings}
    return cast("Tensor", average(local, settings["kernel_size"], **shape))
