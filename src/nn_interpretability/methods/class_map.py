"""What class activation maps share: a coarse map of a layer, drawn out to the size of the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability.attribution import Attribution
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.methods.base import Method
from nn_interpretability.targets import Target

Upsampling = Literal["bilinear", "bicubic", "nearest"]


class ClassMap(Method):
    """A map with one value for each place of a feature map; ``details["raw_map"]`` keeps it at its own size.

    Parameters
    ----------
    model
        The classifier.
    upsampling
        ``"bilinear"``, ``"bicubic"`` (which overshoots) or ``"nearest"``.
    align_corners
        Whether the centres of the corner values, not their outer edges, lie on the corners of the image.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed.
    """

    def __init__(self, model: nn.Module, *, upsampling: Upsampling = "bilinear", align_corners: bool = False) -> None:
        super().__init__(model)
        if upsampling not in ("bilinear", "bicubic", "nearest"):
            raise ConfigError(f"upsampling={upsampling!r} is not allowed: choose 'bilinear', 'bicubic' or 'nearest'.")
        if not isinstance(align_corners, bool) or (align_corners and upsampling == "nearest"):
            raise ConfigError(
                f"align_corners={align_corners!r} is not allowed with upsampling={upsampling!r}: it is True or False "
                "for 'bilinear' and 'bicubic', and False for 'nearest'."
            )
        self._upsampling, self._align_corners = upsampling, align_corners

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {"upsampling": self._upsampling, "align_corners": self._align_corners}

    def explain(self, images: Tensor, target: Target, chunk: int | None) -> Attribution:
        """Explain one batch; see :meth:`~nn_interpretability.methods.base.Method.explain`."""
        coarse = super().explain(images, target, chunk)
        return replace(coarse, values=self._enlarged(coarse.values, images), details={"raw_map": coarse.values})

    def _enlarged(self, maps: Tensor, images: Tensor) -> Tensor:
        """Maps ``(N, h, w)`` or ``(N, K, h, w)`` at the size of the images, with one channel."""
        corners = None if self._upsampling == "nearest" else self._align_corners
        coarse = maps.reshape(-1, 1, *maps.shape[-2:])  # one channel each: a map has the same bits in any company
        fine = F.interpolate(coarse, images.shape[2:], mode=self._upsampling, align_corners=corners)
        return fine.reshape(*maps.shape[:-2], *fine.shape[1:])

    def _check_images(self, images: Tensor) -> None:
        super()._check_images(images)
        if images.dim() != 4:
            raise DataError(
                f"{type(self).__name__} needs images (samples, channels, height, width), not {tuple(images.shape)}."
            )
