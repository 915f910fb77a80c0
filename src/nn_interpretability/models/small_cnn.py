"""The study's small convolutional network, 21,840 parameters."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from nn_interpretability.models.digit_images import check_digit_images


class SmallCNN(nn.Module):
    """Two convolutions and two linear layers; pooling comes *before* the ReLU, as in the study.

    Sizes of the feature maps: 28, 24, 12, 8, 4.  The names in the state dict are those of the study's
    published weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(1, 10, kernel_size=5),
                pool1=nn.MaxPool2d(2),
                relu1=nn.ReLU(),
                conv2=nn.Conv2d(10, 20, kernel_size=5),
                pool2=nn.MaxPool2d(2),
                relu2=nn.ReLU(),
            )
        )
        self.classifier = nn.Sequential(OrderedDict(fc1=nn.Linear(320, 50), relu3=nn.ReLU(), fc2=nn.Linear(50, 10)))

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits.

        Parameters
        ----------
        images
            Shape (n, 1, 28, 28), values in [0, 1].

        Returns
        -------
        Tensor
            Shape (n, 10), before any softmax.

        Raises
        ------
        ValueError
            If the images have another shape.
        """
        check_digit_images(images, "small_cnn")
        logits: Tensor = self.classifier(torch.flatten(self.features(images), 1))
        return logits


def build() -> nn.Module:
    """Build the network with new weights."""
    return SmallCNN()
