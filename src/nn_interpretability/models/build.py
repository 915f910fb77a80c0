"""Networks by the name that a configuration uses.

A network is one module of this folder with a function ``build()``; its file name is its name.  There is no
table to keep, so that adding a network changes no code that the other networks' training depends on.

Networks from outside have names that say where from: ``torchvision:resnet18``, ``python:path/to/file.py:build``.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from nn_interpretability.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

_NOT_NETWORKS = {
    "__init__",
    "build",
    "digit_images",
    "discriminators",
    "gap_head",
    "generators",
    "outside",
    "rbm",
    "weights",
}
FILE, TORCHVISION = "python:", "torchvision:"


def architectures() -> tuple[str, ...]:
    """Names of all networks, sorted; imports no torch."""
    return tuple(sorted({path.stem for path in Path(__file__).parent.glob("*.py")} - _NOT_NETWORKS))


def architecture_module(architecture: str) -> str:
    """Full name of the module that defines a network, or its file, for a digest of the code; imports no torch.

    Raises
    ------
    ConfigError
        If there is no such network.
    """
    if architecture.startswith(FILE):
        return _file_and_factory(architecture)[0]
    if architecture.startswith(TORCHVISION):
        return "nn_interpretability.models.outside"
    if architecture not in architectures():
        raise ConfigError(f"There is no network {architecture!r}. The networks are: {', '.join(architectures())}.")
    return f"nn_interpretability.models.{architecture}"


def build_model(architecture: str) -> nn.Module:
    """Build a network with new weights, drawn from torch's global random generator.

    Parameters
    ----------
    architecture
        Name of the network, such as ``small_cnn``, ``torchvision:resnet18`` or ``python:FILE:FACTORY``.

    Raises
    ------
    ConfigError
        If there is no such network.
    """
    if architecture.startswith((FILE, TORCHVISION)):
        from nn_interpretability.models.outside import from_file, from_torchvision

        if architecture.startswith(FILE):
            return from_file(*_file_and_factory(architecture))
        return from_torchvision(architecture.removeprefix(TORCHVISION))
    model: nn.Module = importlib.import_module(architecture_module(architecture)).build()
    return model


def _file_and_factory(architecture: str) -> tuple[str, str]:
    path, _, factory = architecture.removeprefix(FILE).rpartition(":")
    return path, factory
