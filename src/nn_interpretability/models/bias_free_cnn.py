"""The twin of the small network without biases, 21,750 parameters.

It is positively homogeneous, f(t x) = t f(x), so that input times gradient sums to the score.
"""

from __future__ import annotations

from torch import nn

from nn_interpretability.models.small_cnn import SmallCNN


def build() -> nn.Module:
    """Build the network with new weights."""
    model = SmallCNN()
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.bias = None
    return model
