"""Sees every operation of an unmodified model, and asks a rulebook what to do with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from nn_interpretability.engine.bounds import PixelBounds
from nn_interpretability.engine.coverage import Coverage, GraphWitness
from nn_interpretability.engine.operations import LINEAR, depends_on_input, function_name, replace_input, tensors_in
from nn_interpretability.errors import DataError


@dataclass(frozen=True)
class Call:
    """One intercepted call of a torch function that depends on the explained input."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def run(self) -> Any:
        """The call as the model made it."""
        return self.function(*self.args, **self.kwargs)

    def on(self, values: Tensor) -> Any:
        """The same call with another first tensor."""
        args, kwargs = replace_input(self.args, self.kwargs, values)
        return self.function(*args, **kwargs)


@dataclass(frozen=True)
class Treated:
    """A rule of the method handled the call: its result, grafted; and how to log it, if not by the call's name."""

    result: Any
    name: str | None = None


@dataclass(frozen=True)
class Passed:
    """The plain gradient is the method's own answer for this call; its result, if the rulebook has run it already."""

    result: Any = None


@dataclass(frozen=True)
class Uncovered:
    """The method defines nothing for this call."""

    name: str


Treatment = Treated | Passed | Uncovered


class Rulebook(Protocol):
    """Decides, call by call, which backward pass an operation gets."""

    def treat(self, call: Call, context: SurrogateMode) -> Treatment:
        """Handle one call; called with the mode switched off."""
        ...


class SurrogateMode(TorchFunctionMode):
    """Runs a model while a rulebook replaces backward passes.

    Parameters
    ----------
    model
        Read for the names of its weights only.
    rulebook
        Decides on each call.
    coverage
        Log that this run writes.
    precision
        Dtype of the images; linear operations in a lower one are refused.
    bounds
        Bounds of the pixels, where a rule asks for them.
    """

    def __init__(
        self,
        model: nn.Module,
        rulebook: Rulebook,
        coverage: Coverage,
        precision: torch.dtype,
        bounds: PixelBounds | None = None,
    ) -> None:
        super().__init__()
        self.bounds = bounds
        self.witness = GraphWitness()
        self._rulebook = rulebook
        self.coverage = coverage
        self._precision = precision
        self._names = _names_of_weights(model)
        self._numbers: Counter[str] = Counter()

    def layer_name(self, kind: str, weight: Tensor | None = None) -> str:
        """The dotted name of the module that owns ``weight``; without one, the kind of operation and a number."""
        if weight is not None and id(weight) in self._names:
            return self._names[id(weight)]
        number = self._numbers[kind]
        self._numbers[kind] += 1
        return f"{kind}_{number}"

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        call = Call(function_name(func), func, args, kwargs or {})
        inputs = depends_on_input(tensors_in((args, call.kwargs)))
        if not inputs:
            return call.run()
        made_by = [tensor.grad_fn for tensor in inputs]
        followed = None if self.bounds is None else self.bounds.replay(call.name, func, args, call.kwargs)
        treatment = self._rulebook.treat(call, self)
        ready = None if isinstance(treatment, Uncovered) else treatment.result
        result = call.run() if ready is None else ready
        outputs = depends_on_input(tensors_in(result))
        if call.name in LINEAR and isinstance(result, Tensor):
            check_precision(f"A {call.name} of the model returns values", result, self._precision)
        if outputs:
            self._log(call, treatment)
            self.witness.mark(outputs, made_by)
            if self.bounds is not None and followed is not None and isinstance(treatment, Passed):
                for tensor, ends in zip(tensors_in(result), followed, strict=True):
                    self.bounds.follow(tensor, ends)
        return result

    def _log(self, call: Call, treatment: Treatment) -> None:
        if isinstance(treatment, Treated):
            self.coverage.ruled[treatment.name or call.name] += 1
        elif isinstance(treatment, Uncovered):
            self.coverage.uncovered[treatment.name] += 1
        else:
            self.coverage.passed[call.name] += 1


def check_precision(what: str, values: Tensor, precision: torch.dtype) -> None:
    """Refuse values that are less precise than the images; ``what`` begins the message.

    Raises
    ------
    DataError
        If they are.
    """
    if values.is_floating_point() and torch.finfo(values.dtype).eps > torch.finfo(precision).eps:
        raise DataError(
            f"{what} of {values.dtype} for images of {precision}: part of it runs in lower precision, which "
            "torch.autocast does, inside the model or around this call. Explain it without, or convert model and "
            "images."
        )


def _names_of_weights(model: nn.Module) -> dict[int, str]:
    """Dotted module names by identity of the weight; the first name wins where a weight is shared."""
    names: dict[int, str] = {}
    for name, module in model.named_modules():
        for attribute, parameter in module.named_parameters(recurse=False):
            label = name if attribute == "weight" else f"{name}.{attribute}".strip(".")
            names.setdefault(id(parameter), label or attribute)
    return names
