"""Reading and writing weights, without ever running code that a file brings along."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nn_interpretability.errors import BrokenProductError, DataError
from nn_interpretability.storage.lock import results_root
from nn_interpretability.storage.product import (
    digest_of,
    read_json,
    recorded_digest,
    set_aside,
    sidecar_of,
    verified,
    writing,
)

PICKLES = (".pt", ".pth")
_DENSE_LAYER = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)$")
_NAMED = 3
"""So many of the numbers that do not fit are named, of each kind of misfit."""


def load_weights(model: nn.Module, path: Path | str) -> nn.Module:
    """Read weights into a model.

    Parameters
    ----------
    model
        Filled in place, only after everything was found right; training flag and devices stay as they are.
    path
        A ``.safetensors`` file, or a state dict saved by torch as ``.pt`` or ``.pth``.

    Returns
    -------
    Module
        The same model.

    Raises
    ------
    DataError
        If the file is missing, of another kind, damaged, or holds code; if names or shapes are not those of
        the model; if a number is NaN or infinite.
    BrokenProductError
        If the file is a result of an earlier job and not what that job wrote.
    """
    path = Path(path)
    _check_digest(path)
    state = renamed(_read(path), model)
    _check(model, state, path)
    model.load_state_dict(state)
    return model


def renamed(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """A state dict with the names that torchvision's networks have now, where the model has those and not the old ones.

    The published files of its DenseNets say ``denselayer1.norm.1.weight`` for ``denselayer1.norm1.weight``.
    """
    known = model.state_dict().keys()
    now = {name: _DENSE_LAYER.sub(r"\1\2", name) for name in state}
    return {now[name] if name not in known and now[name] in known else name: value for name, value in state.items()}


def save_weights(model: nn.Module, path: Path | str) -> None:
    """Write a model's weights as ``.safetensors``, whole or not at all; equal weights give equal bytes."""
    # Copies, since the format refuses numbers that two names share.
    state = {name: value.detach().cpu().contiguous().clone() for name, value in model.state_dict().items()}

    def check(written: Path) -> None:
        _check(model, _read(written), written)

    with writing(path, check=check) as temporary:
        # One entry of metadata at most: more are written in random order.
        save_file(state, temporary, metadata={"format": "pt"})


def _check_digest(path: Path) -> None:
    """Compare with the digest beside the file, if there is one; set aside only what a run has made."""
    expected = recorded_digest(path)
    if expected is None or not path.is_file():
        return
    if results_root(path) is not None:
        verified(path)
        _check_card(path, expected)
    elif (found := digest_of(path)) != expected:
        raise DataError(
            f"{path} is damaged or was changed: its SHA-256 is {found}, but {sidecar_of(path).name} says {expected}. "
            "Replace it."
        )


def _check_card(path: Path, digest: str) -> None:
    """Refuse weights of a run that are not those that the card beside them describes, such as those of an older run.

    Raises
    ------
    BrokenProductError
        If the card has another digest; the card is set aside, so that the next run trains anew.
    """
    card = path.with_name("card.json")
    if not card.is_file():
        return
    described = read_json(card)
    if isinstance(described, dict) and described.get("weights", digest) != digest:
        broken = set_aside(card)
        raise BrokenProductError(
            f"{path} does not hold the weights that {card.name} beside it describes, but older or other ones; the card "
            f"was renamed to {broken.name}, and the next run of the same command trains the network again."
        )


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix not in {".safetensors", *PICKLES}:
        raise DataError(f"{path} cannot be read as weights; the file types are .safetensors, .pt and .pth.")
    if not path.is_file():
        raise DataError(f"There is no weights file {path}. Correct the path.")
    try:
        state = load_file(path) if path.suffix == ".safetensors" else _unpickle(path)
    except Exception as error:  # noqa: BLE001 - a damaged file makes the parsers fail in every conceivable way
        raise DataError(_complaint(path, error)) from None
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise DataError(
            f"{path} does not hold a state dict (tensors by name) but {_kind(state)}. Save the weights with "
            "torch.save(model.state_dict(), ...) or as .safetensors."
        )
    return dict(state)


def _unpickle(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def _complaint(path: Path, error: Exception) -> str:
    if not isinstance(error, pickle.UnpicklingError):
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return f"{path} is damaged or no weights file ({reason}). Replace it."
    called = re.search(r"GLOBAL (\S+)", str(error))
    what = f"calls {called[1]}" if called else "holds more than names and tensors (or is damaged)"
    return (
        f"{path} was refused: it is a pickle that {what}, so reading it could run code that came with it. "
        "Nothing in it was run. Get the weights as .safetensors or as a state dict "
        "(torch.save(model.state_dict(), ...))."
    )


def _check(model: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Compare with the model: names, shapes, kind of numbers, NaN; all problems in one message."""
    expected = model.state_dict()
    # Files from before torch 0.4.1 have no counts of batches, and torch does without them.
    absent = {name for name in expected.keys() - state.keys() if not name.endswith("num_batches_tracked")}
    missing = [f"{name} is missing" for name in sorted(absent)]
    strange = [f"{name} is not part of the model" for name in sorted(state.keys() - expected.keys())]
    problems = []
    for name in sorted(expected.keys() & state.keys()):
        found, wanted = state[name], expected[name]
        if found.shape != wanted.shape:
            problems.append(f"{name} has the shape {tuple(found.shape)}, expected {tuple(wanted.shape)}")
        elif found.is_floating_point() != wanted.is_floating_point() or found.is_complex():
            problems.append(f"{name} has numbers of type {found.dtype}, expected {wanted.dtype}")
        elif not torch.isfinite(found).all():
            problems.append(f"{name} has NaN or infinite numbers")
    named = [problem for kind in (missing, strange, problems) for problem in kind[:_NAMED]]
    if named:
        left = len(missing) + len(strange) + len(problems) - len(named)
        more = f"; and {left} more" if left else ""
        raise DataError(
            f"{path} does not fit {type(model).__name__}: {'; '.join(named)}{more}. "
            "Choose the architecture that the weights were saved from, or other weights."
        )


def _kind(state: Any) -> str:
    if isinstance(state, Mapping):
        return f"a mapping with {', '.join(map(str, list(state)[:5]))}"
    return f"an object of type {type(state).__name__}"
