"""DeepLIFT on a network with dropout as the 2020 study published it: wrong, and kept to be seen beside the right maps.

Nothing of this is part of the public methods: :class:`~nn_interpretability.stochastic.mc_dropout.MCDropout` around
:class:`~nn_interpretability.methods.deeplift.DeepLIFT` gives an image and its reference the same masks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nn_interpretability.attribution import Attribution
from nn_interpretability.engine.pairs import Pairs
from nn_interpretability.methods.base import checked_count, rows_per_image
from nn_interpretability.stochastic.draws import BlockDraws
from nn_interpretability.stochastic.dropout import Randomised, require_dropout
from nn_interpretability.stochastic.noise import checked_seed
from nn_interpretability.study.as_published import OfImages, PublishedDeepLIFT, PublishedRulebook
from nn_interpretability.targets import Target


class UnsharedMasks(PublishedDeepLIFT):
    r"""The study's DeepLIFT over passes with dropout on, its Figure 22.

    The image and its reference run with *different* masks, so that the difference that is explained is that of the
    masks as well: where image and reference are both black, units differ all the same. The multipliers of each pass are
    shifted and scaled to [0, 1] before the mean is taken, so that zero lies elsewhere in every pass, and a pass with
    small multipliers counts as much as one with large ones. Beside that, the rules are those of
    :class:`~nn_interpretability.study.as_published.PublishedDeepLIFT`.

    Explained is the class with dropout off, where it is not given; the study took that of each pass.

    Parameters
    ----------
    model
        A network of linear layers, ReLUs, pooling and dropout.
    mode
        One of the six modes of :mod:`nn_interpretability.study.deeplift_modes`.
    passes
        Number of passes.
    seed
        Of the masks.
    shared_masks
        Whether the reference has the masks of the image, to see what they alone do.

    Raises
    ------
    ConfigError
        If a value is not allowed, or the model has no dropout.
    """

    name: ClassVar[str] = "deeplift_unshared_masks"

    def __init__(
        self, model: nn.Module, *, mode: str, passes: int = 200, seed: int = 0, shared_masks: bool = False
    ) -> None:
        super().__init__(model, mode=mode)
        self._passes, self._seed = checked_count("passes", passes), seed
        self._shared = bool(shared_masks)
        checked_seed(seed)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {**super().parameters, "passes": self._passes, "seed": self._seed, "shared_masks": self._shared}

    def explain(self, images: Tensor, target: Target, chunk: int | None) -> Attribution:
        """Explain one batch; scores are those with dropout off."""
        forward = self._forward(images)
        resolved = self._resolve(target, forward.output)
        total = torch.zeros(len(resolved.starts), *images.shape, dtype=torch.float64, device=images.device)
        together = rows_per_image(images, chunk)
        for begin in range(0, self._passes, together):
            total += self._scaled(images, resolved.starts, range(begin, min(begin + together, self._passes)))
        return self._result(forward, resolved, (total / self._passes).to(images.dtype))

    def _scaled(self, images: Tensor, starts: Tensor, passes: range) -> Tensor:
        """Sums over some passes of the multipliers, each scaled to [0, 1]; ``(M, N, ...)``."""
        own = [2 * each for each in passes]
        others = own if self._shared else [each + 1 for each in own]
        variant = Randomised(self.model, self._seed, BlockDraws([*own, *others]), len(images))
        rows = images.repeat(len(passes), *([1] * (images.dim() - 1)))
        pairs = Pairs(len(rows), len(rows))
        rulebook = PublishedRulebook(self._mode, pairs)
        forward = OfImages(variant, torch.cat([rows, torch.zeros_like(rows)]), rulebook, pairs)
        require_dropout(variant.found)
        found = []
        for place, start in enumerate(starts):
            pulled = forward.pull(start.repeat(len(passes), 1), last=place == len(starts) - 1)[0]
            found.append(to_unit_range(pulled.double()).unflatten(0, (len(passes), len(images))).sum(dim=0))
        return torch.stack(found)


def to_unit_range(maps: Tensor) -> Tensor:
    """Each map shifted and scaled to [0, 1]; a map of one value is 0 everywhere."""
    flat = maps.flatten(1)
    low, high = flat.amin(dim=1, keepdim=True), flat.amax(dim=1, keepdim=True)
    size = high - low
    return ((flat - low) / torch.where(size > 0, size, 1.0)).reshape(maps.shape)
