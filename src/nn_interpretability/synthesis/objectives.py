r"""What a synthesised image is to maximise: a class's log-probability or score, a channel, a neuron.

An objective is a function of what the model says of a batch of images, with one target per row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nn_interpretability.engine.layers import layer_of
from nn_interpretability.errors import ConfigError, DataError


@dataclass(frozen=True)
class Answer:
    """What the model says of a batch, with its graph.

    Attributes
    ----------
    scores
        The model's output.
    activation
        Output of the observed layer, shape ``(N, C, ...)``; None if no layer is observed.
    """

    scores: Tensor
    activation: Tensor | None = None


@dataclass
class Observer:
    """A model, and one of its layers to look at."""

    model: nn.Module
    layer: str | None
    _seen: list[Any] = field(default_factory=list)

    def __call__(self, images: Tensor) -> Answer:
        """Run the model.

        Raises
        ------
        ConfigError
            If the layer runs never or more than once, or does not return one tensor per image.
        """
        self._seen.clear()
        scores = self.model(images)
        return Answer(scores, self._activation(len(images)))

    def _activation(self, samples: int) -> Tensor | None:
        if self.layer is None:
            return None
        if len(self._seen) != 1:
            times = f"{len(self._seen)} times" if self._seen else "not at all"
            raise ConfigError(
                f"The layer {self.layer!r} is used {times} in one forward pass; name one that is used once."
            )
        (found,) = self._seen
        if not isinstance(found, Tensor) or found.dim() < 2 or len(found) != samples:
            raise ConfigError(f"The layer {self.layer!r} does not return a tensor (images, channels, ...).")
        return found

    def note(self, _: nn.Module, __: Any, output: Any) -> None:
        """Hook: keep what the layer returned, before something behind it writes into it."""
        self._seen.append(output.clone() if isinstance(output, Tensor) else output)


@contextmanager
def observed(model: nn.Module, layer: str | None) -> Iterator[Observer]:
    """A model whose layer is looked at while the block runs; its one hook is gone afterwards.

    Raises
    ------
    ConfigError
        If there is no such layer; the message names those that there are.
    """
    observer = Observer(model, layer)
    if layer is None:
        yield observer
        return
    handle = layer_of(model, layer).register_forward_hook(observer.note)
    try:
        yield observer
    finally:
        handle.remove()


class Objective(ABC):
    """What is maximised."""

    name: ClassVar[str]
    layer: str | None = None
    of_class: ClassVar[bool] = False

    @abstractmethod
    def value(self, answer: Answer, target: Tensor) -> Tensor:
        """The objective of each row, shape ``(N,)``.

        Parameters
        ----------
        answer
            What the model says of the images.
        target
            One class or channel per row, int64.
        """

    @abstractmethod
    def targets(self, answer: Answer) -> tuple[int, str]:
        """How many targets there are, and what they are called; checks that the objective fits the model."""


def log_probability(scores: Tensor, target: Tensor) -> Tensor:
    r"""Row by row :math:`\log p(c|x)`, in float64: near 1 a float32 probability has few digits left."""
    return scores.double().log_softmax(dim=1).gather(1, target[:, None])[:, 0]


class _OfClass(Objective):
    of_class = True

    def targets(self, answer: Answer) -> tuple[int, str]:
        """Number of classes."""
        scores = answer.scores
        if not isinstance(scores, Tensor) or scores.dim() != 2 or not scores.is_floating_point():
            found = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise DataError(f"The model returns {found}; scores of shape (images, classes) are needed for a class.")
        return scores.shape[1], "classes"


class ClassLogProbability(_OfClass):
    r"""The log-probability :math:`\log p(c|x)` of a class (Erhan 2009; Montavon 2018, section 3)."""

    name = "log_probability"

    def value(self, answer: Answer, target: Tensor) -> Tensor:
        """Log-probability, shape ``(N,)``."""
        return log_probability(answer.scores, target)


class ClassScore(_OfClass):
    r"""The score :math:`S_c(x)` of a class, before any softmax (Simonyan 2013)."""

    name = "score"

    def value(self, answer: Answer, target: Tensor) -> Tensor:
        """Score, shape ``(N,)``."""
        return answer.scores.double().gather(1, target[:, None])[:, 0]


@dataclass(frozen=True)
class Activation(Objective):
    """The mean activation of a channel of a layer, or that of one of its neurons.

    Parameters
    ----------
    layer
        Dotted name of the layer.
    neuron
        Position in the channel, such as ``(y, x)``; None for the mean over all positions. A layer without positions
        (a linear one) has one neuron per channel, and needs none.

    Raises
    ------
    ConfigError
        If the position does not exist.
    """

    layer: str
    neuron: tuple[int, ...] | None = None
    name: ClassVar[str] = "activation"

    def value(self, answer: Answer, target: Tensor) -> Tensor:
        """Activation, shape ``(N,)``."""
        assert answer.activation is not None
        maps = answer.activation[torch.arange(len(target), device=target.device), target].double()
        return maps.flatten(1).mean(dim=1) if self.neuron is None and maps.dim() > 1 else self._at(maps)

    def targets(self, answer: Answer) -> tuple[int, str]:
        """Number of channels."""
        assert answer.activation is not None
        channels, *sizes = answer.activation.shape[1:]
        inside = self.neuron is None or (
            len(self.neuron) == len(sizes) and all(0 <= at < size for at, size in zip(self.neuron, sizes, strict=True))
        )
        if not inside:
            raise ConfigError(
                f"neuron={self.neuron} does not exist: a channel of {self.layer!r} has the positions "
                f"{' x '.join(map(str, sizes)) or 'of one value, so neuron=None'}, counted from 0."
            )
        return channels, f"channels of {self.layer!r}"

    def _at(self, maps: Tensor) -> Tensor:
        for at in self.neuron or ():
            maps = maps[:, at]
        return maps
