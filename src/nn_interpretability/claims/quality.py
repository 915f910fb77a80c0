"""What several assertions measure of maps and networks."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nn_interpretability.data.digits import Digits
from nn_interpretability.metrics.localisation import dilated_ink, relevance_mass
from nn_interpretability.metrics.pixel_flipping import PixelFlipping

INK = 0.0
"""A pixel brighter than this is ink."""

_BLOCK = 100


def flipping(
    model: nn.Module, images: Tensor, maps: Tensor, target: Tensor, *, steps: int | None = None
) -> NDArray[np.float64]:
    """Pixel flipping: area between the curves of least and of most relevant pixels first, over the size of the logit.

    Parameters
    ----------
    model, images
        The network, and images ``(n, 1, height, width)``.
    maps
        Relevance of the images, of their shape.
    target
        The class that the maps explain, ``(n,)``.
    steps
        In how many steps all pixels are flipped; None for pixel by pixel.

    Returns
    -------
    ndarray
        Shape ``(n,)``; black fill; higher is better. A logit below 0.001 in size counts as that much.
    """
    area = PixelFlipping(model, steps=steps).measure(images, maps, target).area_between
    with torch.no_grad():
        logit = _logits_of(model, images, target).double()
    found: NDArray[np.float64] = (area / logit.abs().clamp(min=1e-3)).cpu().numpy()
    return found


def mass_on_ink(images: Tensor, maps: Tensor) -> NDArray[np.float64]:
    """Share of the relevance's magnitude on ink dilated by one pixel, shape ``(n,)``; 0 for a map of zeros."""
    ink = dilated_ink(images, threshold=INK, radius=1)
    found: NDArray[np.float64] = relevance_mass(maps, ink, undefined=0.0).cpu().numpy()
    return found


def predicted(model: nn.Module, images: Tensor) -> Tensor:
    """The class of the largest logit, int64 ``(n,)``."""
    with torch.no_grad():
        return torch.cat([model(block).argmax(1) for block in images.split(_BLOCK)])


def right_answers(model: nn.Module, digits: Digits, device: str) -> NDArray[np.float64]:
    """Of each test picture, whether the network is right: 1 or 0, shape ``(test pictures,)``."""
    images = torch.from_numpy(digits.test_images)[:, None].float().to(device) / 255
    return np.asarray(predicted(model, images).cpu().numpy() == digits.test_labels, dtype=np.float64)


@torch.no_grad()
def removal_effects(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    """How far the score falls when one pixel alone becomes black: occlusion by single pixels, where there is ink.

    Parameters
    ----------
    model, images
        The network, and images ``(n, 1, height, width)``.
    target
        The class whose logit is asked for, ``(n,)``.

    Returns
    -------
    Tensor
        Shape ``(n, height, width)``; 0 for black pixels, whose removal changes nothing.
    """
    whole = _logits_of(model, images, target)
    effects = torch.zeros_like(images[:, 0])
    for block in images[:, 0].nonzero().split(_BLOCK):
        image, row, column = block.unbind(dim=1)
        changed = images[image]
        changed[torch.arange(len(block)), 0, row, column] = 0
        effects[image, row, column] = whole[image] - _logits_of(model, changed, target[image])
    return effects


def _logits_of(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    logits: Tensor = model(images).gather(1, target[:, None])[:, 0]
    return logits
