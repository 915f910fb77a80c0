r"""Maps before and after a temperature, and when the one is the other divided by it.

For a method that is linear in the start signal, a logit as the target, and the temperature as a division behind the
network, the map after is the map before, divided by :math:`T`.  Each of the three conditions is also broken, to see
what it is for.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nn_interpretability.methods.deeplift import DeepLIFT
from nn_interpretability.methods.gradient import Gradient
from nn_interpretability.methods.lrp import LRP
from nn_interpretability.uncertainty.temperature import TemperatureScaling

TEMPERATURE = 1.7
"""For the identity: far from 1, so that a failure shows, and no power of two, so that rounding does."""


@dataclass(frozen=True)
class Maps:
    """DeepLIFT RevealCancel of the predicted class before and after a temperature.

    Attributes
    ----------
    values
        [when, sample, y, x], channels summed.
    probability, score
        Softmax probability and logit of the explained class [when, sample].
    classes
        The explained class [sample].
    """

    values: NDArray[np.float64]
    probability: NDArray[np.float64]
    score: NDArray[np.float64]
    classes: NDArray[np.int64]

    @property
    def ratio(self) -> float:
        """Length of the maps before, relative to those after."""
        return float(np.linalg.norm(self.values[0]) / np.linalg.norm(self.values[1]))


def maps_of(model: nn.Module, images: Tensor, temperature: float, reference: float | Sequence[float] = 0.0) -> Maps:
    """Explain pictures before and after a temperature.

    Parameters
    ----------
    model, images, temperature
        A network in evaluation mode, pictures as it takes them, and what its logits are divided by.
    reference
        Of DeepLIFT: a pixel value, or one per channel.
    """
    found = [
        DeepLIFT(network, rule="reveal_cancel", reference=reference).interpret(images, chunk=4)
        for network in (model, TemperatureScaling(model, temperature))
    ]
    classes = found[0].logits.argmax(1)
    rows = torch.arange(len(classes))
    return Maps(
        values=np.stack([each.values.double().sum(1).cpu().numpy() for each in found]),
        probability=np.stack([each.logits.double().softmax(1)[rows, classes].numpy() for each in found]),
        score=np.stack([each.logits.double()[rows, classes].numpy() for each in found]),
        classes=classes.numpy(),
    )


def summed_to(maps: Maps, side: int) -> Maps:
    """The maps with their pixels summed in blocks, ``side`` blocks wide and high; sums of maps stay what they are."""
    when, sample, height, width = maps.values.shape
    blocks = maps.values.reshape(when, sample, side, height // side, side, width // side)
    return replace(maps, values=blocks.sum(axis=(3, 5)))


def identity_of(model: nn.Module, images: Tensor) -> dict[str, dict[str, float]]:
    """How maps after a temperature of 1.7 compare with those before, where the identity holds and where it does not.

    Parameters
    ----------
    model
        A network that ends in a linear layer; it is copied and computed in float64.
    images
        Pictures to explain, each for the predicted class.

    Returns
    -------
    dict
        By case: ``cosine``, the smallest over the pictures; ``ratio``, median length before relative to after; and
        ``gap``, the largest :math:`|T R_T - R| / |R|`. Cases: ``deeplift`` and ``lrp`` (the identity), ``folded`` (the
        temperature in the last layer's weights, and a stabiliser of fixed size), ``unit_start`` (relevance that starts
        from 1 instead of the logit), ``probability`` (the derivative of a probability, not of a logit).
    """
    model = copy.deepcopy(model).double().eval()
    images = images.double()
    scaled = TemperatureScaling(model, TEMPERATURE)
    folded = copy.deepcopy(model)
    last = [module for module in folded.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        for parameter in last.parameters():
            parameter.div_(TEMPERATURE)
        classes = model(images).argmax(1)

    def probability(scores: Tensor) -> Tensor:
        return scores.softmax(1).gather(1, classes[:, None])[:, 0]

    def lrp(network: nn.Module, **settings: object) -> Tensor:
        return LRP(network, rule="epsilon", **settings).interpret(images, classes).values  # type: ignore[arg-type]

    def normed(network: nn.Module) -> Tensor:
        found = LRP(network, rule="epsilon", epsilon={"rms": 0.1}).interpret(images, classes)
        return found.values / found.score[:, None, None, None]

    def deeplift(network: nn.Module) -> Tensor:
        return DeepLIFT(network, rule="reveal_cancel").interpret(images, classes).values

    cases: dict[str, tuple[Callable[[nn.Module], Tensor], nn.Module]] = {
        "deeplift": (deeplift, scaled),
        "lrp": (lambda network: lrp(network, epsilon={"rms": 0.1}), scaled),
        "folded": (lambda network: lrp(network, epsilon=0.1), folded),
        "unit_start": (normed, scaled),
        "probability": (lambda network: Gradient(network).interpret(images, probability).values, scaled),
    }
    return {name: _compared(explain(model), explain(after)) for name, (explain, after) in cases.items()}


def _compared(before: Tensor, after: Tensor) -> dict[str, float]:
    one, other = before.flatten(1), after.flatten(1)
    lengths = one.norm(dim=1), other.norm(dim=1)
    cosine = (one * other).sum(1) / (lengths[0] * lengths[1]).clamp(min=torch.finfo(one.dtype).tiny)
    ratio = lengths[0] / lengths[1].clamp(min=torch.finfo(one.dtype).tiny)
    gap = (TEMPERATURE * other - one).norm(dim=1) / lengths[0].clamp(min=torch.finfo(one.dtype).tiny)
    return {"cosine": float(cosine.min()), "ratio": float(ratio.median()), "gap": float(gap.max())}
