"""How the pictures of a probe are shown: what undoes their normalisation, and the names of the classes.

A probe of pictures from a folder has a parameter ``view``; what explains the probe keeps it with its own result, so
that figures can show what a person would see. Digits have none: they are shown as they are, and classes are numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

KEY = "view"
UNKNOWN = -1
"""Label of a picture whose class nobody has said."""


@dataclass(frozen=True)
class View:
    """How pictures are shown.

    Attributes
    ----------
    mean, std
        Of each channel: the model sees ``(value - mean) / std`` of values in [0, 1]. Empty: the values themselves.
    classes
        Names of the classes, from class 0 on. Empty: classes are numbers.
    own
        Whether these are the user's own pictures; False for digits.
    """

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    classes: tuple[str, ...] = ()
    own: bool = False

    def normalised(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values in [0, 1] as the model sees them, ``(..., channel, y, x)``."""
        if not self.mean:
            return pixels
        mean, std = self._by_channel()
        return np.asarray((pixels - mean) / std, dtype=np.float32)

    def shown(self, images: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """What the model sees as values in [0, 1], ``(..., channel, y, x)``; without a normalisation as they are."""
        if not self.mean:
            return np.asarray(images)
        mean, std = self._by_channel()
        return np.asarray(np.clip(images.astype(np.float32) * std + mean, 0, 1))

    def bounds(self) -> tuple[list[float], list[float]] | None:
        """Black and white as the model sees them, per channel; None without a normalisation."""
        if not self.mean:
            return None
        ends = (np.full((len(self.mean), 1, 1), end, dtype=np.float32) for end in (0, 1))
        low, high = (self.normalised(end).ravel().tolist() for end in ends)
        return low, high

    def name(self, label: int) -> str:
        """The name of a class, or ``class 3``."""
        return self.classes[label] if 0 <= label < len(self.classes) else f"class {label}"

    def names(self, labels: Sequence[int] | NDArray[np.integer[Any]]) -> tuple[str, ...]:
        """The names of some classes."""
        return tuple(self.name(int(label)) for label in labels)

    def params(self) -> dict[str, Any]:
        """What a file with these pictures has among its parameters; nothing for digits."""
        said = {"mean": list(self.mean), "std": list(self.std), "classes": list(self.classes)}
        return {KEY: said} if self.own else {}

    def _by_channel(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        mean, std = (np.asarray(values, dtype=np.float32)[:, None, None] for values in (self.mean, self.std))
        return mean, std


def view_of(params: Mapping[str, Any]) -> View:
    """The view that the parameters of a file have; that of digits, if they have none."""
    said = params.get(KEY, {})
    mean, std, classes = (tuple(said.get(key, ())) for key in ("mean", "std", "classes"))
    return View(mean, std, classes, own=KEY in params)
