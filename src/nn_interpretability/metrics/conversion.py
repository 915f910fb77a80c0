"""Digit conversion: erase what speaks for one class and against another, and see whether the model changes its mind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nn_interpretability.engine.forward import check_scores
from nn_interpretability.engine.preserve import left_as_found
from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.fills import Fill, checked_fill, described_fill
from nn_interpretability.metrics.maps import most_first, places
from nn_interpretability.metrics.scores import blocks, checked_pair, checked_rows, filled_like
from nn_interpretability.targets import resolve_target


@dataclass(frozen=True)
class Conversion:
    r"""What erasing did to the log-odds of two classes.

    Attributes
    ----------
    before, after
        Log-odds of the original class against the target class, :math:`\ln p_o / p_t`, float64 ``(N,)``.
    erased
        Number of pixels erased, ``(N,)``.
    images
        The images with their pixels erased, ``(N, C, H, W)``.
    """

    before: Tensor
    after: Tensor
    erased: Tensor
    images: Tensor

    @property
    def change(self) -> Tensor:
        """How far the log-odds moved towards the target class, ``before - after``, ``(N,)``; higher is better."""
        return self.before - self.after


class DigitConversion:
    r"""Change of the log-odds between two classes when the pixels that tell them apart are erased.

    With :math:`d_i = R_i^{(o)} - R_i^{(t)}`, the difference of the maps of the original class o and of the target class
    t, the pixels with the largest :math:`d_i` that are positive are erased, at most a share of the image: in the paper
    20 % of the pixels, 157 of 784. The change is that of :math:`z_o - z_t = \ln p_o / p_t`.

    Parameters
    ----------
    model
        Classifier whose scores are logits; it is asked in evaluation mode, and left as it was found.
    share
        Share of the pixels that are erased at most, rounded to whole pixels; 0 to 1.
    fill
        What erased pixels become; see :class:`~nn_interpretability.metrics.pixel_flipping.PixelFlipping`.
    chunk
        Images in one forward pass; None for a moderate number.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed.

    References
    ----------
    Shrikumar, Greenside and Kundaje 2017, Learning important features through propagating activation differences,
    section 4.1.
    """

    def __init__(self, model: nn.Module, *, share: float = 0.2, fill: Fill = "black", chunk: int | None = None) -> None:
        if not 0 < share <= 1:
            raise ConfigError(f"share={share!r} is not allowed: give the share of the pixels to erase, above 0 to 1.")
        self.model, self._share, self._fill, self._chunk = model, share, checked_fill(fill), checked_rows(chunk)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {"share": self._share, "fill": described_fill(self._fill)}

    @torch.no_grad()
    def measure(
        self,
        images: Tensor,
        relevance_of_original: Tensor,
        relevance_of_target: Tensor,
        original: int | Tensor,
        target: int | Tensor,
    ) -> Conversion:
        """Erase pixels of a batch of images.

        Parameters
        ----------
        images
            ``(N, C, H, W)``, on the device and of the dtype of the model.
        relevance_of_original, relevance_of_target
            Maps of both classes by one method, ``(N, ..., H, W)``; channels are summed. Of pixels with equal
            differences, the first in reading order goes first.
        original, target
            The classes o and t: one, or one for each image ``(N,)``.

        Raises
        ------
        DataError
            If images and maps do not fit, or the model returns no finite scores.
        ConfigError
            If a class does not exist, or both are the same for an image.
        """
        of_original = checked_pair(images, relevance_of_original, self.model)
        difference = (of_original - checked_pair(images, relevance_of_target, self.model)).flatten(1)
        count = round(self._share * difference.shape[1])
        gone = (places(most_first(difference)) < count) & (difference > 0)
        where = gone.reshape(len(images), 1, *images.shape[2:])
        erased = torch.where(where, filled_like(self._fill, images), images)
        with left_as_found(self.model):
            before = self._log_odds(images, original, target)
            after = self._log_odds(erased, original, target)
        return Conversion(before, after, gone.sum(dim=1), erased)

    def _log_odds(self, images: Tensor, original: int | Tensor, target: int | Tensor) -> Tensor:
        parts = [images[block].clone() for block in blocks(len(images), images, self._chunk)]
        logits = torch.cat([check_scores(self.model(part), part) for part in parts])
        one, other = resolve_target(original, logits), resolve_target(target, logits)
        if one.classes is None or other.classes is None:
            raise ConfigError("Give a class to convert from and one to convert to, or one of each for each image.")
        if bool((one.classes == other.classes).any()):
            raise ConfigError("The original class and the target class of an image are the same: give two classes.")
        return one.scores[0] - other.scores[0]
