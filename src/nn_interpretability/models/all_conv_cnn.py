"""The twin of the small network whose pools are strided convolutions, 23,870 parameters.

Without max-pooling, deconvolution needs no switches (Springenberg et al. 2014, Striving for simplicity).
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn


class AllConvCNN(nn.Module):
    """As ``small_cnn``, with a convolution of stride 2 and a ReLU in the place of each pool.

    Sizes of the feature maps: 28, 24, 12, 8, 4.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(1, 10, kernel_size=5),
                relu1=nn.ReLU(),
                down1=nn.Conv2d(10, 10, kernel_size=2, stride=2),
                relu2=nn.ReLU(),
                conv2=nn.Conv2d(10, 20, kernel_size=5),
                relu3=nn.ReLU(),
                down2=nn.Conv2d(20, 20, kernel_size=2, stride=2),
                relu4=nn.ReLU(),
            )
        )
        self.classifier = nn.Sequential(OrderedDict(fc1=nn.Linear(320, 50), relu5=nn.ReLU(), fc2=nn.Linear(50, 10)))

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits ``(n, 10)`` of images ``(n, 1, 28, 28)`` with values in [0, 1]."""
        logits: Tensor = self.classifier(torch.flatten(self.features(images), 1))
        return logits


def build() -> nn.Module:
    """Build the network with new weights."""
    return AllConvCNN()
