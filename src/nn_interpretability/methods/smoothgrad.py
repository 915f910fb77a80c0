"""SmoothGrad, around any method."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self, get_args

import torch
from torch import Tensor, nn

from nn_interpretability.attribution import Attribution, joined_coverage
from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.base import Method, checked_clip, checked_count, rows_per_image
from nn_interpretability.stochastic.device_noise import normals_for
from nn_interpretability.stochastic.moments import RunningMoments
from nn_interpretability.stochastic.noise import checked_seed
from nn_interpretability.targets import Target

Scale = Literal["range", "std", "absolute"]


class SmoothGrad(Method):
    r"""The mean map of noisy copies of an image.

    .. math:: \hat M(x) = \frac1n \sum_{i=1}^n M(x + \sigma_x \varepsilon_i), \qquad \varepsilon_i \sim N(0, 1)

    The target is decided once, on the image without noise; ``score`` and ``logits`` are its own, too. The noise of copy
    i depends on the seed and on i alone: all images see the same, and neither batches nor chunks change a map. The
    result has the mean in ``values`` and the variance over the copies in ``variance``; it does not sum to the score.
    The multipliers, the details and the conservation trace of the smoothed method are those of one copy, and are left
    out.

    Parameters
    ----------
    method
        The method to smooth, for example ``Gradient(model)``, which is SmoothGrad as published, or
        ``IntegratedGradients(model)``.
    samples
        Number n of copies.
    sigma
        Noise level, >= 0, in units of ``scale``; Smilkov et al. recommend 0.1 to 0.2 of the range.
    scale
        What the level refers to, for each image: ``"range"``, its largest minus its smallest value over all channels
        (Smilkov et al.); ``"std"``, its standard deviation (the 2020 study); ``"absolute"``, 1.
    clip
        Lowest and highest value of a noisy pixel, for methods that need bounds; None for no limit.
    seed
        Of the noise, 0 to 2**64 - 1.
    antithetic
        Use each noise twice, with both signs, for an even number of copies: what a map has that is odd in the noise
        cancels, mostly most of its variance.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed.

    References
    ----------
    Smilkov, Thorat, Kim, Viegas and Wattenberg 2017, SmoothGrad: removing noise by adding noise.
    """

    name: ClassVar[str] = "smoothgrad"

    def __init__(
        self,
        method: Method,
        *,
        samples: int = 50,
        sigma: float = 0.15,
        scale: Scale = "range",
        clip: Sequence[float] | None = None,
        seed: int = 0,
        antithetic: bool = False,
    ) -> None:
        if not isinstance(method, Method):
            raise ConfigError(
                f"SmoothGrad goes around a method, not a {type(method).__name__}: SmoothGrad(Gradient(model))."
            )
        super().__init__(method.model)
        if not isinstance(sigma, int | float) or isinstance(sigma, bool) or not 0 <= sigma < float("inf"):
            raise ConfigError(f"sigma={sigma!r} is not allowed: give a number >= 0.")
        if scale not in get_args(Scale):
            raise ConfigError(f"scale={scale!r} is not allowed: choose 'range', 'std' or 'absolute'.")
        if antithetic and checked_count("samples", samples) % 2:
            raise ConfigError(f"samples={samples!r} is not allowed with antithetic noise: give an even number.")
        self.method = method
        self._samples, self._seed = checked_count("samples", samples), checked_seed(seed)
        self._sigma, self._scale, self._antithetic = sigma, scale, antithetic
        self._clip = checked_clip(clip)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {
            "of": {"method": self.method.name, "parameters": dict(self.method.parameters)},
            "samples": self._samples,
            "sigma": self._sigma,
            "scale": self._scale,
            "clip": None if self._clip is None else list(self._clip),
            "seed": self._seed,
            "antithetic": self._antithetic,
        }

    def for_samples(self, index: Tensor, images: Tensor) -> Self:
        """The same method for some of the images."""
        chosen = copy.copy(self)
        chosen.method = self.method.for_samples(index, images)
        return chosen

    def on(self, model: nn.Module) -> Self:
        """The same method for a variant of its model."""
        chosen = super().on(model)
        chosen.method = self.method.on(model)
        return chosen

    def explain(self, images: Tensor, target: Target, chunk: int | None) -> Attribution:
        """Mean and variance over noisy copies of one batch."""
        clean = self.method.explain(images, target, chunk)
        fixed = clean.target if target is None and clean.target is not None else target
        sigma = self.sigma_of(images)
        moments = RunningMoments()
        size, coverage = rows_per_image(images, chunk), clean.coverage
        for first in range(0, self._samples, size):
            noise = self._noise(range(first, min(first + size, self._samples)), images)
            rows = images + sigma * noise[:, None]
            if self._clip is not None:
                rows = rows.clamp(*self._clip)
            copies = len(noise)
            method = self.method.for_samples(torch.arange(len(images)).repeat(copies), images)
            noisy = method.explain(rows.flatten(0, 1), repeated(fixed, copies), chunk)
            moments.update(noisy.values.unflatten(0, (copies, len(images))))
            coverage = joined_coverage([coverage, noisy.coverage])
        return replace(
            clean,
            values=moments.mean.to(images.dtype),
            variance=moments.variance.to(images.dtype),
            coverage=coverage,
            conserving=False,
            method=self.name,
            parameters=dict(self.parameters),
            multipliers=None,
            trace=None,
            details={},
        )

    def sigma_of(self, images: Tensor) -> Tensor:
        """Standard deviation of the noise for each image, shape ``(N, 1, ...)``, in units of the pixels."""
        flat = images.flatten(1)
        size = {
            "range": lambda: flat.amax(dim=1) - flat.amin(dim=1),
            "std": lambda: flat.double().std(dim=1, correction=0).to(images.dtype),
            "absolute": lambda: torch.ones_like(flat[:, 0]),
        }[self._scale]()
        return self._sigma * size.reshape(-1, *([1] * (images.dim() - 1)))

    def _noise(self, samples: Sequence[int], images: Tensor) -> Tensor:
        """The noise of some copies, each of the shape of one image."""
        if not self._antithetic:
            return normals_for(images, self._seed, samples)
        signs = images.new_tensor([1 - 2 * (sample % 2) for sample in samples])
        drawn = normals_for(images, self._seed, [sample // 2 for sample in samples])
        return drawn * signs.reshape(-1, *([1] * (images.dim() - 1)))

    def _warn(self, result: Attribution, *, stacklevel: int) -> None:
        self.method._warn(result, stacklevel=stacklevel + 1)

    def _read(self, leaves: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        raise AssertionError("maps are read by the method that is smoothed")


def repeated(target: Target, copies: int) -> Target:
    """A target for as many copies of the batch, one behind the other."""
    if isinstance(target, Tensor) and target.dim() > 0:
        return target.repeat(copies, *([1] * (target.dim() - 1)))
    if not callable(target):
        return target
    function = target
    return lambda scores: torch.cat([function(part) for part in scores.chunk(copies)])
