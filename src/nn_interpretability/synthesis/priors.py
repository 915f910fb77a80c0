r"""What a synthesised image should be like, whatever the model says of it: terms that are added to the objective.

Each prior is, up to a constant, the logarithm of a density of the images (or codes), times its weight.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from nn_interpretability.errors import ConfigError, DataError


class Prior(ABC):
    """One term of the objective."""

    @abstractmethod
    def log_density(self, images: Tensor, values: Tensor, target: Tensor) -> Tensor:
        """The term of each row, shape ``(N,)``, float64.

        Parameters
        ----------
        images
            Shape ``(N, C, H, W)``.
        values
            What is optimised: the pixels, or codes of shape ``(N, D)``.
        target
            One class or channel per row.
        """

    @property
    @abstractmethod
    def parameters(self) -> Mapping[str, Any]:
        """Name and settings, for metadata; tensors as they are."""


@dataclass(frozen=True)
class SquaredDistance(Prior):
    r"""A Gaussian prior :math:`-\lambda \|x - c\|^2`.

    Parameters
    ----------
    weight
        :math:`\lambda \ge 0`.
    centre
        The centre c: None for zero, an image ``(C, H, W)``, or one image per class ``(K, C, H, W)``.

    Raises
    ------
    ConfigError
        If the weight is negative or not finite, or the centre is not what is described above.
    """

    weight: float
    centre: Tensor | None = None

    def __post_init__(self) -> None:
        checked_weight("weight", self.weight)
        checked_centre(self.centre)

    def log_density(self, images: Tensor, values: Tensor, target: Tensor) -> Tensor:
        """Minus the weighted squared distance."""
        return -self.weight * (images - centre_of(self.centre, images, target)).double().square().flatten(1).sum(dim=1)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Name and settings."""
        return {"prior": "squared_distance", "weight": self.weight, "centre": self.centre}


@dataclass(frozen=True)
class TotalVariation(Prior):
    r"""Minus the total variation, :math:`-\lambda \sum |x_{y+1,x} - x_{y,x}| + |x_{y,x+1} - x_{y,x}|` over all pixels.

    Parameters
    ----------
    weight
        :math:`\lambda \ge 0`.

    Raises
    ------
    ConfigError
        If the weight is negative or not finite.
    """

    weight: float

    def __post_init__(self) -> None:
        checked_weight("weight", self.weight)

    def log_density(self, images: Tensor, values: Tensor, target: Tensor) -> Tensor:
        """Minus the weighted total variation."""
        changes = [images.diff(dim=axis).double().abs().flatten(1).sum(dim=1) for axis in (-2, -1)]
        return -self.weight * (changes[0] + changes[1])

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Name and settings."""
        return {"prior": "total_variation", "weight": self.weight}


@dataclass(frozen=True)
class SquaredCode(Prior):
    r"""The prior of a generator's codes, :math:`-\lambda \|z\|^2`.

    Parameters
    ----------
    weight
        :math:`\lambda \ge 0`; 1/2 is the density that the generator was trained with.

    Raises
    ------
    ConfigError
        If the weight is negative or not finite.
    """

    weight: float

    def __post_init__(self) -> None:
        checked_weight("code_weight", self.weight)

    def log_density(self, images: Tensor, values: Tensor, target: Tensor) -> Tensor:
        """Minus the weighted squared length of the code."""
        return -self.weight * values.double().square().flatten(1).sum(dim=1)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Name and settings."""
        return {"prior": "squared_code", "weight": self.weight}


@runtime_checkable
class EnergyModel(Protocol):
    r"""A model of images with :math:`\log p(x) = -F(x) +` const, such as a restricted Boltzmann machine."""

    def free_energy(self, images: Tensor) -> Tensor:
        """The free energy F of images ``(N, C, H, W)``, shape ``(N,)``."""
        ...


Expert = EnergyModel | Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class ExpertDensity(Prior):
    r"""The density of an expert, :math:`\lambda \log p(x)`.

    Parameters
    ----------
    expert
        An object with ``free_energy``, whose density is its negative; or a function ``(N, C, H, W) -> (N,)``, the
        log-density itself.
    weight
        :math:`\lambda \ge 0`; 1 as in Bayes' theorem.

    Raises
    ------
    ConfigError
        If the weight is negative or not finite, or the expert is neither.
    """

    expert: Expert
    weight: float = 1.0

    def __post_init__(self) -> None:
        checked_weight("expert_weight", self.weight)
        if not isinstance(self.expert, EnergyModel) and not callable(self.expert):
            raise ConfigError(
                f"The expert must have a method free_energy(images), or be a function that returns the log-density of "
                f"images, not {type(self.expert).__name__}."
            )

    def log_density(self, images: Tensor, values: Tensor, target: Tensor) -> Tensor:
        """The weighted log-density.

        Raises
        ------
        DataError
            If the expert does not return one value per image.
        """
        expert = self.expert
        found = -expert.free_energy(images) if isinstance(expert, EnergyModel) else expert(images)
        if not isinstance(found, Tensor) or found.shape != images.shape[:1]:
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise DataError(f"The expert returned {shape} for {len(images)} images; one value per image is expected.")
        return self.weight * found.double()

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Name and settings."""
        return {"prior": "expert", "expert": type(self.expert).__name__, "weight": self.weight}


def checked_weight(name: str, weight: float) -> None:
    """Refuse a weight that is negative or not finite.

    Raises
    ------
    ConfigError
        If it is.
    """
    number = isinstance(weight, int | float) and not isinstance(weight, bool)
    if not number or not math.isfinite(weight) or weight < 0:
        raise ConfigError(f"{name}={weight!r} is not allowed: give a finite number >= 0.")


def checked_centre(centre: Tensor | None) -> None:
    """Refuse a centre that is not one image, or one image per class.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if centre is None:
        return
    if not isinstance(centre, Tensor) or centre.dim() not in {3, 4} or not bool(torch.isfinite(centre).all()):
        raise ConfigError(
            "The centre of a prior must be a tensor of finite values: an image (channels, height, width), or one per "
            "class (classes, channels, height, width)."
        )


def centre_of(centre: Tensor | None, images: Tensor, target: Tensor) -> Tensor:
    """The centre of each row, or zero.

    Raises
    ------
    ConfigError
        If the centre does not fit the images, or there is none for a target.
    """
    if centre is None:
        return torch.zeros_like(images)
    if centre.shape[-3:] != images.shape[1:]:
        raise ConfigError(
            f"The centre of a prior has images of {tuple(centre.shape[-3:])}, not {tuple(images.shape[1:])}."
        )
    if centre.dim() == 4 and int(target.max()) >= len(centre):
        raise ConfigError(f"The prior has {len(centre)} centres, and none for target {int(target.max())}.")
    centre = centre.to(images)
    return centre.expand_as(images) if centre.dim() == 3 else centre[target]
