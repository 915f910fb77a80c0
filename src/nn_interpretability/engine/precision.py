"""Full single precision on a GPU, where torch, left alone, rounds the inputs of convolutions to ten bits (TF32)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_CUDA: Any = torch.backends.cuda
_CUDNN: Any = torch.backends.cudnn
_OPERATIONS = (_CUDA.matmul, _CUDNN.conv, _CUDNN.rnn)  # each with an ``fp32_precision``


def switch_tf32_off(*, old_names: bool = True) -> None:
    """Switch TF32 off for this process, for matrix products and cuDNN.

    Parameters
    ----------
    old_names
        Also by ``allow_tf32``, which torch refuses to read where it contradicts ``fp32_precision``.
    """
    if old_names:
        _CUDA.matmul.allow_tf32 = _CUDNN.allow_tf32 = False
    for operation in _OPERATIONS:
        operation.fp32_precision = "ieee"


@contextmanager
def full_precision(device: str) -> Iterator[None]:
    """Switch TF32 off, and give the settings back as they were, also after an exception.

    The TF32 for cuDNN that torch begins with cannot be told from one that was asked for, which it is afterwards.

    Parameters
    ----------
    device
        Type of the device that is computed on; for all but ``"cuda"`` nothing happens.
    """
    new = [operation.fp32_precision for operation in _OPERATIONS] if device == "cuda" else []
    if "tf32" not in new:
        yield
        return
    old = _by_old_names()
    switch_tf32_off(old_names=old is not None)
    try:
        yield
    finally:
        if old is not None:
            _CUDA.matmul.allow_tf32, _CUDNN.allow_tf32 = old[0] != "highest", old[1]
            if old[0] == "medium":  # which allow_tf32 does not tell from "high"
                torch.set_float32_matmul_precision("medium")
        for operation, precision in zip(_OPERATIONS, new, strict=True):
            operation.fp32_precision = "none"  # as all of cuDNN, or all of torch
            if operation.fp32_precision != precision:
                operation.fp32_precision = precision


def _by_old_names() -> tuple[str, bool] | None:
    """Precision of matrix products, and whether cuDNN may use TF32; None where the new names contradict them."""
    try:
        return torch.get_float32_matmul_precision(), _CUDNN.allow_tf32
    except RuntimeError:
        return None
