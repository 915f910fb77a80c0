"""Discriminators: what the generators are trained against, and of no use afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nn_interpretability.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable


class GANDiscriminator(nn.Module):
    """Two linear layers; the names in the state dict are those of the study's published weights."""

    def __init__(self, hidden: int = 128) -> None:
        super().__init__()
        self.dense1 = nn.Linear(28 * 28, hidden)
        self.dense2 = nn.Linear(hidden, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logit ``(n,)`` that each of the images ``(n, 1, 28, 28)`` is real."""
        logits: Tensor = self.dense2(torch.relu(self.dense1(images.flatten(1))))
        return logits[:, 0]


class DCGANDiscriminator(nn.Module):
    """Strided convolutions without batch norm, so that one image's logit does not depend on the others.

    Sizes of the feature maps: 28, 14, 7, 4.

    Parameters
    ----------
    width
        Feature maps of the largest size.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(1, width, kernel_size=4, stride=2, padding=1),
                nn.Conv2d(width, 2 * width, kernel_size=4, stride=2, padding=1),
                nn.Conv2d(2 * width, 4 * width, kernel_size=3, stride=2, padding=1),
            ]
        )
        self.dense = nn.Linear(4 * width * 4 * 4, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logit ``(n,)`` that each of the images ``(n, 1, 28, 28)`` is real."""
        features = images
        for convolution in self.convolutions:
            features = F.leaky_relu(convolution(features), 0.2)
        logits: Tensor = self.dense(features.flatten(1))
        return logits[:, 0]


_DISCRIMINATORS: dict[str, Callable[[], nn.Module]] = {"gan": GANDiscriminator, "dcgan": DCGANDiscriminator}


def build_discriminator(generator: str) -> nn.Module:
    """Build the discriminator that a generator is trained against.

    Parameters
    ----------
    generator
        ``gan`` or ``dcgan``.

    Raises
    ------
    ConfigError
        If there is no such generator.
    """
    if generator not in _DISCRIMINATORS:
        raise ConfigError(f"There is no generator {generator!r}. The generators are: {', '.join(_DISCRIMINATORS)}.")
    return _DISCRIMINATORS[generator]()
