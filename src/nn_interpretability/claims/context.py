"""What the measurement of an assertion gets: pictures, trained networks, a budget."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from nn_interpretability.claims.samples import stratified
from nn_interpretability.data.digits import Digits
from nn_interpretability.data.probes import class_means
from nn_interpretability.models.build import build_model
from nn_interpretability.models.weights import load_weights
from nn_interpretability.training.generative import load_generative_model

T = TypeVar("T")


class NotRun(Exception):  # noqa: N818 (no error: a measurement that cannot be made here)
    """An assertion cannot be measured in this run; the message says why, in a sentence for the ledger."""


@dataclass(frozen=True)
class Budget:
    """How much a run spends on each assertion.

    Attributes
    ----------
    seeds
        Training seeds of each network.
    images
        Test pictures, the same number of each class as far as there are enough.
    passes
        Stochastic passes.
    steps
        Steps of an optimiser at most.
    """

    seeds: int
    images: int
    passes: int
    steps: int


class Trained(NamedTuple):
    """A network of the run: its architecture and its weights, one file for each training seed."""

    architecture: str
    weights: Sequence[Path | str]


@dataclass
class Context:
    """What one job measures its assertions with.

    Attributes
    ----------
    digits
        The digits of the run.
    trained
        Networks by their name in the configuration.
    generative
        Weights of generative models by name.
    budget
        What may be spent.
    seed
        Of everything random; each assertion derives its own from it by :meth:`rng` and :meth:`torch_rng`.
    device
        Where to compute.
    local
        The user's data folder, with photographs and published weights; None if there is none.
    """

    digits: Digits
    trained: Mapping[str, Trained]
    generative: Mapping[str, Path | str]
    budget: Budget
    seed: int
    device: str = "cpu"
    local: Path | None = None
    _networks: dict[tuple[str, int], nn.Module] = field(default_factory=dict, repr=False)
    _shared: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def network(self, name: str, seed: int = 0) -> nn.Module:
        """A trained network, in evaluation mode; ``seed`` counts its training seeds from 0.

        Raises
        ------
        NotRun
            If the run's configuration has no such network.
        """
        if name not in self.trained:
            raise NotRun(f"this run trains no network {name}.")
        if (name, seed) not in self._networks:
            entry = self.trained[name]
            with torch.random.fork_rng(devices=[]):  # initial weights are drawn, and overwritten
                model = build_model(entry.architecture)
            self._networks[name, seed] = load_weights(model, entry.weights[seed]).to(self.device).eval()
        return self._networks[name, seed]

    def networks(self, name: str) -> list[nn.Module]:
        """A trained network from each of its training seeds."""
        if name not in self.trained:
            raise NotRun(f"this run trains no network {name}.")
        return [self.network(name, seed) for seed in range(len(self.trained[name].weights))]

    def generator(self, name: str) -> nn.Module:
        """A trained generative model, in evaluation mode.

        Raises
        ------
        NotRun
            If the run's configuration has no such model.
        """
        if name not in self.generative:
            raise NotRun(f"this run trains no generative model {name}.")
        return load_generative_model(name, self.generative[name]).to(self.device).eval()

    def test_images(self, count: int | None = None) -> tuple[Tensor, Tensor]:
        """Test pictures, as many of each class: float32 ``(n, 1, 28, 28)`` in [0, 1] and labels, int64 ``(n,)``.

        Parameters
        ----------
        count
            How many; None for as many as the budget has. Fewer come back where there are not enough.
        """
        chosen = stratified(self.digits.test_labels, self.budget.images if count is None else count)
        images = torch.from_numpy(self.digits.test_images[chosen])[:, None].float() / 255
        labels = torch.from_numpy(self.digits.test_labels[chosen])
        return images.to(self.device), labels.to(self.device)

    def test_images_of(self, label: int, count: int | None = None) -> Tensor:
        """Test pictures of one class, float32 ``(n, 1, 28, 28)`` in [0, 1].

        Parameters
        ----------
        label
            The class.
        count
            How many, the first; None for as many as the budget has. Fewer come back where there are not enough.

        Raises
        ------
        NotRun
            If there is none.
        """
        chosen = np.flatnonzero(self.digits.test_labels == label)[: self.budget.images if count is None else count]
        if not len(chosen):
            raise NotRun(f"no test picture shows a {label}.")
        return torch.from_numpy(self.digits.test_images[chosen])[:, None].float().to(self.device) / 255

    def class_means(self) -> Tensor:
        """The mean training picture of each class, shifted and scaled to [0, 1], float32 ``(classes, 1, 28, 28)``."""
        return torch.from_numpy(class_means(self.digits)[1])[:, None].to(self.device)

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """What several assertions of one job need, made by the first that asks for it under this key."""
        if key not in self._shared:
            self._shared[key] = make()
        found: T = self._shared[key]
        return found

    def rng(self, assertion: str) -> np.random.Generator:
        """Random numbers of numpy for one assertion."""
        return np.random.default_rng([self.seed, *assertion.encode()])

    def torch_rng(self, assertion: str) -> torch.Generator:
        """Random numbers of torch, drawn on the CPU, for one assertion."""
        return torch.Generator().manual_seed(int(self.rng(assertion).integers(2**63)))
