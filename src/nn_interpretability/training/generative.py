"""Training of the models of digits, each by its own kind of training: generators against a discriminator, or an RBM."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from nn_interpretability.data.digits import Digits, load
from nn_interpretability.errors import ConfigError
from nn_interpretability.models.discriminators import build_discriminator
from nn_interpretability.models.generators import build_generator
from nn_interpretability.models.rbm import GaussianRBM
from nn_interpretability.models.weights import load_weights, save_weights
from nn_interpretability.storage.product import write_csv, write_json
from nn_interpretability.training.adversarial import AdversarialRecipe, fit_adversarially
from nn_interpretability.training.contrastive_divergence import (
    ContrastiveDivergenceRecipe,
    fit_by_contrastive_divergence,
)
from nn_interpretability.training.determinism import reproducible, warn_of_threads
from nn_interpretability.training.loop import Labelled, Progress, resolve_device

LOGGER = logging.getLogger("nn_interpretability")
CLASSES = 10
RBM = "rbm"
MODELS = ("gan", "dcgan", RBM)

History = list[dict[str, float]]


def train_generative_model(
    digits_h5: Path | str,
    weights: Path | str,
    card: Path | str,
    history: Path | str,
    *,
    model: str,
    settings: Mapping[str, Any],
    seed: int,
    device: str,
    provenance: Mapping[str, Any],
    progress: Progress | None = None,
) -> None:
    """Train a generative model on the digits and write its weights, its card and its history.

    Parameters
    ----------
    digits_h5
        File of :func:`nn_interpretability.data.digits.prepare`.
    weights, card, history
        What is written: safetensors, JSON, and CSV with one row per epoch.
    model
        ``gan``, ``dcgan`` or ``rbm``.
    settings
        For generators those of :class:`~nn_interpretability.training.adversarial.AdversarialRecipe`; for the RBM
        ``sigma`` and those of
        :class:`~nn_interpretability.training.contrastive_divergence.ContrastiveDivergenceRecipe`.
    seed
        Seed of the first weights, of the order of the pictures, of codes and chains.
    device
        ``cpu``, ``cuda`` (an error where there is none) or ``auto``.
    provenance
        What makes the files.
    progress
        Called after each step with the steps done and their total.

    Raises
    ------
    ConfigError
        If there is no such model, a setting is not allowed, the device is not there, or training diverges.
    BrokenProductError
        If ``digits_h5`` is damaged.
    """
    _check_name(model)
    where = resolve_device(device)
    warn_of_threads(where)
    digits = load(digits_h5)
    train = Labelled.of(digits.train_images, digits.train_labels, where)
    with reproducible(seed, where):
        if model == RBM:
            trained, rows = _train_rbm(train, digits, settings, seed, progress)
        else:
            trained, rows = _train_generator(model, train, settings, seed, progress)
    save_weights(trained, weights)
    write_csv(history, pd.DataFrame(rows))
    write_json(
        card,
        {
            "model": model,
            "parameters": sum(parameter.numel() for parameter in trained.parameters()),
            "seed": seed,
            "device": where.type,
            "data": dict(digits.record),
            "recipe": dict(settings),
            "last_epoch": rows[-1],
            "provenance": dict(provenance),
        },
    )


def load_generative_model(model: str, weights: Path | str) -> nn.Module:
    """Build one of the models with trained weights, in evaluation mode.

    Raises
    ------
    ConfigError
        If there is no such model.
    DataError
        If the weights do not fit it.
    BrokenProductError
        If the weights are a result of an earlier job and not what that job wrote.
    """
    _check_name(model)
    built = GaussianRBM() if model == RBM else build_generator(model)
    return load_weights(built, weights).eval()


def _check_name(model: str) -> None:
    if model not in MODELS:
        raise ConfigError(f"There is no generative model {model!r}. The models are: {', '.join(MODELS)}.")


def _train_generator(
    name: str, train: Labelled, settings: Mapping[str, Any], seed: int, progress: Progress | None
) -> tuple[nn.Module, History]:
    recipe = AdversarialRecipe(**settings)
    where = train.labels.device
    generator = build_generator(name).to(where)
    discriminator = build_discriminator(name, outputs=CLASSES).to(where)
    for network in (generator, discriminator):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return generator, fit_adversarially(generator, discriminator, train, recipe, seed=seed, progress=progress)


def _train_rbm(
    train: Labelled, digits: Digits, settings: Mapping[str, Any], seed: int, progress: Progress | None
) -> tuple[nn.Module, History]:
    where = train.labels.device
    recipe = ContrastiveDivergenceRecipe(**{name: value for name, value in settings.items() if name != "sigma"})
    rbm = GaussianRBM(sigma=settings["sigma"]).to(where)
    validation = Labelled.of(digits.validation_images, digits.validation_labels, where)
    return rbm, fit_by_contrastive_divergence(rbm, train, validation, recipe, seed=seed, progress=progress)
