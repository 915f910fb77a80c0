"""Leave the user's model, and torch's random numbers, as they were found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from nn_interpretability.engine.precision import full_precision


def gpus_of(model: nn.Module) -> list[int]:
    """Numbers of the GPUs that a model lives on."""
    return sorted({p.device.index or 0 for p in model.parameters() if p.device.type == "cuda"})


def seed_generators(seed: int, model: nn.Module) -> None:
    """Seed the random numbers that :func:`left_as_found` restores; ``torch.manual_seed`` would seed every GPU."""
    torch.default_generator.manual_seed(seed)
    for gpu in gpus_of(model):
        torch.cuda.default_generators[gpu].manual_seed(seed)


@contextmanager
def left_as_found(model: nn.Module) -> Iterator[None]:
    """Switch a model to evaluation, without gradients for its parameters, and put everything back afterwards.

    Restored, also after an exception: the training flag of every module, ``requires_grad`` of every parameter, and
    the random state of the CPU and of the devices the model lives on. Weights, buffers, ``.grad`` and hooks are
    never touched. On a GPU everything inside is computed in full precision; see
    :func:`~nn_interpretability.engine.precision.full_precision`.

    With no parameter asking for gradients, a tensor asks for gradients exactly when it depends on the explained
    input, which is what the engine reads off.
    """
    training = [(module, module.training) for module in model.modules()]
    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    gpus = gpus_of(model)
    try:
        with torch.random.fork_rng(devices=gpus), full_precision("cuda" if gpus else "cpu"):
            model.eval()
            for parameter, _ in wanted:
                parameter.requires_grad_(False)
            yield
    finally:
        for module, flag in training:
            module.training = flag
        for parameter, flag in wanted:
            parameter.requires_grad_(flag)
