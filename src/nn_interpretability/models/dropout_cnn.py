"""The study's dropout network, 21,840 parameters: the small network with three dropouts."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from nn_interpretability.models.digit_images import check_digit_images

DROP_RATE = 0.5


class DropoutCNN(nn.Module):
    """As ``small_cnn``, with half of the channels dropped behind each convolution and half of the units behind ``fc1``.

    Channels are dropped whole (``Dropout2d``) and *before* the pool and the ReLU, as in the study; what is kept is
    doubled.  In evaluation mode nothing is dropped and the network is the small one.  The names in the state dict are
    those of the study's published weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(1, 10, kernel_size=5),
                dropout1=nn.Dropout2d(DROP_RATE),
                pool1=nn.MaxPool2d(2),
                relu1=nn.ReLU(),
                conv2=nn.Conv2d(10, 20, kernel_size=5),
                dropout2=nn.Dropout2d(DROP_RATE),
                pool2=nn.MaxPool2d(2),
                relu2=nn.ReLU(),
            )
        )
        self.classifier = nn.Sequential(
            OrderedDict(
                fc1=nn.Linear(320, 50),
                relu3=nn.ReLU(),
                dropout3=nn.Dropout(DROP_RATE),
                fc2=nn.Linear(50, 10),
            )
        )

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits ``(n, 10)`` of images ``(n, 1, 28, 28)`` with values in [0, 1].

        Raises
        ------
        ValueError
            If the images have another shape.
        """
        check_digit_images(images, "dropout_cnn")
        logits: Tensor = self.classifier(torch.flatten(self.features(images), 1))
        return logits


def build() -> nn.Module:
    """Build the network with new weights."""
    return DropoutCNN()
