r"""Training of a Gaussian RBM by persistent contrastive divergence.

The gradient of the negative log-likelihood is :math:`\overline{\nabla F(x)}` over the data minus its mean over the
machine's own distribution, which Markov chains follow that are never restarted.

T. Tieleman, *Training Restricted Boltzmann Machines using Approximations to the Likelihood Gradient*, ICML 2008.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from nn_interpretability.errors import ConfigError
from nn_interpretability.models.rbm import GaussianRBM
from nn_interpretability.training.loop import Labelled, Progress

# Most hidden units are off in the beginning, so that each learns to stand for something.
HIDDEN_BIAS = -2.0


@dataclass(frozen=True)
class ContrastiveDivergenceRecipe:
    """How an RBM is trained.

    Attributes
    ----------
    epochs
        Times that every training picture is seen.
    batch_size
        Pictures, and as many chains, per step; the rest of an epoch that does not fill a batch is left out.
    learning_rate
        Of Adam, constant for the first half, falling linearly to 0 in the second.
    weight_decay
        Added to the gradient of the weights, times the weights.
    gibbs_steps
        Steps of each chain between two steps of the optimizer.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    gibbs_steps: int

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            may_be_zero = name == "weight_decay"
            if not (0 <= value < math.inf and (value > 0 or may_be_zero)):
                raise ConfigError(
                    f"{name} is {value}; allowed are numbers {'0 or more' if may_be_zero else 'above 0'}."
                )


def fit_by_contrastive_divergence(
    rbm: GaussianRBM,
    train: Labelled,
    validation: Labelled,
    recipe: ContrastiveDivergenceRecipe,
    *,
    seed: int,
    progress: Progress | None = None,
) -> list[dict[str, float]]:
    """Train an RBM in place.

    Parameters
    ----------
    rbm
        On the device of the pictures. Its visible biases become the mean picture before training.
    train, validation
        The two parts; classes are not used.
    recipe
        How to train.
    seed
        Seed of the order of the pictures and of the chains, which start at training pictures.
    progress
        Called after each step with the steps done and their total.

    Returns
    -------
    list of dict
        For each epoch: ``epoch``, ``reconstruction_error`` (mean squared difference between validation pictures and
        their mean given the mean of the hidden units), ``train_free_energy`` and ``validation_free_energy`` (means, in
        nats, of as many training pictures as there are validation pictures; they drift apart where an RBM learns by
        heart).

    Raises
    ------
    ConfigError
        If there are fewer pictures than one batch has, or if training diverges.
    """
    images = train.images.flatten(1)
    per_epoch = len(images) // recipe.batch_size
    if not per_epoch:
        raise ConfigError(
            f"batch_size is {recipe.batch_size}, but there are only {len(images)} training pictures; use smaller "
            "batches or more pictures."
        )
    random = torch.Generator().manual_seed(seed)
    total = recipe.epochs * per_epoch
    chains = _start(rbm, images, recipe, random)
    optimizer = torch.optim.Adam(rbm.parameters(), lr=recipe.learning_rate, betas=(0.5, 0.999), fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, 2 * (1 - step / total)))
    done, history = 0, []
    for epoch in range(1, recipe.epochs + 1):
        order = torch.randperm(len(images), generator=random)
        for batch in order[: per_epoch * recipe.batch_size].split(recipe.batch_size):
            chains, _ = rbm.gibbs(chains, steps=recipe.gibbs_steps, generator=random)
            loss = contrastive_divergence(rbm, images[batch.to(images.device)], chains)
            optimizer.zero_grad()
            (loss + recipe.weight_decay / 2 * rbm.weight.square().sum()).backward()
            optimizer.step()
            schedule.step()
            done += 1
            if progress is not None:
                progress(done, total)
        history.append({"epoch": epoch, **_state(rbm, images, validation.images)})
        _refuse_divergence(history[-1], chains, recipe)
    return history


def contrastive_divergence(rbm: GaussianRBM, data: Tensor, chains: Tensor) -> Tensor:
    """Mean free energy of the data minus that of the chains: its gradient is that of the negative log-likelihood."""
    return rbm.free_energy(data).mean() - rbm.free_energy(chains).mean()


@torch.no_grad()
def reconstruction_error(rbm: GaussianRBM, images: Tensor) -> Tensor:
    """Mean squared difference ``(n,)`` between images and their mean given the mean of the hidden units."""
    return (rbm.visible_mean(rbm.hidden_mean(images)) - images.flatten(1)).square().mean(1)


@torch.no_grad()
def _start(rbm: GaussianRBM, images: Tensor, recipe: ContrastiveDivergenceRecipe, random: torch.Generator) -> Tensor:
    rbm.visible_bias.copy_(images.mean(0))
    rbm.hidden_bias.fill_(HIDDEN_BIAS)
    return images[torch.randperm(len(images), generator=random)[: recipe.batch_size].to(images.device)]


@torch.no_grad()
def _state(rbm: GaussianRBM, images: Tensor, validation: Tensor) -> dict[str, float]:
    return {
        "reconstruction_error": float(reconstruction_error(rbm, validation).double().mean()),
        "train_free_energy": float(rbm.free_energy(images[: len(validation)]).double().mean()),
        "validation_free_energy": float(rbm.free_energy(validation).double().mean()),
    }


def _refuse_divergence(row: dict[str, float], chains: Tensor, recipe: ContrastiveDivergenceRecipe) -> None:
    if not (all(map(math.isfinite, row.values())) and bool(torch.isfinite(chains).all())):
        raise ConfigError(
            f"Training diverged in epoch {row['epoch']}: the free energy is {row['validation_free_energy']}. Nothing "
            f"was written. Use a learning_rate below {recipe.learning_rate}."
        )
