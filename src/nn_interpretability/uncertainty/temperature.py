r"""Temperature scaling: all logits divided by one number, fitted on held-out data.

Guo, Pleiss, Sun and Weinberger, *On Calibration of Modern Neural Networks*, ICML 2017.  No prediction changes, and a
map of a method that is linear in the start signal changes in size alone: the map of a logit that is divided by
:math:`T` is the map divided by :math:`T`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nn_interpretability.engine.preserve import left_as_found
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.uncertainty.calibration import check_labelled
from nn_interpretability.uncertainty.lbfgs import minimise

BLOCK = 250


class TemperatureScaling(nn.Module):
    """A classifier with its logits divided by a temperature.

    Parameters
    ----------
    model
        Any classifier; it is neither copied nor changed.
    temperature
        Above 0. 1 leaves the logits as they are; more makes probabilities more alike.

    Raises
    ------
    ConfigError
        If the temperature is not allowed.

    Examples
    --------
    >>> calibrated = TemperatureScaling(model).fit(held_out_images, labels)  # doctest: +SKIP
    >>> probabilities = calibrated(images).softmax(1)  # doctest: +SKIP
    """

    log_temperature: Tensor

    def __init__(self, model: nn.Module, temperature: float = 1.0) -> None:
        super().__init__()
        self.model = model
        # A buffer, so that it is saved with the weights; its logarithm, so that it stays above zero.
        self.register_buffer("log_temperature", torch.zeros((), dtype=torch.float64))
        self.temperature = temperature

    @property
    def temperature(self) -> float:
        """The number that logits are divided by."""
        return math.exp(float(self.log_temperature))

    @temperature.setter
    def temperature(self, temperature: float) -> None:
        if not 0 < temperature < math.inf:
            raise ConfigError(f"temperature={temperature} is not allowed: give a number above 0; 1 changes nothing.")
        self.log_temperature.fill_(math.log(temperature))

    def fit(self, images: Tensor, labels: Tensor) -> TemperatureScaling:
        """Choose the temperature that gives the labels of held-out images the highest likelihood.

        Parameters
        ----------
        images
            Pictures that the model was not trained on.
        labels
            Their classes, shape ``(N,)``.

        Returns
        -------
        TemperatureScaling
            Itself.

        Raises
        ------
        DataError
            If there is no best temperature; see :func:`fit_temperature`.
        """
        with torch.no_grad(), left_as_found(self.model):
            logits = torch.cat([self.model(block) for block in images.split(BLOCK)])
        self.temperature = fit_temperature(logits, labels)
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the model, divided by the temperature."""
        logits: Tensor = self.model(images) / self.temperature
        return logits


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    r"""The temperature :math:`T` with the smallest mean negative log-likelihood of :math:`z / T`.

    One number, for which the problem is convex in :math:`1/T`; L-BFGS on :math:`\log T` in float64.  At the solution
    :math:`\sum_i z_{i, y_i} = \sum_i \sum_k p_{ik} z_{ik}`: the logit of the truth is what the probabilities expect.

    Parameters
    ----------
    logits
        Shape ``(N, K)``, of held-out data.
    labels
        Shape ``(N,)``, the true classes.

    Raises
    ------
    DataError
        If every row is right, for the best temperature is then 0; or if the logits of the truth are on the mean no
        larger than the others, for it is then infinite; or if the arguments do not fit.
    """
    scores, truth = logits.detach().double().cpu(), check_labelled(logits, labels).cpu()
    scores = scores - scores.mean(dim=1, keepdim=True)
    of_truth = scores.gather(1, truth[:, None])[:, 0]
    if bool((of_truth >= scores.max(dim=1).values).all()):
        raise DataError(
            f"All {len(truth)} held-out pictures are classified correctly, so the best temperature is 0: give more "
            "pictures, among them some that the model gets wrong."
        )
    if float(of_truth.sum()) <= 0:
        raise DataError(
            "The logits of the true classes are on the mean no larger than those of the others, so the best "
            "temperature is infinite: the labels do not belong to these pictures, or the classes have another order."
        )
    size = float(scores.square().mean().sqrt())  # start at the size of the logits: their unit then has no effect
    (log_temperature,) = minimise(
        lambda log: F.cross_entropy(scores / size * torch.exp(-log), truth), [scores.new_zeros(())]
    )
    return size * math.exp(float(log_temperature))
