"""How well predicted probabilities agree with what happens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor


def nll(logits: Tensor, labels: Tensor) -> float:
    r"""Mean negative log-likelihood, :math:`-\frac{1}{n} \sum_i \log p_{i, y_i}`, in nats.

    Parameters
    ----------
    logits
        Shape (n, classes); computed in float64.
    labels
        Shape (n,), the true classes: integers of any type, on any device.

    Raises
    ------
    ValueError
        If shapes, labels or numbers are not usable; the message says which.
    """
    labels = check_labelled(logits, labels)
    return float(F.cross_entropy(logits.double(), labels))


def expected_calibration_error(logits: Tensor, labels: Tensor, bins: int = 15) -> float:
    r"""Expected calibration error, :math:`\sum_b \frac{n_b}{n} |\mathrm{acc}_b - \mathrm{conf}_b|`.

    Confidence is the largest probability of a row.  Bin *b* of *B* holds the rows with confidence in
    :math:`((b - 1)/B, b/B]`; empty bins count nothing (Guo et al., *On Calibration of Modern Neural
    Networks*, ICML 2017).

    Parameters
    ----------
    logits
        Shape (n, classes); computed in float64.
    labels
        Shape (n,), the true classes: integers of any type, on any device.
    bins
        Number of bins of equal width.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If shapes, labels, numbers or ``bins`` are not usable; the message says which.
    """
    return reliability(logits, labels, bins).expected_error


@dataclass(frozen=True)
class Reliability:
    r"""How often a classifier is right, by how sure it was.

    Bin *b* of *B* holds the rows whose largest probability lies in :math:`((b - 1)/B, b/B]`.

    Attributes
    ----------
    count
        Rows in each bin.
    confidence, accuracy
        Mean of the largest probability, and share of right rows, in each bin; 0 where it is empty.
    """

    count: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    @property
    def expected_error(self) -> float:
        """Expected calibration error: the gap between accuracy and confidence, weighted by the count; 0 to 1."""
        return float((self.count * np.abs(self.accuracy - self.confidence)).sum() / self.count.sum())

    @property
    def largest_error(self) -> float:
        """Maximum calibration error: the largest gap of a bin that is not empty; 0 to 1."""
        return float(np.abs(self.accuracy - self.confidence).max())


def reliability(logits: Tensor, labels: Tensor, bins: int = 15) -> Reliability:
    """Accuracy and confidence in bins of equal width: the data of a reliability diagram.

    Parameters
    ----------
    logits, labels, bins
        As for :func:`expected_calibration_error`.

    Raises
    ------
    ValueError
        If shapes, labels, numbers or ``bins`` are not usable; the message says which.
    """
    labels = check_labelled(logits, labels)
    if bins < 1:
        raise ValueError(f"bins is {bins}; at least one bin is needed.")
    confidence, predicted = logits.double().softmax(1).max(1)
    upper_edges = torch.arange(1, bins, dtype=torch.float64, device=logits.device) / bins
    # right=False: an edge belongs to the bin below it
    index = torch.bucketize(confidence, upper_edges, right=False).cpu().numpy()
    right = (predicted == labels).double().cpu().numpy()
    count = np.bincount(index, minlength=bins)
    rows = np.maximum(count, 1)
    return Reliability(
        count=count,
        confidence=np.bincount(index, weights=confidence.cpu().numpy(), minlength=bins) / rows,
        accuracy=np.bincount(index, weights=right, minlength=bins) / rows,
    )


def brier(logits: Tensor, labels: Tensor) -> float:
    r"""Mean squared distance of the probabilities from the truth, :math:`\frac1n \sum_i \sum_k (p_{ik} - y_{ik})^2`.

    Parameters
    ----------
    logits, labels
        As for :func:`nll`.

    Returns
    -------
    float
        Between 0 and 2 (Brier 1950, all classes).
    """
    labels = check_labelled(logits, labels)
    probabilities = logits.double().softmax(1)
    return float((probabilities - F.one_hot(labels, logits.shape[1])).square().sum(1).mean())


def check_labelled(logits: Tensor, labels: Tensor) -> Tensor:
    """The labels as int64 on the device of the logits; those that do not belong to the logits are refused.

    Raises
    ------
    ValueError
        If shapes, labels or numbers are not usable; the message says which.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not len(labels):
        raise ValueError(
            f"logits must have the shape (n, classes) and labels (n,) with n > 0, not {tuple(logits.shape)} "
            f"and {tuple(labels.shape)}."
        )
    if labels.is_floating_point() or labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(f"labels must be whole numbers from 0 to {logits.shape[1] - 1}.")
    if not torch.isfinite(logits).all():
        raise ValueError("logits have NaN or infinite numbers.")
    return labels.to(logits.device, torch.int64)
