"""Where a long dream stands, in a file, so that it goes on there after it was stopped."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from nn_interpretability.errors import BrokenProductError
from nn_interpretability.storage.hdf5 import Array, read_hdf5, write_hdf5
from nn_interpretability.storage.product import sidecar_of
from nn_interpretability.storage.tensors import content
from nn_interpretability.synthesis.checkpoint import structure

LOGGER = logging.getLogger("nn_interpretability")
SCHEMA = "dream_state/1"


def key_of(model: nn.Module, images: Tensor, settings: Mapping[str, Any]) -> str:
    """A digest of all that a result depends on: the model and its weights, pictures, settings."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    digest.update(structure(model).encode())
    for name, tensor in [*model.state_dict().items(), ("", images)]:
        if tensor.is_meta:  # it has no values, so that nothing can depend on them
            continue
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(content(tensor))
    return digest.hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """A file that holds the state after a number of finished parts.

    Attributes
    ----------
    path
        The file, ``.h5``.
    key
        From :func:`key_of`; what was stored under another key is not used.
    """

    path: Path
    key: str

    def load(self) -> tuple[int, dict[str, npt.NDArray[Any]]] | None:
        """How many parts are done, and the stored arrays; None if nothing usable is stored, which the log explains."""
        if not self.path.exists():
            return None
        try:
            product = read_hdf5(self.path, schema=SCHEMA)
        except (BrokenProductError, OSError) as problem:
            LOGGER.warning("%s cannot be read, so the work begins anew: %s", self.path.name, problem)
            return None
        if product.params["key"] != self.key:
            LOGGER.info("%s is of other settings, pictures or weights; the work begins anew", self.path.name)
            return None
        LOGGER.info("going on after part %d, from %s", product.params["done"], self.path.name)
        return int(product.params["done"]), {name: array.values for name, array in product.arrays.items()}

    def save(self, done: int, arrays: Mapping[str, npt.NDArray[np.floating[Any]]]) -> None:
        """Replace what is stored."""
        named = {
            name: Array(values, tuple(f"{name}_{axis}" for axis in range(values.ndim)))
            for name, values in arrays.items()
        }
        write_hdf5(self.path, named, schema=SCHEMA, params={"key": self.key, "done": done}, provenance={})

    def remove(self) -> None:
        """Remove the file, once its purpose is served."""
        self.path.unlink(missing_ok=True)
        sidecar_of(self.path).unlink(missing_ok=True)
