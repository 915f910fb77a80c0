"""The model card: what a network is, how it was trained, and how well it does on pictures it never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from nn_interpretability.uncertainty.calibration import expected_calibration_error, nll


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of rows whose largest logit is that of the true class, 0 to 1."""
    return float((logits.argmax(1) == labels).double().mean())


def evaluation(logits: Tensor, labels: Tensor) -> dict[str, Any]:
    """Measure a classifier on one part of the data.

    Parameters
    ----------
    logits
        Shape (n, classes).
    labels
        Shape (n,), the true classes.

    Returns
    -------
    dict
        ``accuracy`` (share of rows, 0 to 1), ``nll`` (nats), ``ece`` (0 to 1, 15 bins), ``n`` (rows), and
        ``per_class``: for each class that occurs, its ``accuracy`` and ``n``.
    """
    per_class = {
        str(int(c)): {
            "accuracy": accuracy(logits[labels == c], labels[labels == c]),
            "n": int((labels == c).sum()),
        }
        for c in labels.unique()
    }
    return {
        "accuracy": accuracy(logits, labels),
        "nll": nll(logits, labels),
        "ece": expected_calibration_error(logits, labels),
        "n": len(labels),
        "per_class": per_class,
    }


def model_card(
    model: nn.Module,
    *,
    architecture: str,
    seed: int | None,
    device: str,
    data: Mapping[str, Any],
    recipe: Mapping[str, Any],
    test: Mapping[str, Any],
    validation: Mapping[str, Any],
    provenance: Mapping[str, Any],
    doubts: Sequence[str] = (),
    weights: str | None = None,
) -> dict[str, Any]:
    """Put a model card together; JSON-able, without clock readings.

    Parameters
    ----------
    model
        The trained network; its parameters are counted.
    architecture, seed, device, recipe
        What was trained, and how; a network that was imported has no seed.
    data
        Record of where the pictures come from.
    test, validation
        Results of :func:`evaluation` on the two parts; empty where nothing was measured.
    doubts
        What speaks against these results, see :func:`nn_interpretability.training.doubts.doubts`.
    weights
        SHA-256 of the weights file that the card describes; None to leave it out.
    provenance
        What made the card.
    """
    return {
        "architecture": architecture,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "seed": seed,
        "device": device,
        "data": dict(data),
        "recipe": dict(recipe),
        "test": dict(test),
        "validation": dict(validation),
        "doubts": list(doubts),
        **({} if weights is None else {"weights": weights}),
        "provenance": dict(provenance),
    }
