"""How much a map changes when its image hardly does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.methods.base import Method, checked_clip, checked_count
from nn_interpretability.metrics.maps import where_defined
from nn_interpretability.stochastic.noise import checked_seed, uniforms
from nn_interpretability.targets import Target

Perturbation = Callable[[Tensor, int], Tensor]


class MaxSensitivity:
    r"""Largest relative change of a map within a small neighbourhood of its image.

    .. math:: \max_{\|\delta\|_\infty \le r} \frac{\|R(x + \delta) - R(x)\|_2}{\|R(x)\|_2}

    estimated from random :math:`\delta`, each value uniform in [-r, r]. What is explained is decided at the unchanged
    image. All images, and all methods that are measured with one seed, see the same noise.

    Parameters
    ----------
    method
        An attribution method.
    radius
        r, above 0, in the units of the input.
    samples
        Number of random changes; more find larger maxima.
    seed
        Integer >= 0.
    perturbation
        A function of the images and the number of the sample that returns :math:`\delta`, of the shape of the images,
        instead of the uniform noise.
    clip
        Lowest and highest value of a noisy pixel, for methods that need bounds; None for no limit.
    undefined
        What stands for the metric where the map of the image as it is is zero; None to raise.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed.

    References
    ----------
    Yeh et al. 2019, On the (in)fidelity and sensitivity of explanations, section 4.
    """

    def __init__(
        self,
        method: Method,
        *,
        radius: float = 0.02,
        samples: int = 10,
        seed: int = 0,
        perturbation: Perturbation | None = None,
        clip: Sequence[float] | None = None,
        undefined: float | None = None,
    ) -> None:
        if not 0 < radius < float("inf"):
            raise ConfigError(f"radius={radius!r} is not allowed: give a number above 0.")
        self.method, self._radius = method, radius
        self._samples, self._seed = checked_count("samples", samples), checked_seed(seed)
        self._perturbation, self._clip, self._undefined = perturbation, checked_clip(clip), undefined

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        clip = None if self._clip is None else list(self._clip)
        return {"radius": self._radius, "samples": self._samples, "seed": self._seed, "clip": clip}

    def measure(self, images: Tensor, target: Target = None, *, chunk: int | None = None) -> Tensor:
        """Explain a batch of images, and slightly changed images, all of the batch at once.

        Parameters
        ----------
        images, target, chunk
            As for :meth:`~nn_interpretability.methods.base.Method.interpret`; one score for each image.

        Returns
        -------
        Tensor
            Float64 ``(N,)``, 0 upwards; lower is more robust.

        Raises
        ------
        DataError
            If a map is zero everywhere and ``undefined`` is None, or a perturbation does not fit.
        ConfigError
            If the target has several scores for one image.
        """
        if isinstance(target, str):
            raise ConfigError("A metric needs one score for each image: give a class, or one class per image.")
        unchanged = self.method.interpret(images, target, chunk=chunk)
        fixed = unchanged.target if target is None else target
        base = unchanged.values.double().flatten(1)
        largest = torch.zeros(len(images), dtype=torch.float64, device=base.device)
        for sample in range(self._samples):
            changed = images + self._change(images, sample)
            if self._clip is not None:
                changed = changed.clamp(*self._clip)
            maps = self.method.interpret(changed, fixed, chunk=chunk).values
            largest = torch.maximum(largest, (maps.double().flatten(1) - base).norm(dim=1))
        size = base.norm(dim=1)
        return where_defined(largest / size, size > 0, self._undefined, "sensitivity", "they are zero everywhere")

    def _change(self, images: Tensor, sample: int) -> Tensor:
        if self._perturbation is None:
            drawn = torch.from_numpy(uniforms(self._seed, sample, tuple(images.shape[1:])))
            return (self._radius * (2 * drawn - 1)).to(images)
        change = self._perturbation(images, sample)
        if not isinstance(change, Tensor) or change.shape != images.shape:
            raise DataError("The perturbation must return a tensor of the shape of the images.")
        return change
