"""The reference (baseline) that an explanation measures from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nn_interpretability.errors import ConfigError

Reference = float | Tensor | Sequence[float | Tensor]


class References:
    """One reference, or several to be averaged over.

    Parameters
    ----------
    value
        A number (every input value is that number); a tensor of the shape of one image ``(C, H, W)`` or
        ``(1, C, H, W)``, for all images; a tensor ``(N, C, H, W)``, one for each image; or a sequence of these, to
        be averaged over (``list(pictures)`` for a tensor of pictures).

    Raises
    ------
    ConfigError
        If the value is none of these, or not finite.
    """

    def __init__(self, value: Reference) -> None:
        several = isinstance(value, list | tuple)
        if several and len(value) == 0:  # type: ignore[arg-type]
            raise ConfigError("reference=[] is not allowed: give at least one reference.")
        self._several = several
        self._all = [_checked(each) for each in (value if several else [value])]  # type: ignore[union-attr]

    def __len__(self) -> int:
        return len(self._all)

    def check(self, images: Tensor) -> None:
        """Make sure that every reference fits the images.

        Raises
        ------
        ConfigError
            Naming both shapes.
        """
        for each in self._all:
            self._rows(each, images)

    def of(self, images: Tensor, rows: Tensor) -> Iterator[Tensor]:
        """The references of some of the images: each of shape ``(1, ...)`` or ``(rows, ...)``, like the images.

        Parameters
        ----------
        images
            The images of these rows.
        rows
            Where they stand among all images.
        """
        for each in self._all:
            found = self._rows(each, images, rows)
            yield found.to(images)

    def describe(self) -> Any:
        """In a form that metadata can hold: numbers as they are, tensors by shape and digest."""
        described = [_described(each) for each in self._all]
        return described if self._several else described[0]

    @staticmethod
    def _rows(each: float | Tensor, images: Tensor, rows: Tensor | None = None) -> Tensor:
        if not isinstance(each, Tensor):
            return torch.full_like(images[:1], each)
        shape = tuple(images.shape[1:])
        if tuple(each.shape) == shape:
            return each[None]
        whole = rows is None
        if each.dim() == images.dim() and tuple(each.shape[1:]) == shape:
            if len(each) == 1:
                return each
            if not whole or len(each) == len(images):
                return each if rows is None else each[rows]
        raise ConfigError(
            f"A reference of shape {tuple(each.shape)} does not fit images of shape {tuple(images.shape)}: give a "
            f"number, {shape} or {(1, *shape)} for all images, or one reference per image. To average over several, "
            "give a list."
        )


def _checked(value: Any) -> float | Tensor:
    if isinstance(value, int | float | np.floating | np.integer) and not isinstance(value, bool):
        if np.isfinite(value):
            return float(value)
    elif isinstance(value, Tensor | np.ndarray):
        tensor = torch.as_tensor(value).detach()
        if tensor.dtype != torch.bool and not tensor.is_complex() and bool(torch.isfinite(tensor).all()):
            return tensor
    shown = f"a tensor of {value.dtype} with values that are no finite numbers" if isinstance(value, Tensor) else value
    raise ConfigError(
        f"reference={shown!r} is not allowed: give a finite number, a tensor of the shape of one image or of all "
        "images, or a list of these to average over."
    )


def _described(each: float | Tensor) -> Any:
    if not isinstance(each, Tensor):
        return each
    content = each.double().cpu().contiguous().numpy().tobytes()
    return {"shape": list(each.shape), "sha256": hashlib.sha256(content).hexdigest()}
