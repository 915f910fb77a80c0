"""Leave the user's model, and torch's random numbers, as they were found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def left_as_found(model: nn.Module) -> Iterator[None]:
    """Switch a model to evaluation, without gradients for its parameters, and put everything back afterwards.

    Restored, also after an exception: the training flag of every module, ``requires_grad`` of every parameter, and
    the random state of the CPU and of the devices the model lives on. Weights, buffers, ``.grad`` and hooks are
    never touched.

    With no parameter asking for gradients, a tensor asks for gradients exactly when it depends on the explained
    input, which is what the engine reads off.
    """
    training = [(module, module.training) for module in model.modules()]
    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    devices = sorted({p.device.index or 0 for p, _ in wanted if p.device.type == "cuda"})
    try:
        with torch.random.fork_rng(devices=devices):
            model.eval()
            for parameter, _ in wanted:
                parameter.requires_grad_(False)
            yield
    finally:
        for module, flag in training:
            module.training = flag
        for parameter, flag in wanted:
            parameter.requires_grad_(flag)
