"""Read the output of a named layer, and the gradient that arrives there."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from nn_interpretability.errors import ConfigError

_FEW = 40  # so many names of layers are all listed


@dataclass(frozen=True)
class LayerOutput:
    """What a layer returned.

    Attributes
    ----------
    layer
        Dotted name.
    value
        A copy, taken before an operation behind the layer could write into it.
    edge
        Where the gradient with respect to this value arrives.
    """

    layer: str
    value: Tensor
    edge: GradientEdge

    def gradient(self, output: Tensor, start: Tensor, *, keep: bool) -> Tensor:
        """The gradient at the layer's output, of the shape of ``value``.

        Parameters
        ----------
        output, start
            Scores and start signal.
        keep
            Whether to keep the graph for another backward pass.

        Raises
        ------
        ConfigError
            If nothing arrives there.
        """
        (found,) = torch.autograd.grad(output, [self.edge], start, retain_graph=keep, allow_unused=True)
        if found is None:
            raise ConfigError(
                f"Nothing arrives at the output of {self.layer!r}: the scores do not depend on it, or a rule has "
                "merged the layer with the batch norm behind it. Name the layer behind it."
            )
        return found


@dataclass
class Found:
    """All that the watched layer returned during one forward pass."""

    outputs: list[Any] = field(default_factory=list)

    def once(self, layer: str) -> LayerOutput:
        """The output of a layer that ran once.

        Raises
        ------
        ConfigError
            If it ran never or more than once, or returned something else than a tensor that depends on the images.
        """
        if len(self.outputs) != 1:
            times = f"{len(self.outputs)} times" if self.outputs else "not at all"
            raise ConfigError(
                f"The layer {layer!r} is used {times} in one forward pass; a layer that is used once is needed. "
                "Name the block around it, or another layer."
            )
        (found,) = self.outputs
        if not isinstance(found, LayerOutput):
            raise ConfigError(f"The layer {layer!r} returns {found}, not one tensor that depends on the images.")
        return found


@contextmanager
def watched(model: nn.Module, layer: str | None) -> Iterator[Found]:
    """Collect what a layer returns while the block runs.

    The hook that this takes only reads, and is gone afterwards, also after an exception. None watches nothing.

    Raises
    ------
    ConfigError
        If the model has no layer of this name.
    """
    found = Found()
    if layer is None:
        yield found
        return

    def read(_: nn.Module, __: Any, output: Any) -> None:
        found.outputs.append(_read(layer, output))

    handle = layer_of(model, layer).register_forward_hook(read)
    try:
        yield found
    finally:
        handle.remove()


def _read(layer: str, output: Any) -> Any:
    if not isinstance(output, Tensor):
        return f"a {type(output).__name__}"
    if not output.requires_grad:
        return "a constant"
    return LayerOutput(layer, output.detach().clone(), get_gradient_edge(output))


def layer_of(model: nn.Module, layer: str) -> nn.Module:
    """The module with this dotted name.

    Raises
    ------
    ConfigError
        If there is none; the message names those that there are.
    """
    modules = dict(model.named_modules())
    if isinstance(layer, str) and layer in modules and layer:
        found: nn.Module = modules[layer]
        return found
    names = [name for name in modules if name]
    near = difflib.get_close_matches(str(layer), names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"The model has no layer {layer!r}.{hint} Layers: {_listed(model, names)}.")


def _listed(model: nn.Module, names: Sequence[str]) -> str:
    if len(names) <= _FEW:
        return ", ".join(names) or "none"
    upper = ", ".join(name for name, _ in model.named_children())
    return f"{upper}, and {len(names)} in all (model.named_modules() lists them)"
