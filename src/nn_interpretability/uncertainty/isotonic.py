"""Isotonic regression: for each class a rising step function from its probability to how often it is true."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from torch import Tensor

from nn_interpretability.errors import DataError
from nn_interpretability.uncertainty.calibration import check_labelled


class IsotonicCalibration:
    """Step functions, one per class against all others, whose values are scaled to sum to one.

    Zadrozny and Elkan, *Transforming Classifier Scores into Accurate Multiclass Probability Estimates*, KDD 2002.
    It is no network layer: nothing can be explained through it.

    Parameters
    ----------
    logits
        Shape ``(N, K)``, of held-out data.
    labels
        Shape ``(N,)``, the true classes.

    Raises
    ------
    DataError
        If a class has no held-out picture, or the arguments do not fit.
    """

    def __init__(self, logits: Tensor, labels: Tensor) -> None:
        truth = check_labelled(logits, labels).cpu().numpy()
        probabilities = _probabilities(logits)
        missing = sorted(set(range(probabilities.shape[1])) - set(truth.tolist()))
        if missing:
            raise DataError(f"No held-out picture is of class {', '.join(map(str, missing))}: give some of each class.")
        self._steps = [
            IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(column, truth == label)
            for label, column in enumerate(probabilities.T)
        ]
        # A step at zero would make a picture impossible because none like it was among the N: Laplace's rule.
        self._least = 1 / (len(truth) + 2)

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """Logarithms of the calibrated probabilities ``(N, K)``: logits to compute with as with those given."""
        columns = _probabilities(logits).T
        steps = np.stack([steps.predict(column) for steps, column in zip(self._steps, columns, strict=True)], axis=1)
        raised = steps.clip(min=self._least)
        return torch.from_numpy(np.log(raised / raised.sum(axis=1, keepdims=True))).to(logits)


def _probabilities(logits: Tensor) -> NDArray[np.float64]:
    return np.asarray(logits.detach().double().softmax(1).cpu().numpy())
