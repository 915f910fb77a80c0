"""How well predicted probabilities agree with what happens."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def nll(logits: Tensor, labels: Tensor) -> float:
    r"""Mean negative log-likelihood, :math:`-\frac{1}{n} \sum_i \log p_{i, y_i}`, in nats.

    Parameters
    ----------
    logits
        Shape (n, classes); computed in float64.
    labels
        Shape (n,), the true classes.

    Raises
    ------
    ValueError
        If shapes, labels or numbers are not usable; the message says which.
    """
    _check(logits, labels)
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
        Shape (n,), the true classes.
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
    _check(logits, labels)
    if bins < 1:
        raise ValueError(f"bins is {bins}; at least one bin is needed.")
    confidence, predicted = logits.double().softmax(1).max(1)
    upper_edges = torch.arange(1, bins, dtype=torch.float64, device=logits.device) / bins
    # right=False: an edge belongs to the bin below it
    index = torch.bucketize(confidence, upper_edges, right=False)
    excess = (predicted == labels).double() - confidence
    # the sum of (correct - confidence) over a bin is n_b (acc_b - conf_b)
    gaps = upper_edges.new_zeros(bins).index_add(0, index, excess).abs()
    return float(gaps.sum() / len(labels))


def _check(logits: Tensor, labels: Tensor) -> None:
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not len(labels):
        raise ValueError(
            f"logits must have the shape (n, classes) and labels (n,) with n > 0, not {tuple(logits.shape)} "
            f"and {tuple(labels.shape)}."
        )
    if labels.is_floating_point() or labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(f"labels must be whole numbers from 0 to {logits.shape[1] - 1}.")
    if not torch.isfinite(logits).all():
        raise ValueError("logits have NaN or infinite numbers.")
