"""Finished parts of a long synthesis, kept so that a stopped one goes on where it was."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nn_interpretability.errors import BrokenProductError, ConfigError, DataError
from nn_interpretability.storage.hdf5 import Array, read_hdf5, write_hdf5
from nn_interpretability.storage.tensors import content, stored
from nn_interpretability.synthesis.loop import Ascent

LOGGER = logging.getLogger(__name__)
SCHEMA = "ascent/1"


class Checkpoint:
    """A folder with one file for each finished part.

    Parameters
    ----------
    folder
        Made if it is not there.
    key
        What the parts depend on, see :func:`key_of`; parts with another key are made anew.
    """

    def __init__(self, folder: Path | str, key: str) -> None:
        self._folder, self._key = Path(folder), key

    def load(self, rows: slice, start: Tensor) -> Ascent | None:
        """The part with these rows, on the device of their start; None if there is none that fits."""
        path = self._path(rows)
        if not path.exists():
            return None
        try:
            product = read_hdf5(path, schema=SCHEMA)
        except (BrokenProductError, DataError) as error:
            LOGGER.warning("%s is made anew: %s", path.name, error)
            return None
        if product.params.get("key") != self._key:
            LOGGER.info("%s belongs to other settings, and is made anew", path.name)
            return None
        found = {name: torch.from_numpy(array.values).to(start.device) for name, array in product.arrays.items()}
        return Ascent(found["values"], found["steps"], found["reason"])

    def save(self, rows: slice, part: Ascent) -> None:
        """Keep a finished part."""
        self._folder.mkdir(parents=True, exist_ok=True)
        values = stored(part.values)
        axes = tuple(f"axis{axis}" for axis in range(1, values.ndim))
        write_hdf5(
            self._path(rows),
            {
                "values": Array(values, ("row", *axes)),
                "steps": Array(stored(part.steps), ("row",)),
                "reason": Array(stored(part.reason), ("row",)),
            },
            schema=SCHEMA,
            params={"key": self._key},
            provenance={},
        )

    def _path(self, rows: slice) -> Path:
        return self._folder / f"rows_{rows.start:05d}-{rows.stop:05d}.h5"


def key_of(settings: Mapping[str, Any], start: Tensor, target: Tensor, modules: Mapping[str, Any]) -> str:
    """A digest of all that a synthesis depends on: settings, starts, targets, and the models.

    Raises
    ------
    ConfigError
        If one of the models is no module: of a function nothing says whether it is still the same.
    """
    digest = hashlib.sha256(json.dumps(plain_settings(settings), sort_keys=True).encode())
    for tensor in (start, target):
        _add(digest, tensor)
    for name, module in sorted(modules.items()):
        if not isinstance(module, nn.Module):
            raise ConfigError(
                f"checkpoint= is not allowed where the {name} is a {type(module).__name__}: nothing says whether it is "
                "still the one that the stored images were made with. Make it a torch.nn.Module, or leave checkpoint "
                "out."
            )
        digest.update(f"{name} {structure(module)}".encode())
        for key, tensor in sorted(module.state_dict().items()):
            digest.update(key.encode())
            _add(digest, tensor)
    return digest.hexdigest()


def structure(module: nn.Module) -> str:
    """What a module is built of, without its weights: its class, and what it says of itself."""
    return f"{type(module).__module__}.{type(module).__qualname__} {re.sub(r' at 0x[0-9a-fA-F]+', '', repr(module))}"


def plain_settings(value: Any) -> Any:
    """Settings as JSON can hold them; tensors as their shape and digest."""
    if isinstance(value, Mapping):
        return {str(key): plain_settings(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain_settings(each) for each in value]
    if isinstance(value, Tensor):
        digest = hashlib.sha256()
        _add(digest, value)
        return {"shape": list(value.shape), "sha256": digest.hexdigest()[:16]}
    return value


def _add(digest: hashlib._Hash, tensor: Tensor) -> None:
    digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    digest.update(content(tensor))
