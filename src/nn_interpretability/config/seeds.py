"""One seed per stage of a run, from the one seed of the configuration."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from nn_interpretability.registry import method_entry


def derive_seed(seed: int, stage: str, name: str = "") -> int:
    """Derive the seed of one stage.

    The first four bytes of SHA-256 over seed, stage and name, without the sign bit: the same on every machine
    and for every version of Python, unlike ``hash``, and unrelated for neighbouring seeds.

    Parameters
    ----------
    seed
        ``seed`` of the configuration, at least 0.
    stage
        What the seed is for, such as ``"train_model"``.
    name
        Which of several, such as the name of the model.

    Returns
    -------
    int
        Between 0 and 2**31 - 1.
    """
    key = f"{seed}\0{stage}\0{name}".encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:4], "big") >> 1


def seeded(method: str, parameters: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Give a method that draws random numbers a seed, unless the configuration gives one.

    The seed is the same for all attributions, so that methods that are compared see the same noise.

    Parameters
    ----------
    method, parameters
        Name of the method in the registry, and its hyper-parameters.
    seed
        ``seed`` of the configuration.
    """
    given = dict(parameters)
    if "seed" in method_entry(method).parameters["properties"]:
        given.setdefault("seed", derive_seed(seed, "attribute"))
    return given
