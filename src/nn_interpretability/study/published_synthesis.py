r"""Activation maximisation as the 2020 study published it: kept to show beside the right figures what they were.

.. math:: \min_x \; -\log p(c|x) + \lambda \|x - \bar x\|_2

with the norm, not its square; with a second penalty that no text mentions, the weight decay of Adam; without bounds.
The picture that was shown is not always the one that was optimised: it was shifted and scaled to [0, 1], or cut off by
the display. Codes of the DCGAN were searched with batch norm in training mode on a batch of one, and its pixels from -1
to 1 went into a network of pictures from 0 to 1.

Nothing of this is part of the public methods.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nn_interpretability.synthesis.activation_maximization import ActivationMaximization
from nn_interpretability.synthesis.priors import Prior, centre_of, checked_centre, checked_weight

WEIGHT_DECAY = 5e-3


@dataclass(frozen=True)
class Distance(Prior):
    r"""Minus the distance :math:`\lambda \|x - c\|_2`, whose pull does not fade near the centre.

    Parameters
    ----------
    weight
        :math:`\lambda`.
    centre
        As for :class:`~nn_interpretability.synthesis.priors.SquaredDistance`.
    """

    weight: float
    centre: Tensor | None = None

    def __post_init__(self) -> None:
        checked_weight("weight", self.weight)
        checked_centre(self.centre)

    def log_density(self, images: Tensor, values: Tensor, target: Tensor) -> Tensor:
        """Minus the weighted distance."""
        rows = (images - centre_of(self.centre, images, target)).double().flatten(1)
        distance: Tensor = torch.linalg.vector_norm(rows, dim=1)
        return -self.weight * distance

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Name and settings."""
        return {"prior": "distance", "weight": self.weight, "centre": self.centre}


class PublishedMaximization(ActivationMaximization):
    """The study's search, with its defects.

    Parameters
    ----------
    model, image_shape, generator, steps, learning_rate, threshold, seed
        As for :class:`~nn_interpretability.synthesis.activation_maximization.ActivationMaximization`.
    weight, centre
        Of :class:`Distance`.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        weight: float,
        centre: Tensor | None,
        image_shape: tuple[int, int, int] | None = None,
        generator: Callable[[Tensor], Tensor] | None = None,
        steps: int,
        learning_rate: float,
        threshold: float,
        seed: int = 0,
    ) -> None:
        super().__init__(
            model,
            image_shape=image_shape,
            bounds=None,
            generator=generator,
            priors=[Distance(weight, centre)],
            steps=steps,
            learning_rate=learning_rate,
            threshold=threshold,
            seed=seed,
        )
        self.weight_decay = WEIGHT_DECAY


class BatchOfOne(nn.Module):
    """A generator as the study used its DCGAN.

    Each row is normalised by its own statistics, which is batch norm in training mode on a batch of one, and pixels run
    from -1 to 1.

    Parameters
    ----------
    generator
        A generator with pixels in [0, 1]; it is copied.
    """

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.latent_size: int = int(generator.latent_size)  # type: ignore[arg-type]
        self.generator = _by_row(copy.deepcopy(generator))

    def forward(self, codes: Tensor) -> Tensor:
        """Images in [-1, 1]."""
        images: Tensor = 2 * self.generator(codes) - 1
        return images


class _RowNorm(nn.Module):
    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, maps: Tensor) -> Tensor:
        return functional.instance_norm(maps, weight=self.weight, bias=self.bias, eps=self.eps)


def _by_row(module: nn.Module) -> nn.Module:
    for name, child in module.named_children():
        setattr(module, name, _RowNorm(child) if isinstance(child, nn.BatchNorm2d) else _by_row(child))
    return module


def rescaled(images: Tensor) -> Tensor:
    """Each image shifted and scaled to [0, 1]; an image of one value becomes black."""
    low, high = images.amin(dim=(1, 2, 3), keepdim=True), images.amax(dim=(1, 2, 3), keepdim=True)
    return (images - low) / torch.where(high > low, high - low, 1.0)
