"""Tensors as NumPy has them, also those of a dtype that it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def stored(values: Tensor) -> Any:
    """An array for a file or a drawing; bfloat16, which NumPy does not have, as float32, in which it is exact."""
    import torch

    known = values.float() if values.dtype == torch.bfloat16 else values
    return known.detach().cpu().numpy()


def content(values: Tensor) -> bytes:
    """The bytes of the values in the order of their places, for a digest."""
    import torch

    flat = values.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    found: bytes = flat.numpy().tobytes()
    return found
