"""Finished parts of a long synthesis, kept so that a stopped one goes on where it was."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nn_interpretability.errors import BrokenProductError, DataError
from nn_interpretability.storage.hdf5 import Array, read_hdf5, write_hdf5
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
        values = part.values.cpu().numpy()
        axes = tuple(f"axis{axis}" for axis in range(1, values.ndim))
        write_hdf5(
            self._path(rows),
            {
                "values": Array(values, ("row", *axes)),
                "steps": Array(part.steps.cpu().numpy(), ("row",)),
                "reason": Array(part.reason.cpu().numpy(), ("row",)),
            },
            schema=SCHEMA,
            params={"key": self._key},
            provenance={},
        )

    def _path(self, rows: slice) -> Path:
        return self._folder / f"rows_{rows.start:05d}-{rows.stop:05d}.h5"


def key_of(settings: Mapping[str, Any], start: Tensor, target: Tensor, modules: Mapping[str, Any]) -> str:
    """A digest of all that a synthesis depends on: settings, starts, targets, and the weights of the models.

    Functions that are not modules are known by their name alone.
    """
    digest = hashlib.sha256(json.dumps(plain_settings(settings), sort_keys=True).encode())
    for tensor in (start, target):
        _add(digest, tensor)
    for name, module in sorted(modules.items()):
        digest.update(
            f"{name} {type(module).__module__} {getattr(module, '__qualname__', type(module).__qualname__)}".encode()
        )
        if isinstance(module, nn.Module):
            for key, tensor in sorted(module.state_dict().items()):
                digest.update(key.encode())
                _add(digest, tensor)
    return digest.hexdigest()


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
    digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
