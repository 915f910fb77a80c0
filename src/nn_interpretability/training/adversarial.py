r"""Training of a generator against a discriminator that also tells the classes apart.

The discriminator has one logit :math:`l_k` for each of K classes; :math:`D(x) = \log \frac{1}{K} \sum_k e^{l_k(x)}` is
the logit that an image is real (the mean, not the sum, so that an untrained discriminator is undecided). With
:math:`\zeta(t) = \log(1 + e^t)`, real images x of class y, and codes z,

.. math::
    L_D &= \zeta(-D(x)) + \zeta(D(g(z))) - \log p(y | x) + \tfrac{\gamma}{2} \|\nabla_x D(x)\|^2 \\
    L_g &= \zeta(-D(g(z))) - \lambda \left(H[\overline{p(y | g(z))}] - \overline{H[p(y | g(z))]}\right)

The bracket is the mutual information of class and code: large if each image is of a clear class, and all classes are
equally frequent.

I. Goodfellow et al., *Generative Adversarial Nets*, 2014 (arXiv 1406.2661); T. Salimans et al., *Improved Techniques
for Training GANs*, 2016 (arXiv 1606.03498), for the logits; J. T. Springenberg, *Unsupervised and Semi-supervised
Learning with Categorical GANs*, 2015 (arXiv 1511.06390), for the bracket; L. Mescheder, A. Geiger and S. Nowozin,
*Which Training Methods for GANs do actually Converge?*, 2018 (arXiv 1801.04406), for the penalty; Y. Yazici et al.,
*The Unusual Effectiveness of Averaging in GAN Training*, 2018 (arXiv 1806.04498), for the averaged weights.
"""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nn_interpretability.errors import ConfigError
from nn_interpretability.models.generators import Generator
from nn_interpretability.training.loop import Labelled, Progress

# The penalty costs as much as the rest of the discriminator's step, and is as good when it is larger and rarer.
PENALTY_EVERY = 4
AVERAGING = 0.999
# Batches, and codes in each, from which the statistics of batch norm are taken in the end.
STATISTICS = (20, 250)
COLUMNS = ("generator_loss", "discriminator_loss", "real", "fake", "information")


@dataclass(frozen=True)
class AdversarialRecipe:
    r"""How a generator is trained.

    Attributes
    ----------
    epochs
        Times that every training picture is seen.
    batch_size
        Pictures, and as many codes, per step; the rest of an epoch that does not fill a batch is left out.
    generator_learning_rate, discriminator_learning_rate
        Of Adam, constant for the first half, falling linearly to 0 in the second.
    gradient_penalty
        :math:`\gamma`, on the discriminator's gradient at real pictures.
    class_information
        :math:`\lambda`, per nat of mutual information between class and code.
    """

    epochs: int
    batch_size: int
    generator_learning_rate: float
    discriminator_learning_rate: float
    gradient_penalty: float
    class_information: float

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            may_be_zero = name in {"gradient_penalty", "class_information"}
            if not (0 <= value < math.inf and (value > 0 or may_be_zero)):
                least = "0 or more" if may_be_zero else "above 0"
                raise ConfigError(f"{name} is {value}; allowed are numbers {least}.")
        if self.batch_size < 2:
            raise ConfigError(f"batch_size is {self.batch_size}; batch norm needs at least 2.")


def realness(logits: Tensor) -> Tensor:
    """:math:`D` of logits ``(n, classes)``, shape (n,)."""
    return logits.logsumexp(1) - math.log(logits.shape[1])


def discriminator_loss(real_logits: Tensor, labels: Tensor, fake_logits: Tensor) -> Tensor:
    """:math:`L_D` without the penalty; logits ``(n, classes)``, labels ``(n,)``, mean over the rows, in nats."""
    real, fake = realness(real_logits), realness(fake_logits)
    return F.softplus(-real).mean() + F.softplus(fake).mean() + F.cross_entropy(real_logits, labels)


def generator_loss(fake_logits: Tensor, class_information: float) -> Tensor:
    """:math:`L_g` of logits ``(n, classes)``, mean over the rows, in nats."""
    deceived = F.softplus(-realness(fake_logits)).mean()
    return deceived - class_information * mutual_information(fake_logits)


def mutual_information(logits: Tensor) -> Tensor:
    r"""Mutual information of class and row, :math:`H[\overline{p}] - \overline{H[p]}` of logits ``(n, classes)``."""
    log_p = logits.log_softmax(1)
    log_mean = log_p.logsumexp(0) - math.log(len(logits))
    return (log_p.exp() * (log_p - log_mean)).sum(1).mean()


def fit_adversarially(
    generator: Generator,
    discriminator: nn.Module,
    train: Labelled,
    recipe: AdversarialRecipe,
    *,
    seed: int,
    progress: Progress | None = None,
) -> list[dict[str, float]]:
    """Train a generator and its discriminator in place.

    The generator ends with the running average of its weights, and in evaluation mode, with statistics of batch norm
    that belong to them.

    Parameters
    ----------
    generator, discriminator
        On the device of the pictures; the discriminator returns one logit per class.
    train
        Pictures and classes.
    recipe
        How to train.
    seed
        Seed of the order of the pictures and of the codes.
    progress
        Called after each step with the steps done and their total.

    Returns
    -------
    list of dict
        For each epoch: ``epoch``, and the means over its steps of ``generator_loss``, ``discriminator_loss`` (without
        the penalty), ``real`` and ``fake`` (mean probability of being real that real and generated images get), and
        ``information`` (mutual information of class and code, in nats; at most log 10 for ten classes).

    Raises
    ------
    ConfigError
        If there are fewer pictures than one batch has, or if training diverges.
    """
    per_epoch = len(train.labels) // recipe.batch_size
    if not per_epoch:
        raise ConfigError(
            f"batch_size is {recipe.batch_size}, but there are only {len(train.labels)} training pictures; use smaller "
            "batches or more pictures."
        )
    random = torch.Generator().manual_seed(seed)
    duel = _Duel(generator, discriminator, recipe, recipe.epochs * per_epoch)
    history = []
    generator.train()
    discriminator.train()
    for epoch in range(1, recipe.epochs + 1):
        sums = torch.zeros(len(COLUMNS), dtype=torch.float64, device=train.labels.device)
        order = torch.randperm(len(train.labels), generator=random)
        for batch in order[: per_epoch * recipe.batch_size].split(recipe.batch_size):
            rows = batch.to(train.labels.device)
            sums += duel.step(train.images[rows], train.labels[rows], _codes(generator, len(rows), random))
            if progress is not None:
                progress(duel.done, duel.total)
        means = dict(zip(COLUMNS, (sums / per_epoch).tolist(), strict=True))
        if not all(map(math.isfinite, means.values())):
            raise ConfigError(
                f"Training diverged in epoch {epoch}: the losses are {means['generator_loss']} (generator) and "
                f"{means['discriminator_loss']} (discriminator). Nothing was written. Use learning rates below "
                f"{recipe.generator_learning_rate} and {recipe.discriminator_learning_rate}."
            )
        history.append({"epoch": epoch, **means})
    generator.load_state_dict(duel.average.state_dict())
    _measure_statistics(generator, random)
    generator.eval()
    discriminator.eval()
    return history


class _Duel:
    """Generator, discriminator, their optimizers, and the running average of the generator's weights."""

    def __init__(self, generator: Generator, discriminator: nn.Module, recipe: AdversarialRecipe, total: int) -> None:
        self.generator, self.discriminator, self.recipe = generator, discriminator, recipe
        self.average = copy.deepcopy(generator).requires_grad_(False)
        self.done, self.total = 0, total
        self._optimizers = {
            model: torch.optim.Adam(model.parameters(), lr=rate, betas=(0.5, 0.99), fused=True)
            for model, rate in (
                (generator, recipe.generator_learning_rate),
                (discriminator, recipe.discriminator_learning_rate),
            )
        }
        self._schedules = [
            torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, 2 * (1 - step / total)))
            for optimizer in self._optimizers.values()
        ]

    def step(self, real: Tensor, labels: Tensor, codes: Tensor) -> Tensor:
        """Train the generator, then the discriminator on the same images; return the numbers of :data:`COLUMNS`."""
        fake = self.generator(codes)
        generator_part = self._train_generator(fake)
        discriminator_part = self._train_discriminator(real, labels, fake.detach())
        for schedule in self._schedules:
            schedule.step()
        self.done += 1
        self._average()
        loss, fake_score, information = generator_part
        return torch.stack([loss, discriminator_part[0], discriminator_part[1], fake_score, information]).double()

    def _train_generator(self, fake: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # Only the gradient of the images is needed here.
        self.discriminator.requires_grad_(False)
        logits = self.discriminator(fake)
        loss = generator_loss(logits, self.recipe.class_information)
        self._descend(self.generator, loss)
        self.discriminator.requires_grad_(True)
        logits = logits.detach()
        return loss.detach(), realness(logits).sigmoid().mean(), mutual_information(logits)

    def _train_discriminator(self, real: Tensor, labels: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        penalised = self.recipe.gradient_penalty > 0 and self.done % PENALTY_EVERY == 0
        real = real.detach().requires_grad_(penalised)
        logits = self.discriminator(real)
        loss = discriminator_loss(logits, labels, self.discriminator(fake))
        penalty = gradient_penalty(real, logits) if penalised else 0.0
        self._descend(self.discriminator, loss + PENALTY_EVERY * self.recipe.gradient_penalty / 2 * penalty)
        return loss.detach(), realness(logits.detach()).sigmoid().mean()

    def _descend(self, model: nn.Module, loss: Tensor) -> None:
        self._optimizers[model].zero_grad()
        loss.backward()
        self._optimizers[model].step()

    @torch.no_grad()
    def _average(self) -> None:
        # The first weights are forgotten quickly.
        keep = min(AVERAGING, self.done / (self.done + 10))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.generator.parameters()), 1 - keep)


def gradient_penalty(images: Tensor, logits: Tensor) -> Tensor:
    r"""Mean over the rows of :math:`\|\nabla_x D(x)\|^2`, differentiable; ``logits`` were computed of ``images``."""
    (gradient,) = torch.autograd.grad(realness(logits).sum(), images, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()


def _codes(generator: Generator, count: int, random: torch.Generator) -> Tensor:
    # Drawn on the CPU, so that all devices see the same codes.
    return torch.randn(count, generator.latent_size, generator=random).to(next(generator.parameters()).device)


@torch.no_grad()
def _measure_statistics(generator: Generator, random: torch.Generator) -> None:
    """Take the statistics of batch norm anew, from many codes: those of training belong to other weights."""
    norms = [module for module in generator.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        return
    momenta: list[float | None] = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    batches, codes = STATISTICS
    generator.train()
    for _ in range(batches):
        generator(_codes(generator, codes, random))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
