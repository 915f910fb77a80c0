"""A network for class activation maps of 9 x 9, laid out like the study's two; 93,962 parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CAM9x9(nn.Module):
    """Three convolutions with one pool, global average pooling, one linear layer.

    The layers of the network for maps of 3 x 3 without its second pool, so that both have as many parameters and differ
    in the size of the maps alone.  Sizes of the feature maps: 28, 26, 13, 11, 9.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, kernel_size=3)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(64, 128, kernel_size=3)
        self.relu3 = nn.ReLU()
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(128, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits ``(n, 10)`` of images ``(n, 1, 28, 28)`` with values in [0, 1]."""
        x = self.pool1(self.relu1(self.conv1(images)))
        x = self.relu3(self.conv3(self.relu2(self.conv2(x))))
        logits: Tensor = self.fc(torch.flatten(self.gap(x), 1))
        return logits


def build() -> nn.Module:
    """Build the network with new weights."""
    return CAM9x9()
