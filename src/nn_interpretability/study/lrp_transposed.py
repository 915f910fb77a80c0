"""LRP-0 by transposed layers: one layer after the other, as the 2020 study had it in a notebook of its own.

A slow twin of :class:`~nn_interpretability.methods.lrp.LRP` with ``rule="0"`` that shares no code with the engine. It
walks back through the layers of a plain sequential net with the operation that is the transpose of each: a
transposed convolution, an unpooling with the positions of the maxima, the transposed weights of a linear layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability.attribution import Attribution
from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.base import Method
from nn_interpretability.targets import Target, resolve_target

Pooling = Literal["winner", "average"]


class TransposedLRP(Method):
    r"""LRP-0 through transposed layers.

    For each layer from the output to the input, with :math:`a` its input and :math:`z` its output,

    .. math:: R_j = a_j \sum_k w_{jk} \frac{R_k}{z_k} ,

    where the sum over the outputs is the transposed layer, without bias, applied to :math:`R / z`. Relevance passes a
    ReLU unchanged, and an output of zero has none to give. The maps equal those of ``LRP(rule="0")``, and input times
    gradient.

    Parameters
    ----------
    model
        A net whose convolutions, max-pools, ReLUs and linear layers run in the order in which it holds them.
    pooling
        ``"winner"``: the maximum of a window gets all. ``"average"``: on the way back, a max-pool counts as an average,
        so that relevance is spread in proportion to the values of the window.

    Raises
    ------
    ConfigError
        If a setting is not allowed, or the model has another layer.

    References
    ----------
    Bach et al. 2015, On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance
    propagation.
    """

    name: ClassVar[str] = "lrp_transposed"
    conserving = True

    def __init__(self, model: nn.Module, *, pooling: Pooling = "winner") -> None:
        super().__init__(model)
        if pooling not in ("winner", "average"):
            raise ConfigError(f"pooling={pooling!r} is not allowed: choose 'winner' or 'average'.")
        self._pooling = pooling
        self._layers = _layers_of(model)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {"pooling": self._pooling}

    def explain(self, images: Tensor, target: Target, chunk: int | None) -> Attribution:
        """Explain one batch, class by class."""
        with torch.no_grad():
            steps, logits = self._run(images)
            if not torch.allclose(logits, self.model(images)):
                raise ConfigError(
                    "LRP by transposed layers takes models that run their layers one after the other only."
                )
            resolved = resolve_target(target, logits, start=self.start)
            maps = torch.stack([self._back(steps, start.to(logits.dtype) * logits) for start in resolved.starts])
        return Attribution(
            values=maps.movedim(0, 1) if resolved.stacked else maps[0],
            score=resolved.scores.T if resolved.stacked else resolved.scores[0],
            logits=logits,
            target=resolved.classes,
            conserving=self.conserving,
            method=self.name,
            parameters=dict(self.parameters),
            target_description=resolved.description,
        )

    def _run(self, images: Tensor) -> tuple[list[_Step], Tensor]:
        """Each layer with what it was given and what it made of it, and the output of the last."""
        steps, values = [], images
        for layer in self._layers:
            given = values.flatten(1) if isinstance(layer, nn.Linear) else values
            values = layer(given.clone())  # a ReLU in place would change what the layer before it has made
            steps.append(_Step(layer, given, values))
        return steps, values

    def _back(self, steps: list[_Step], relevance: Tensor) -> Tensor:
        for layer, given, made in reversed(steps):
            relevance = relevance.reshape(made.shape)
            if isinstance(layer, nn.MaxPool2d):
                relevance = given * self._unpooled(layer, given, relevance)
            elif not isinstance(layer, nn.ReLU):
                relevance = given * self._transposed(layer, given, _divided(relevance, made))
        return relevance

    def _transposed(self, layer: nn.Module, given: Tensor, share: Tensor) -> Tensor:
        """The transposed layer, applied to the relevance per unit of output."""
        if isinstance(layer, nn.Linear):
            return share @ layer.weight
        assert isinstance(layer, nn.Conv2d)
        sides = zip(share.shape[2:], layer.stride, _padding(layer), layer.dilation, layer.kernel_size, strict=True)
        covered = [(size - 1) * step - 2 * pad + spread * (side - 1) + 1 for size, step, pad, spread, side in sides]
        rest = [whole - part for whole, part in zip(given.shape[2:], covered, strict=True)]
        return F.conv_transpose2d(
            share, layer.weight, None, layer.stride, _padding(layer), rest, layer.groups, layer.dilation
        )

    def _unpooled(self, layer: nn.MaxPool2d, given: Tensor, relevance: Tensor) -> Tensor:
        side = _side(layer)
        if self._pooling == "winner":
            pooled, places = F.max_pool2d(given, side, return_indices=True)
            return F.max_unpool2d(_divided(relevance, pooled), places, (side, side), output_size=list(given.shape))
        return self._spread(_divided(relevance, F.avg_pool2d(given, side)), side, given)

    def _spread(self, share: Tensor, side: int, given: Tensor) -> Tensor:
        """The transpose of an average: the same to each value of the window, divided by their number."""
        return repeated(share, side, given) / side**2


class _Step(NamedTuple):
    layer: nn.Module
    given: Tensor
    made: Tensor


def repeated(share: Tensor, side: int, given: Tensor) -> Tensor:
    """Each output of a pool at every place of its window, zero where no window is."""
    wide = share.repeat_interleave(side, 2).repeat_interleave(side, 3)
    return F.pad(wide, (0, given.shape[3] - wide.shape[3], 0, given.shape[2] - wide.shape[2]))


def _divided(relevance: Tensor, output: Tensor) -> Tensor:
    return torch.where(output == 0, 0.0, relevance / torch.where(output == 0, 1.0, output))


def _padding(layer: nn.Conv2d) -> list[int]:
    assert not isinstance(layer.padding, str)
    return list(layer.padding)


def _side(layer: nn.MaxPool2d) -> int:
    assert isinstance(layer.kernel_size, int)
    return layer.kernel_size


def _layers_of(model: nn.Module) -> list[nn.Module]:
    layers = [module for module in model.modules() if not list(module.children())]
    for layer in layers:
        if not isinstance(layer, nn.Conv2d | nn.Linear | nn.ReLU | nn.MaxPool2d) or not _is_plain(layer):
            raise ConfigError(
                f"LRP by transposed layers has no transpose of {layer}: it takes convolutions with zero padding in "
                "numbers, linear layers, ReLUs, and max-pools side by side without padding."
            )
    return layers


def _is_plain(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Conv2d):
        return layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    if isinstance(layer, nn.MaxPool2d):
        plain = isinstance(layer.kernel_size, int) and layer.stride == layer.kernel_size
        return plain and layer.padding == 0 and layer.dilation == 1 and not layer.ceil_mode
    return True
