"""What each of DeepDream's five techniques is good for: dreams without one of them, side by side and in numbers.

``leave_one_out.h5`` (schema ``leave_one_out/1``)
    ``photograph`` [crop, channel, y, x], ``dream`` [variant, crop, channel, y, x], and for each variant and crop
    ``high_frequency``, ``seams``, ``brightness``, ``activation``; the variants are the scale of their axis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nn_interpretability.errors import ConfigError
from nn_interpretability.storage.hdf5 import Array, read_hdf5, write_hdf5
from nn_interpretability.study import dream_inputs
from nn_interpretability.study.dream_inputs import network_of, picture_of, with_own
from nn_interpretability.study.dreams import HYPER_PARAMETERS, Progress, part_of
from nn_interpretability.synthesis.deepdream import DeepDream
from nn_interpretability.synthesis.octaves import checked_octaves
from nn_interpretability.synthesis.picture_measures import high_frequency_share, luminance, seam_energy
from nn_interpretability.synthesis.tiles import seams

SCHEMA = "leave_one_out/1"


def leave_one_out(
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
    """Dream over crops of the photograph with all five techniques, with each of them left out, and with two alone.

    All variants make as many steps, so that "one scale" makes those of all octaves at its one size. The two are the
    first ones of the study's weekly report, penalty and scales.

    Parameters
    ----------
    photograph_h5, weights, output, seed, device, provenance, progress
        As for :func:`dream`; schema ``leave_one_out/1``.
    settings
        As for :func:`dream`, and ``crops`` and ``crop``, how many crops of the shrunk photograph are taken, and their
        side. Tiles have no overlap here, so that rolling alone hides their edges; all pictures are rolled, but in the
        variant without.
    """
    product = read_hdf5(photograph_h5, schema=dream_inputs.SCHEMA)
    entry = product.params["model"]["entry"]
    model, normalisation = network_of(product.params["model"], weights, device)
    settings = with_own(settings, entry, "size", "crops", "learning_rate", "noise", "penalty")
    tile, crop = settings["tile"], int(settings["crop"])
    if tile is None or tile >= crop:
        raise ConfigError(
            f"tile={tile} leaves no edges in crops of {crop} pixels: give a smaller tile, or larger crops."
        )
    picture = picture_of(product.arrays["photograph"].values, int(settings["size"]), model)
    cut = cropped(picture, int(settings["crops"]), crop).to(device)
    whole = {
        **{name: settings[name] for name in HYPER_PARAMETERS},
        **normalisation,
        "layer": entry["layers"][-1],
        "roll": True,
        "tile": tile,
        "overlap": 0,
    }
    changes: dict[str, dict[str, Any]] = {
        "all": {},
        "penalty": {"penalty": 0.0},
        "scales": {"octaves": 1, "steps": settings["steps"] * len(checked_octaves(settings["octaves"]))},
        "roll": {"roll": False},
        "tiles": {"tile": None},
        "noise": {"noise": 0.0},
        "first_two": {"roll": False, "tile": None, "noise": 0.0},
    }
    dreamed, activation = [], []
    for number, change in enumerate(changes.values()):
        method = DeepDream(model, seed=seed, **{**whole, **change})
        total = len(method.octaves) * method.steps
        found = method.synthesize(cut, progress=part_of(progress, number * total, len(changes) * total))
        dreamed.append(found.image.cpu().numpy())
        activation.append(found.activation[-1, -1].numpy())
    crops_seen, dreams = cut.cpu().numpy(), np.stack(dreamed)
    edges = seams(crop, tile, 0)
    values = measures_of_dreams(crops_seen, dreams, edges)
    axes = ("variant", "crop")
    arrays = {
        "photograph": Array(crops_seen, ("crop", "channel", "y", "x")),
        "dream": Array(dreams, ("variant", "crop", "channel", "y", "x")),
        "activation": Array(np.stack(activation), axes),
        **{name: Array(value, axes) for name, value in values.items()},
        "photograph_brightness": Array(luminance(crops_seen).mean(axis=(1, 2)), ("crop",)),
    }
    params = {
        **{key: product.params[key] for key in ("photograph", "model")},
        "layer": whole["layer"],
        "octaves": list(checked_octaves(settings["octaves"])),
        "settings": {
            **{k: v for k, v in whole.items() if k not in {"mean", "std", "layer"}},
            "seed": seed,
            "crop": crop,
        },
    }
    write_hdf5(
        output,
        arrays,
        schema=SCHEMA,
        params=params,
        provenance=provenance,
        scales={"variant": list(changes)},
    )


def cropped(picture: Tensor, count: int, side: int) -> Tensor:
    """Square crops ``(count, C, side, side)`` that are spread evenly over a picture ``(C, H, W)``.

    Raises
    ------
    ConfigError
        If the picture is smaller than a crop.
    """
    height, width = picture.shape[-2:]
    if min(height, width) < side:
        raise ConfigError(
            f"The crops of {side} x {side} pixels are larger than the photograph, which was shrunk to {width} x "
            f"{height}. Give a smaller deepdream.leave_one_out.crop, or a larger deepdream.size."
        )
    columns = max(1, min(count, round((count * width / height) ** 0.5)))
    rows = -(-count // columns)
    places = [(y, x) for y in _spread(height - side, rows) for x in _spread(width - side, columns)][:count]
    return torch.stack([picture[:, y : y + side, x : x + side] for y, x in places])


def _spread(room: int, count: int) -> list[int]:
    return [round(room * (i + 0.5) / count) if count == 1 else round(room * i / (count - 1)) for i in range(count)]


def measures_of_dreams(
    crops: npt.NDArray[np.floating[Any]], dreams: npt.NDArray[np.floating[Any]], edges: Sequence[int]
) -> dict[str, npt.NDArray[np.float64]]:
    """Of each dream: high frequencies and seams of its change, and its brightness, ``(variant, crop)``.

    Parameters
    ----------
    crops
        Of the photograph, ``(crop, channel, y, x)``.
    dreams
        By variant, ``(variant, crop, channel, y, x)``.
    edges
        First pixel of each tile but the first.
    """
    photograph = luminance(crops)
    change = [luminance(each) - photograph for each in dreams]
    return {
        "high_frequency": np.stack([high_frequency_share(each) for each in change]),
        "seams": np.stack([seam_energy(each, edges, edges) for each in change]),
        "brightness": np.stack([luminance(each).mean(axis=(1, 2)) for each in dreams]),
    }
