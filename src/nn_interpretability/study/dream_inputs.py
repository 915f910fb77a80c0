"""What DeepDream needs in the study: the photograph, and a network with its weights.

``photograph.h5`` (schema ``photograph/1``)
    ``photograph`` uint8 [y, x, colour]; ``params`` says where it and the network come from.
``weights.safetensors``
    Those weights of the network that run before the layers that are dreamed of.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nn_interpretability.data import kept, photographs, pretrained
from nn_interpretability.engine.partial import output_of
from nn_interpretability.engine.preserve import left_as_found
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.models.build import TORCHVISION, build_model
from nn_interpretability.models.weights import load_weights, renamed
from nn_interpretability.storage.hdf5 import Array, write_hdf5
from nn_interpretability.storage.product import verified, write_json, writing

SCHEMA = "photograph/1"
_TRIAL = 224  # side of a picture that all usual networks take

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
"""What torchvision's networks expect of red, green and blue in [0, 1]."""


def prepare(
    output: Path | str,
    weights_output: Path | str,
    record_json: Path | str,
    *,
    local: str | None,
    download: bool,
    models: Sequence[Mapping[str, Any]],
    trained: Mapping[str, tuple[str, Path]],
    normalisations: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
    provenance: Mapping[str, Any],
) -> None:
    """Get the photograph and the first network of the list whose weights can be had, and write both.

    Parameters
    ----------
    output, weights_output, record_json
        What is written; the last says what was used, in the words of the look-ups of
        :mod:`~nn_interpretability.data.photographs` and :mod:`~nn_interpretability.data.pretrained`.
    local, download
        The configuration's ``data.local`` and ``data.download``.
    models
        The list: ``name``, ``layers`` (two), ``channel_layer``, ``channels`` (two), and optionally ``weights``,
        ``size``, ``crops``, ``learning_rate``, ``noise``, ``penalty``, which then hold instead of those of the dreams.
    trained
        Architecture and weights of the networks that the workflow trains or imports, by name.
    normalisations
        ``mean`` and ``std`` that those of them expect of pixels that expect any, by name.
    provenance
        What makes the files.

    Raises
    ------
    DataError
        If no network has weights, or a file is not what it should be; or if only worse can be had than an earlier
        run had used, by the record that it left.
    ConfigError
        If the network has no layer of a name that its entry gives.
    """
    pixels, record = photographs.read(local)
    found = pretrained.obtain(models, local, {name: path for name, (_, path) in trained.items()}, download=download)
    entry, name = found.entry, str(found.entry["name"])
    used = _used(record, found, local)
    _refuse_worse(Path(record_json), used, [str(each["name"]) for each in models])
    here = found.source == pretrained.TRAINED
    architecture = trained[name][0] if here else f"{TORCHVISION}{name}"
    normalisation = dict((normalisations or {}).get(name, {})) if here else dict(IMAGENET)
    model = _filled(build_model(architecture), found)
    layers = [*entry["layers"], entry["channel_layer"]]
    with writing(weights_output) as temporary:
        save_file(_state_up_to(model, layers), temporary, metadata={"format": "pt"})
    params = {
        "photograph": record,
        "model": {
            "name": name,
            "architecture": architecture,
            "normalisation": normalisation,
            "source": found.source,
            "reason": found.reason,
            "title": found.title,
            "licence": found.licence,
            "entry": dict(entry),
        },
    }
    arrays = {"photograph": Array(pixels, ("y", "x", "colour"))}
    write_hdf5(output, arrays, schema=SCHEMA, params=params, provenance=provenance)
    write_json(record_json, used)


def _used(record: Mapping[str, Any], found: pretrained.Weights, local: str | None) -> dict[str, Any]:
    network = {"name": found.entry["name"], "source": found.source}
    if found.source in {pretrained.FILE, pretrained.LOCAL}:
        (sure,) = pretrained.look_up([found.entry], local, [], download=False)
        network = sure
    photograph = photographs.look_up(local) if record["source"] == photographs.STUDY else {"source": record["source"]}
    return {"photograph": photograph, "network": network}


def _refuse_worse(record_json: Path, used: Mapping[str, Any], names: Sequence[str]) -> None:
    """Raise an error where an earlier run had something better."""
    before = kept.record(record_json)
    photograph = before.get("photograph", {}).get("source")
    network = before.get("network", {}).get("name")
    worse = []
    if photograph == photographs.STUDY and used["photograph"]["source"] != photographs.STUDY:
        worse.append("castle.jpg")
    if network in names and names.index(network) < names.index(used["network"]["name"]):
        worse.append(f"the network {network}")
    if worse:
        raise DataError(
            f"The dreams were made with {' and '.join(worse)}, which cannot be had any longer, and were not replaced "
            f"by others. Make available again what was used (data.local), or remove {record_json} to go on without it."
        )


def picture_of(pixels: npt.NDArray[np.uint8], longest: int, model: nn.Module) -> Tensor:
    """The photograph ``(C, H, W)`` in [0, 1], in grey for a network with one channel."""
    small = photographs.shrunk(pixels, longest)
    if _input_channels(model) == 1:
        return torch.from_numpy(photographs.grey(small).copy())[None].float() / 255
    return torch.from_numpy(small.copy()).movedim(-1, 0).float() / 255


def _input_channels(model: nn.Module) -> int:
    first = next((module for module in model.modules() if isinstance(module, nn.Conv2d)), None)
    if first is None or first.in_channels not in {1, 3}:
        raise ConfigError(f"{type(model).__name__} takes no photographs: it has no convolution of 1 or 3 channels.")
    return first.in_channels


def _filled(model: nn.Module, found: pretrained.Weights) -> nn.Module:
    """Read the weights that were found."""
    if found.path is not None:
        return load_weights(model, found.path)
    assert found.content is not None  # checked by its digest already
    state = torch.load(io.BytesIO(found.content), map_location="cpu", weights_only=True)
    model.load_state_dict(renamed(state, model))
    return model


def _state_up_to(model: nn.Module, layers: Sequence[str]) -> dict[str, Tensor]:
    """Weights of the modules that run before the last of some layers ends."""
    ran: set[str] = set()
    handles = [
        module.register_forward_pre_hook(lambda _, __, name=name: ran.add(name))
        for name, module in model.named_modules()
    ]
    trial = torch.zeros(1, _input_channels(model), _TRIAL, _TRIAL)
    try:
        with torch.no_grad(), left_as_found(model):
            for layer in layers:
                output_of(model, layer, trial)
    finally:
        for handle in handles:
            handle.remove()
    return {key: value.contiguous() for key, value in model.state_dict().items() if key.rpartition(".")[0] in ran}


def network_of(words: Mapping[str, Any], weights: Path | str, device: str) -> tuple[nn.Module, dict[str, Any]]:
    """The network with the stored weights, and what it expects of pixels; what lies behind has no weights."""
    with torch.device("meta"):
        model = build_model(words["architecture"])
    problem = model.load_state_dict(load_file(verified(weights)), strict=False, assign=True)
    if problem.unexpected_keys:
        raise DataError(f"{weights} does not fit {words['name']}: {', '.join(problem.unexpected_keys)}.")
    for parameter in model.parameters():
        if not parameter.is_meta:
            parameter.data = parameter.data.to(device)
    for buffer in model.buffers():
        if not buffer.is_meta:
            buffer.data = buffer.data.to(device)
    return model, dict(words["normalisation"])


def with_own(settings: Mapping[str, Any], entry: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Settings in which what the network's own entry says under some names comes first."""
    return {**settings, **{name: entry[name] for name in names if entry.get(name) is not None}}
