"""Activation maps and filters of a trained network, for the figures.

One file (schema ``activation_views/1``): ``picture`` [channel, y, x]; ``filters`` [unit_0, filter_channel, filter_y,
filter_x] of the first layer; and for each layer ``n`` in the order given ``maps_n`` [unit_n, y_n, x_n] and
``strength_n`` [unit_n], the strongest units first. The numbers of the units are the scales of their axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from nn_interpretability.data import probes
from nn_interpretability.errors import ConfigError
from nn_interpretability.models.build import build_model
from nn_interpretability.models.weights import load_weights
from nn_interpretability.storage.hdf5 import Array, write_hdf5
from nn_interpretability.synthesis.activation_maps import ActivationMaps, filters_of

SCHEMA = "activation_views/1"


def view_activations(
    weights: Path | str,
    probe: Path | str,
    output: Path | str,
    *,
    architecture: str,
    layers: Sequence[str],
    picture: int,
    count: int,
    device: str,
    provenance: Mapping[str, Any],
) -> None:
    """Write the strongest maps of some layers for one picture, and the filters of the first of these layers.

    Parameters
    ----------
    weights, probe
        The network's weights, and the pictures.
    output
        What is written.
    architecture
        The network.
    layers
        Dotted names, the first that of a convolution.
    picture
        Which picture of the probe.
    count
        At most so many units of each layer, the strongest by their mean activation.
    device, provenance
        Where to compute, and what makes the file.

    Raises
    ------
    ConfigError
        If there is no such layer or picture.
    """
    shown = probes.load(probe)
    if not 0 <= picture < len(shown.images):
        raise ConfigError(f"There is no picture {picture}: the probe has {len(shown.images)}, counted from 0.")
    model = load_weights(build_model(architecture), weights).to(device).eval()
    image = torch.from_numpy(shown.images[picture : picture + 1]).to(device)
    arrays = {"picture": Array(shown.images[picture], ("channel", "y", "x"))}
    scales: dict[str, Any] = {}
    for number, layer in enumerate(layers):
        found = ActivationMaps(model, layer=layer).interpret(image)
        units = found.order[0, :count].cpu()
        if number == 0:
            filters = filters_of(model, layer).cpu()[units].numpy()
            arrays["filters"] = Array(filters, ("unit_0", "filter_channel", "filter_y", "filter_x"))
        maps = found.strongest(count)[0].cpu().numpy()
        arrays[f"maps_{number}"] = Array(maps, (f"unit_{number}", f"y_{number}", f"x_{number}"))
        arrays[f"strength_{number}"] = Array(found.strength[0].cpu()[units].numpy(), (f"unit_{number}",))
        scales[f"unit_{number}"] = units.numpy()
    params = {
        "architecture": architecture,
        "layers": list(layers),
        "units": [int(ActivationMaps(model, layer=layer).interpret(image).strength.shape[1]) for layer in layers],
        "picture": picture,
        "label": int(shown.labels[picture]),
        **shown.view.params(),
    }
    write_hdf5(output, arrays, schema=SCHEMA, params=params, provenance=provenance, scales=scales)
