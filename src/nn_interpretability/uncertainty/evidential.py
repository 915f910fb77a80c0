r"""Evidential classification: the logits are evidence for a Dirichlet density over the probabilities.

With evidence :math:`e_k \ge 0` of class :math:`k`, :math:`\alpha_k = e_k + 1` and :math:`S = \sum_k \alpha_k` over
:math:`K` classes, the belief in a class is :math:`b_k = e_k / S`, the uncertainty is :math:`u = K / S`, and
:math:`u + \sum_k b_k = 1`; the mean of the density is :math:`\hat{p}_k = \alpha_k / S` (Sensoy, Kaplan and Kandemir,
*Evidential Deep Learning to Quantify Classification Uncertainty*, NeurIPS 2018).  Where there is no evidence at all,
:math:`u = 1`, all classes are equally likely and the network abstains.

That ``u`` measures what a network does not know has been disputed: a loss of this kind has no incentive to report it
faithfully (Bengs, Huellermeier and Waegeman, NeurIPS 2022).  Measure it before relying on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nn_interpretability.errors import ConfigError, DataError

Activation = Literal["relu", "softplus", "exp"]
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "softplus": F.softplus, "exp": torch.exp}


@dataclass(frozen=True)
class Opinion:
    r"""What an evidential network thinks of each image.

    Attributes
    ----------
    evidence, belief, probabilities
        Shape ``(N, K)``: :math:`e`, :math:`b = e / S` and :math:`\hat p = (e + 1) / S`.
    uncertainty
        Shape ``(N,)``, :math:`u = K / S` in (0, 1].
    """

    evidence: Tensor
    belief: Tensor
    probabilities: Tensor
    uncertainty: Tensor

    @property
    def abstains(self) -> Tensor:
        """Where there is no evidence for any class, so that no class is predicted; shape ``(N,)``, bool."""
        return (self.evidence == 0).all(dim=1)

    @property
    def predicted(self) -> Tensor:
        """The class with the most evidence, -1 where the network abstains; shape ``(N,)``, int64."""
        return self.evidence.argmax(dim=1).masked_fill(self.abstains, -1)


def opinion(logits: Tensor, activation: Activation = "relu") -> Opinion:
    """Evidence, belief, probabilities and uncertainty from logits.

    Parameters
    ----------
    logits
        Shape ``(N, K)``, K at least 2. The result has their type and follows their gradients.
    activation
        What makes evidence of a logit: ``"relu"`` (the paper's and the study's), ``"softplus"`` or ``"exp"``; with the
        last two the evidence is never zero and no network abstains.

    Raises
    ------
    ConfigError
        If there is no such activation.
    DataError
        If the logits have another shape, or are not finite.
    """
    evidence = evidence_of(logits, activation)
    alpha = evidence + 1
    strength = alpha.sum(dim=1, keepdim=True)
    return Opinion(evidence, evidence / strength, alpha / strength, logits.shape[1] / strength[:, 0])


def evidence_of(logits: Tensor, activation: Activation = "relu") -> Tensor:
    """Evidence of each class, ``(N, K)``, not negative; see :func:`opinion`."""
    if activation not in ACTIVATIONS:
        raise ConfigError(f"activation={activation!r} is not allowed: choose one of {', '.join(ACTIVATIONS)}.")
    if logits.dim() != 2 or logits.shape[1] < 2:
        raise DataError(f"Logits must have the shape (images, classes), 2 classes or more, not {tuple(logits.shape)}.")
    evidence = ACTIVATIONS[activation](logits)
    if not bool(torch.isfinite(evidence).all()):
        raise DataError(
            f"The evidence of these logits (activation {activation!r}) is not finite; the logits are "
            f"between {float(logits.min()):.3g} and {float(logits.max()):.3g}."
        )
    return evidence


def uncertainty_target(activation: Activation = "relu") -> Callable[[Tensor], Tensor]:
    """A target that explains the uncertainty u of each image: ``method.interpret(images, uncertainty_target())``.

    A method that starts from a derivative finds none where a network abstains with ReLU evidence: u stays 1 however
    the logits change a little, and the map is zero.
    """
    return lambda logits: opinion(logits, activation).uncertainty


def evidence_target(classes: int | Tensor | None = None, activation: Activation = "relu") -> Callable[[Tensor], Tensor]:
    """A target that explains evidence, which is never negative; a logit may be.

    Parameters
    ----------
    classes
        A class, or one class per image; None: the class of the largest logit. With one class per image, all images
        must be explained in one chunk.
    activation
        See :func:`opinion`.

    Returns
    -------
    callable
        Maps scores ``(N, K)`` to values ``(N,)``. With ReLU evidence the map of a method that conserves relevance is
        that of the logit where the logit is positive, and zero where it is not.
    """

    def target(logits: Tensor) -> Tensor:
        chosen = logits.argmax(dim=1) if classes is None else torch.as_tensor(classes, device=logits.device)
        return evidence_of(logits, activation).gather(1, chosen.expand(len(logits))[:, None])[:, 0]

    return target


class EvidentialLoss(nn.Module):
    r"""Expected squared error under the Dirichlet density, and a penalty on evidence for wrong classes.

    .. math::

        L = \sum_k (y_k - \hat p_k)^2 + \frac{\hat p_k (1 - \hat p_k)}{S + 1}
            + \lambda_t \, \mathrm{KL}(\mathrm{Dir}(\tilde\alpha) \,\|\, \mathrm{Dir}(1)),
        \quad \tilde\alpha = y + (1 - y) \alpha,
        \quad \lambda_t = \lambda \min(1, t / t_0)

    with epoch :math:`t` counted from 0 (Sensoy et al. 2018, Eqs 5 and following).  The batch's mean is returned.

    Parameters
    ----------
    kl_weight
        :math:`\lambda`, 0 or more; 1 in the paper.
    annealing
        :math:`t_0` in epochs, above 0; 10 in the paper.
    activation
        See :func:`opinion`.

    Raises
    ------
    ConfigError
        If a parameter is not allowed.
    """

    def __init__(self, *, kl_weight: float = 1.0, annealing: float = 10.0, activation: Activation = "relu") -> None:
        super().__init__()
        if not 0 <= kl_weight < math.inf:
            raise ConfigError(f"kl_weight={kl_weight} is not allowed: give a number of 0 or more.")
        if not 0 < annealing < math.inf:
            raise ConfigError(f"annealing={annealing} is not allowed: give a number of epochs above 0.")
        if activation not in ACTIVATIONS:
            raise ConfigError(f"activation={activation!r} is not allowed: choose one of {', '.join(ACTIVATIONS)}.")
        self.kl_weight, self.annealing, self.activation = kl_weight, annealing, activation

    def forward(self, logits: Tensor, labels: Tensor, epoch: float | None = None) -> Tensor:
        """Mean loss of a batch.

        Parameters
        ----------
        logits
            Shape ``(N, K)``.
        labels
            Shape ``(N,)``, the true classes.
        epoch
            How far the training is, counted from 0; None for the full weight of the penalty.

        Raises
        ------
        DataError
            If the labels do not fit the logits, or the evidence is not finite.
        """
        alpha = evidence_of(logits, self.activation) + 1
        truth = _one_hot(labels, alpha)
        weight = self.kl_weight * (1.0 if epoch is None else min(1.0, epoch / self.annealing))
        return (expected_squared_error(alpha, truth) + weight * penalty(alpha, truth)).mean()


def expected_squared_error(alpha: Tensor, truth: Tensor) -> Tensor:
    """Expected squared distance of the probabilities from the truth, ``(N,)``; both arguments ``(N, K)``."""
    strength = alpha.sum(dim=1, keepdim=True)
    mean = alpha / strength
    return ((truth - mean) ** 2 + mean * (1 - mean) / (strength + 1)).sum(dim=1)


def penalty(alpha: Tensor, truth: Tensor) -> Tensor:
    """Kullback-Leibler divergence from the uniform density, of the density without its evidence for the truth."""
    return divergence_from_uniform(truth + (1 - truth) * alpha)


def divergence_from_uniform(alpha: Tensor) -> Tensor:
    r""":math:`\mathrm{KL}(\mathrm{Dir}(\alpha) \,\|\, \mathrm{Dir}(1))` in nats, ``(N,)``, of parameters ``(N, K)``.

    .. math:: \ln\Gamma(S) - \ln\Gamma(K) - \sum_k \ln\Gamma(\alpha_k) + \sum_k (\alpha_k - 1)(\psi(\alpha_k) - \psi(S))
    """
    strength = alpha.sum(dim=1, keepdim=True)
    volume = torch.lgamma(strength)[:, 0] - math.lgamma(alpha.shape[1]) - torch.lgamma(alpha).sum(dim=1)
    return volume + ((alpha - 1) * (torch.digamma(alpha) - torch.digamma(strength))).sum(dim=1)


def _one_hot(labels: Tensor, alpha: Tensor) -> Tensor:
    count, classes = alpha.shape
    if labels.shape != (count,) or labels.is_floating_point() or labels.dtype == torch.bool:
        raise DataError(f"Labels must be {count} whole numbers, not {tuple(labels.shape)} of type {labels.dtype}.")
    if count and (int(labels.min()) < 0 or int(labels.max()) >= classes):
        raise DataError(
            f"Labels must be from 0 to {classes - 1}; they are from {int(labels.min())} to {int(labels.max())}."
        )
    return F.one_hot(labels.long(), classes).to(alpha.dtype)
