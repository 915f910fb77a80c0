"""DeepDream in the study: dreams of layers and of single channels.

``dreams.h5`` (schema ``dreams/1``)
    ``photograph`` float32 [channel, y, x] as the network was given it, and ``dream`` float32 [panel, channel, y, x],
    both in [0, 1]; ``activation`` float64 [panel, octave, step], the mean activation before each step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from nn_interpretability.storage.hdf5 import Array, read_hdf5, write_hdf5
from nn_interpretability.storage.product import sidecar_of
from nn_interpretability.study import dream_inputs
from nn_interpretability.study.dream_inputs import network_of, picture_of, with_own
from nn_interpretability.synthesis.activation_maps import ActivationMaps
from nn_interpretability.synthesis.deepdream import DeepDream

LOGGER = logging.getLogger("nn_interpretability")
SCHEMA = "dreams/1"

Progress = Callable[[int, int], None]

HYPER_PARAMETERS = ("octaves", "octave_scale", "steps", "learning_rate", "roll", "tile", "overlap", "noise", "penalty")
"""Those that the configuration gives; layers and channels come from the network's entry."""

STRONGEST = "strongest"
"""In the place of two channels: those that the photograph excites most, since of a network that is trained anew nobody
knows what which channel stands for."""


def dream(
    photograph_h5: Path | str,
    weights: Path | str,
    output: Path | str,
    *,
    settings: Mapping[str, Any],
    seed: int,
    device: str,
    provenance: Mapping[str, Any],
    progress: Progress | None = None,
) -> None:
    """Dream of two layers and of two channels of one layer; stopped, it goes on behind the last finished octave.

    Parameters
    ----------
    photograph_h5, weights
        Files of :func:`nn_interpretability.study.dream_inputs.prepare`.
    output
        Schema ``dreams/1``.
    settings
        Hyper-parameters of :class:`~nn_interpretability.synthesis.deepdream.DeepDream`, see :data:`HYPER_PARAMETERS`;
        and ``size``, the longest side that the photograph is shrunk to. The network's own size and learning rate come
        first.
    seed, device
        Seed of shifts and noise, and where to compute.
    provenance
        What makes the file.
    progress
        Called with numbers of steps.
    """
    product = read_hdf5(photograph_h5, schema=dream_inputs.SCHEMA)
    entry = product.params["model"]["entry"]
    model, normalisation = network_of(product.params["model"], weights, device)
    own = with_own(settings, entry, "size", "learning_rate")
    longest = int(own["size"])
    chosen = {name: own[name] for name in HYPER_PARAMETERS}
    picture = picture_of(product.arrays["photograph"].values, longest, model).to(device)
    panels: list[tuple[str, int | None]] = [(layer, None) for layer in entry["layers"]]
    panels += [(entry["channel_layer"], channel) for channel in _channels(model, entry, picture, normalisation)]
    dreamed, activation, states = [], [], []
    for number, (layer, channel) in enumerate(panels):
        method = DeepDream(model, layer=layer, channel=channel, seed=seed, **chosen, **normalisation)
        total = len(method.octaves) * method.steps
        states.append(Path(f"{output}.state{number}.h5"))
        found = method.synthesize(
            picture,
            checkpoint=states[-1],
            progress=part_of(progress, number * total, len(panels) * total),
        )
        LOGGER.info("%s, channel %s: activation %s", layer, channel, found.activation[:, -1, 0].tolist())
        dreamed.append(found.image.cpu().numpy())
        activation.append(found.activation[:, :, 0].numpy())
    arrays = {
        "photograph": Array(picture.cpu().numpy(), ("channel", "y", "x")),
        "dream": Array(np.stack(dreamed), ("panel", "channel", "y", "x")),
        "activation": Array(np.stack(activation), ("panel", "octave", "step")),
    }
    params = {
        **{key: product.params[key] for key in ("photograph", "model")},
        "panels": [{"layer": layer, "channel": channel} for layer, channel in panels],
        "original": list(product.arrays["photograph"].values.shape[:2]),
        "sizes": [list(octave) for octave in found.sizes],
        "settings": {**chosen, "size": longest, "seed": seed},
    }
    write_hdf5(output, arrays, schema=SCHEMA, params=params, provenance=provenance)
    for state in states:
        state.unlink(missing_ok=True)
        sidecar_of(state).unlink(missing_ok=True)


def _channels(
    model: nn.Module, entry: Mapping[str, Any], picture: Tensor, normalisation: Mapping[str, Any]
) -> list[int]:
    """The two channels that the entry names, or those that the photograph excites most."""
    if entry["channels"] != STRONGEST:
        return list(entry["channels"])
    seen = picture[None]
    if normalisation:
        mean, std = (picture.new_tensor(normalisation[key])[:, None, None] for key in ("mean", "std"))
        seen = (seen - mean) / std
    found = ActivationMaps(model, layer=entry["channel_layer"]).interpret(seen)
    return [int(channel) for channel in found.order[0, :2]]


def part_of(progress: Progress | None, before: int, total: int) -> Progress | None:
    """Progress of one of several parts, in terms of the whole."""
    return None if progress is None else lambda done, _: progress(before + done, total)
