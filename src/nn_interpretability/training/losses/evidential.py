"""The evidential loss, and what a card says of a network that may abstain."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from nn_interpretability.training.card import evaluation
from nn_interpretability.uncertainty.evidential import EvidentialLoss, Opinion, opinion

# Part of the training after which the penalty has its full weight.  Published: 10 of 25 epochs; in a training of few
# epochs it then comes before there is evidence for the right classes, and takes away all of it.
ANNEALING_SHARE = 1.0
FIRST_EVIDENCE = 1.0


class Evidential:
    """The logits are evidence (their positive part); the mean of the Dirichlet density is the probabilities."""

    def __init__(self, *, epochs: int, kl_weight: float) -> None:
        annealing = ANNEALING_SHARE * epochs
        self.settings: dict[str, Any] = {"kl_weight": kl_weight, "annealing_epochs": annealing}
        self._loss = EvidentialLoss(kl_weight=kl_weight, annealing=annealing)

    def prepare(self, model: nn.Module) -> None:
        """Give every class some evidence to begin with, by the biases of the last linear layer.

        Where the evidence of a class is zero for all pictures, so is its derivative, and the class is never learnt.
        """
        last = [module for module in model.modules() if isinstance(module, nn.Linear) and module.bias is not None][-1:]
        for layer in last:
            nn.init.constant_(layer.bias, FIRST_EVIDENCE)

    def __call__(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:
        """Mean loss of a batch, with the penalty of the epoch."""
        loss: Tensor = self._loss(logits, labels, epoch)
        return loss

    def evaluation(self, logits: Tensor, labels: Tensor) -> dict[str, Any]:
        """As for any classifier, and what becomes of pictures without evidence; see :func:`evidential_evaluation`."""
        return evidential_evaluation(opinion(logits.double()), logits, labels)


def build(*, epochs: int, kl_weight: float | None) -> Evidential:
    """Build the loss; the penalty has the weight 1 if none is given.

    Raises
    ------
    ConfigError
        If the weight is not allowed.
    """
    return Evidential(epochs=epochs, kl_weight=1.0 if kl_weight is None else kl_weight)


def evidential_evaluation(said: Opinion, logits: Tensor, labels: Tensor) -> dict[str, Any]:
    """Measure an evidential network on one part of the data.

    Parameters
    ----------
    said
        What it thinks of the pictures.
    logits, labels
        Shapes ``(n, classes)`` and ``(n,)``.

    Returns
    -------
    dict
        As :func:`nn_interpretability.training.card.evaluation` of the mean probabilities, where ``accuracy`` counts an
        abstention as wrong, and ``evidential``: ``abstentions`` and ``answers`` (counts), ``accuracy_of_answers``
        (None without any), ``accuracy_by_logits`` (the class of the largest logit, though all may be negative, as the
        study counted), ``mean_evidence`` (summed over classes), and ``mean_uncertainty``, of all (in (0, 1]), of
        ``right`` and of ``wrong`` answers (None without any), each abstention being a wrong one.
    """
    # An abstention is no class: no logit of it is the largest, and the picture counts as wrong.
    right = said.predicted == labels
    answered = ~said.abstains
    measured = evaluation(said.probabilities.log(), labels)
    measured["accuracy"] = _mean(right)
    measured["per_class"] = {
        label: {"accuracy": _mean(right[labels == int(label)]), "n": entry["n"]}
        for label, entry in measured["per_class"].items()
    }
    measured["evidential"] = {
        "abstentions": int(said.abstains.sum()),
        "answers": int(answered.sum()),
        "accuracy_of_answers": _mean(right[answered]),
        "accuracy_by_logits": _mean(logits.argmax(1) == labels),
        "mean_evidence": _mean(said.evidence.sum(1)),
        "mean_uncertainty": _mean(said.uncertainty),
        "mean_uncertainty_right": _mean(said.uncertainty[right]),
        "mean_uncertainty_wrong": _mean(said.uncertainty[~right]),
    }
    return measured


def _mean(values: Tensor) -> float | None:
    return float(values.double().mean()) if len(values) else None
