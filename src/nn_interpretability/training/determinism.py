"""What makes a training give the same bits again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch

LOGGER = logging.getLogger(__name__)


def warn_of_threads(device: torch.device) -> None:
    """Say that the bits of what is trained depend on the number of threads, where there are several."""
    if device.type == "cpu" and torch.get_num_threads() > 1:
        LOGGER.warning(
            "training on %d threads: the weights have other bits than on one; set OMP_NUM_THREADS=1",
            torch.get_num_threads(),
        )


@contextmanager
def reproducible(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators for a while and give them back as they were."""
    gpus = [torch.cuda.current_device()] if device.type == "cuda" else []
    with (
        torch.random.fork_rng(devices=gpus),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
    ):
        # torch.manual_seed would also seed GPUs that were not forked
        torch.default_generator.manual_seed(seed)
        if gpus:
            torch.cuda.manual_seed(seed)
        yield
