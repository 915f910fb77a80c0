"""Vector scaling: each logit has a factor and an offset of its own, fitted on held-out data."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nn_interpretability.engine.preserve import left_as_found
from nn_interpretability.uncertainty.calibration import check_labelled
from nn_interpretability.uncertainty.lbfgs import minimise
from nn_interpretability.uncertainty.temperature import BLOCK, fit_temperature


class VectorScaling(nn.Module):
    """A classifier with its logits ``z`` replaced by ``weight * z + bias``, class by class (Guo et al. 2017).

    Unlike a temperature it can change which class is the largest, and its 2 K numbers can be fitted too well to few
    pictures.

    Parameters
    ----------
    model
        Any classifier; it is neither copied nor changed.
    classes
        Number of its scores.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, model: nn.Module, classes: int) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("weight", torch.ones(classes, dtype=torch.float64))
        self.register_buffer("bias", torch.zeros(classes, dtype=torch.float64))

    def fit(self, images: Tensor, labels: Tensor) -> VectorScaling:
        """Choose weights and biases of highest likelihood on held-out images; see :func:`fit_vector_scaling`."""
        with torch.no_grad(), left_as_found(self.model):
            logits = torch.cat([self.model(block) for block in images.split(BLOCK)])
        weight, bias = fit_vector_scaling(logits, labels)
        self.weight.copy_(weight)
        self.bias.copy_(bias)
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the model, scaled and shifted."""
        logits = self.model(images)
        scaled: Tensor = logits * self.weight.to(logits) + self.bias.to(logits)
        return scaled


def fit_vector_scaling(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Weights and biases ``(K,)``, float64, with the smallest mean negative log-likelihood of held-out data.

    Starts from the best temperature, so it never does worse than that on the data it is fitted to. The biases sum to
    zero, since a common one changes nothing.

    Parameters
    ----------
    logits, labels
        Shapes ``(N, K)`` and ``(N,)``.

    Raises
    ------
    DataError
        If there is no best temperature, or no finite solution.
    """
    truth = check_labelled(logits, labels).cpu()
    temperature = fit_temperature(logits, truth)
    scores = logits.detach().double().cpu() / temperature
    start = [scores.new_ones(scores.shape[1]), scores.new_zeros(scores.shape[1])]
    weight, bias = minimise(lambda w, b: F.cross_entropy(scores * w + b, truth), start)
    return weight / temperature, bias - bias.mean()
