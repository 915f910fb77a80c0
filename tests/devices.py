"""Settings of torch that a job on a GPU makes, undone after a test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


@contextmanager
def settings_kept() -> Iterator[None]:
    """Give back the precisions of torch, and what ``compute_exactly`` changes."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic
    precisions = [each.fp32_precision for each in (matmul, cudnn.conv, cudnn.rnn)]
    on_cpu = torch.backends.mkldnn.matmul.fp32_precision
    strict = torch.are_deterministic_algorithms_enabled()
    warns, workspace = torch.is_deterministic_algorithms_warn_only_enabled(), os.environ.get(WORKSPACE)
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic = before
        torch.backends.fp32_precision = "none"
        for each, precision in zip((matmul, cudnn.conv, cudnn.rnn), precisions, strict=True):
            each.fp32_precision = precision
        torch.backends.mkldnn.matmul.fp32_precision = on_cpu
        torch.use_deterministic_algorithms(strict, warn_only=warns)
        os.environ.pop(WORKSPACE, None)
        if workspace is not None:
            os.environ[WORKSPACE] = workspace
