"""Training of a classifier: all data in memory, one cycle of the learning rate, the same bits each time.

L. N. Smith and N. Topin, *Super-Convergence*, 2018 (arXiv 1708.07120), for the schedule.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from nn_interpretability.data.digits import check_parts, load
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.models.build import build_model
from nn_interpretability.models.weights import save_weights
from nn_interpretability.storage.product import digest_of, write_csv, write_json
from nn_interpretability.training.card import model_card
from nn_interpretability.training.determinism import reproducible, warn_of_threads
from nn_interpretability.training.doubts import doubts
from nn_interpretability.training.losses import DEFAULT, Loss, build_loss

LOGGER = logging.getLogger("nn_interpretability")
# Rows of one forward pass without gradients; more fall out of the cache.
BLOCK = 250

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes
    ----------
    epochs
        Times that every training picture is seen.
    batch_size
        Pictures per step.
    max_learning_rate
        Top of the one-cycle schedule.
    weight_decay
        Of AdamW, decoupled from the gradient.
    """

    epochs: int
    batch_size: int
    max_learning_rate: float
    weight_decay: float

    def __post_init__(self) -> None:
        for name, allowed in {
            "epochs": self.epochs >= 1,
            "batch_size": self.batch_size >= 1,
            "max_learning_rate": 0 < self.max_learning_rate < math.inf,
            "weight_decay": 0 <= self.weight_decay < math.inf,
        }.items():
            if not allowed:
                least = "0 or more" if name == "weight_decay" else "above 0"
                raise ConfigError(f"{name} is {getattr(self, name)}; allowed are numbers {least}.")


@dataclass(frozen=True)
class Labelled:
    """Pictures and their classes on the device that computes.

    Attributes
    ----------
    images
        float32, shape (n, 1, height, width), in [0, 1], channels last.
    labels
        int64, shape (n,).
    """

    images: Tensor
    labels: Tensor

    @classmethod
    def of(cls, images: Any, labels: Any, device: torch.device) -> Labelled:
        """Take over uint8 pictures (n, height, width) and labels (n,), both NumPy arrays.

        Raises
        ------
        DataError
            If the pictures are not uint8: scaled once already, they would be scaled again.
        """
        if images.dtype != "uint8":
            raise DataError(f"The pictures are {images.dtype}; expected uint8, since they are divided by 255 here.")
        pixels = torch.from_numpy(images).to(device)[:, None].float().div_(255)
        return cls(pixels.contiguous(memory_format=torch.channels_last), torch.from_numpy(labels).to(device))


def train_classifier(
    digits_h5: Path | str,
    weights: Path | str,
    card: Path | str,
    history: Path | str,
    *,
    architecture: str,
    epochs: int,
    batch_size: int,
    max_learning_rate: float,
    weight_decay: float,
    loss: str = DEFAULT,
    kl_weight: float | None = None,
    seed: int,
    device: str,
    provenance: Mapping[str, Any],
    progress: Progress | None = None,
) -> None:
    """Train a network on the digits and write its weights, its card and its history.

    The last weights are kept, not the best ones: validation is reported and chooses nothing; the test part is
    looked at once, for the card.

    Parameters
    ----------
    digits_h5
        File of :func:`nn_interpretability.data.digits.prepare`.
    weights, card, history
        What is written: safetensors, JSON, and CSV with one row per epoch.
    architecture
        Name of the network, see :func:`nn_interpretability.models.build.build_model`.
    epochs, batch_size, max_learning_rate, weight_decay
        See :class:`Recipe`.
    loss, kl_weight
        What is made small; see :func:`nn_interpretability.training.losses.build_loss`.
    seed
        Seed of the first weights, of the order of the pictures, and of dropout.
    device
        ``cpu``, ``cuda`` (an error where there is none) or ``auto``.
    provenance
        What makes the files.
    progress
        Called after each step with the steps done and their total.

    Raises
    ------
    ConfigError
        If a setting is not allowed, the device is not there, or training diverges.
    BrokenProductError
        If ``digits_h5`` is damaged.
    """
    recipe = Recipe(epochs, batch_size, max_learning_rate, weight_decay)
    aim = build_loss(loss, epochs=epochs, kl_weight=kl_weight)
    where = resolve_device(device)
    warn_of_threads(where)
    digits = load(digits_h5)
    check_parts(digits)
    train = Labelled.of(digits.train_images, digits.train_labels, where)
    validation = Labelled.of(digits.validation_images, digits.validation_labels, where)
    with reproducible(seed, where):
        model = build_model(architecture).to(where)
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        rows = fit(model, train, validation, recipe, loss=aim, seed=seed, progress=progress)
        test = Labelled.of(digits.test_images, digits.test_labels, where)
        tested = aim.evaluation(logits_of(model, test.images), test.labels.cpu())
        validated = aim.evaluation(logits_of(model, validation.images), validation.labels.cpu())
    doubtful = doubts(tested, validated)
    for sentence in doubtful:
        LOGGER.warning("%s: %s", architecture, sentence)
    save_weights(model, weights)
    write_csv(history, pd.DataFrame(rows))
    write_json(
        card,
        model_card(
            model,
            architecture=architecture,
            seed=seed,
            device=where.type,
            data=digits.record,
            recipe={**asdict(recipe), "loss": loss, **aim.settings},
            test=tested,
            validation=validated,
            doubts=doubtful,
            weights=digest_of(weights),
            provenance=provenance,
        ),
    )
    LOGGER.info("%s: %.2f %% of %d test pictures right", architecture, 100 * tested["accuracy"], tested["n"])


def fit(
    model: nn.Module,
    train: Labelled,
    validation: Labelled,
    recipe: Recipe,
    *,
    loss: Loss | None = None,
    seed: int,
    progress: Progress | None = None,
) -> list[dict[str, float]]:
    """Train a network in place.

    Parameters
    ----------
    model
        On the device of the pictures; left in evaluation mode.
    train, validation
        The two parts.
    recipe
        How to train.
    loss
        What is made small; None for cross entropy.
    seed
        Seed of the order of the pictures.
    progress
        Called after each step with the steps done and their total.

    Returns
    -------
    list of dict
        For each epoch: ``epoch``, ``train_loss`` (mean over the epoch's steps), ``validation_loss``
        (negative log-likelihood), ``validation_accuracy``, ``learning_rate`` (of the last step).

    Raises
    ------
    ConfigError
        If training diverges.
    """
    aim = build_loss(DEFAULT, epochs=recipe.epochs, kl_weight=None) if loss is None else loss
    aim.prepare(model)
    steps = math.ceil(len(train.labels) / recipe.batch_size)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.max_learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.max_learning_rate, total_steps=recipe.epochs * steps
    )
    order = torch.Generator().manual_seed(seed)
    report = _reporter(progress, recipe.epochs * steps)
    history = []
    for epoch in range(1, recipe.epochs + 1):
        batches = torch.randperm(len(train.labels), generator=order).split(recipe.batch_size)
        train_loss, learning_rate = _train_epoch(
            model,
            train,
            batches,
            loss=partial(aim, epoch=epoch - 1),
            optimizer=optimizer,
            schedule=schedule,
            report=report,
        )
        logits = logits_of(model, validation.images)
        _refuse_divergence(train_loss, logits, epoch, recipe)
        validated = aim.evaluation(logits, validation.labels.cpu())
        history.append(
            {
                "epoch": epoch,
                "train_loss": train_loss,
                "validation_loss": validated["nll"],
                "validation_accuracy": validated["accuracy"],
                "learning_rate": learning_rate,
            }
        )
    return history


def _train_epoch(
    model: nn.Module,
    train: Labelled,
    batches: Sequence[Tensor],
    *,
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    report: Callable[[], None],
) -> tuple[float, float]:
    """Train on each batch once; return the mean loss and the learning rate of the last step."""
    device = train.labels.device
    loss_sum = torch.zeros((), dtype=torch.float64, device=device)
    learning_rate = 0.0
    model.train()
    for batch in batches:
        rows = batch.to(device)
        learning_rate = float(schedule.get_last_lr()[0])
        optimizer.zero_grad()
        value = loss(model(train.images[rows]), train.labels[rows])
        value.backward()
        optimizer.step()
        schedule.step()
        loss_sum += value.detach().double() * len(rows)
        report()
    model.eval()
    return float(loss_sum) / len(train.labels), learning_rate


def _reporter(progress: Progress | None, total: int) -> Callable[[], None]:
    """Return a function that counts steps and passes the count on."""
    count = itertools.count(1)

    def report() -> None:
        if progress is not None:
            progress(next(count), total)

    return report


def _refuse_divergence(train_loss: float, logits: Tensor, epoch: int, recipe: Recipe) -> None:
    if not (math.isfinite(train_loss) and bool(torch.isfinite(logits).all())):
        raise ConfigError(
            f"Training diverged in epoch {epoch}: the loss is {train_loss}. Nothing was written. Use a "
            f"max_learning_rate below {recipe.max_learning_rate}."
        )


@torch.no_grad()
def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    """Logits of many pictures, computed in blocks of one size.

    Parameters
    ----------
    model
        In evaluation mode, on the device of the pictures.
    images
        Shape (n, channels, height, width).

    Returns
    -------
    Tensor
        Shape (n, classes), on the CPU.

    Raises
    ------
    ValueError
        If the model is in training mode: dropout would be on, and batch norm would learn from these pictures.
    """
    if model.training:
        raise ValueError("The model is in training mode; call model.eval() before its scores are measured.")
    return torch.cat([model(block).cpu() for block in images.split(BLOCK)])


def resolve_device(device: str) -> torch.device:
    """Turn ``cpu``, ``cuda`` or ``auto`` (the GPU where there is one) into a device.

    Raises
    ------
    ConfigError
        If the name is none of these, or ``cuda`` was asked for and there is no GPU.
    """
    if device not in {"cpu", "cuda", "auto"}:
        raise ConfigError(f"device is {device!r}; allowed are 'auto', 'cpu' and 'cuda'.")
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise ConfigError("device is 'cuda', but torch finds no GPU here; use 'auto' or 'cpu', or mend the driver.")
    return torch.device("cuda" if available and device != "cpu" else "cpu")
