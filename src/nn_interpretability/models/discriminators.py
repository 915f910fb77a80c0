"""Discriminators: what the generators are trained against, and of no use afterwards."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nn_interpretability.errors import ConfigError


class GANDiscriminator(nn.Module):
    """Two linear layers; the names in the state dict are those of the study's published weights.

    Parameters
    ----------
    hidden, outputs
        Hidden units, and logits for each image; the study has 128 and one.
    """

    def __init__(self, hidden: int = 128, outputs: int = 1) -> None:
        super().__init__()
        self.dense1 = nn.Linear(28 * 28, hidden)
        self.dense2 = nn.Linear(hidden, outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits ``(n, outputs)`` of images ``(n, 1, 28, 28)``; a large one says that the image is real."""
        logits: Tensor = self.dense2(torch.relu(self.dense1(images.flatten(1))))
        return logits


class DCGANDiscriminator(nn.Module):
    """Strided convolutions without batch norm, so that one image's logit does not depend on the others.

    Sizes of the feature maps: 28, 14, 7, 4.

    Parameters
    ----------
    width
        Feature maps of the largest size.
    outputs
        Logits for each image.
    """

    def __init__(self, width: int = 16, outputs: int = 1) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(1, width, kernel_size=4, stride=2, padding=1),
                nn.Conv2d(width, 2 * width, kernel_size=4, stride=2, padding=1),
                nn.Conv2d(2 * width, 4 * width, kernel_size=3, stride=2, padding=1),
            ]
        )
        self.dense = nn.Linear(4 * width * 4 * 4, outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits ``(n, outputs)`` of images ``(n, 1, 28, 28)``; a large one says that the image is real."""
        features = images
        for convolution in self.convolutions:
            features = F.leaky_relu(convolution(features), 0.2)
        logits: Tensor = self.dense(features.flatten(1))
        return logits


def build_discriminator(generator: str, *, outputs: int) -> nn.Module:
    """Build the discriminator that a generator is trained against.

    Parameters
    ----------
    generator
        ``gan`` or ``dcgan``.
    outputs
        Logits for each image: one for each class of real images.

    Raises
    ------
    ConfigError
        If there is no such generator.
    """
    if generator == "gan":
        return GANDiscriminator(hidden=256, outputs=outputs)
    if generator == "dcgan":
        return DCGANDiscriminator(outputs=outputs)
    raise ConfigError(f"There is no discriminator for {generator!r}. There is one for gan and for dcgan.")
