"""Networks by the name that a configuration uses.

A network is one module of this folder with a function ``build()``; its file name is its name.  There is no
table to keep, so that adding a network changes no code that the other networks' training depends on.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from nn_interpretability.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

_NOT_NETWORKS = {"__init__", "build", "digit_images", "discriminators", "gap_head", "generators", "rbm", "weights"}


def architectures() -> tuple[str, ...]:
    """Names of all networks, sorted; imports no torch."""
    return tuple(sorted({path.stem for path in Path(__file__).parent.glob("*.py")} - _NOT_NETWORKS))


def architecture_module(architecture: str) -> str:
    """Full name of the module that defines a network, for a digest of the code; imports no torch.

    Raises
    ------
    ConfigError
        If there is no such network.
    """
    if architecture not in architectures():
        raise ConfigError(f"There is no network {architecture!r}. The networks are: {', '.join(architectures())}.")
    return f"nn_interpretability.models.{architecture}"


def build_model(architecture: str) -> nn.Module:
    """Build a network with new weights, drawn from torch's global random generator.

    Parameters
    ----------
    architecture
        Name of the network, such as ``small_cnn``.

    Raises
    ------
    ConfigError
        If there is no such network.
    """
    model: nn.Module = importlib.import_module(architecture_module(architecture)).build()
    return model
