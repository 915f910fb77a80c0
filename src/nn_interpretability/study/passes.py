"""What the jobs of stochastic passes share: pictures, randomness and targets from plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nn_interpretability.data.view import View, view_of
from nn_interpretability.errors import DataError
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import load_weights
from nn_interpretability.stochastic import information
from nn_interpretability.stochastic.information import PassFunction
from nn_interpretability.stochastic.sampler import Dropout, Noise, Randomness
from nn_interpretability.storage.hdf5 import read_hdf5

FUNCTIONS: Mapping[str, PassFunction] = {
    "predictive_entropy": information.predictive_entropy,
    "expected_entropy": information.expected_entropy,
    "mutual_information": information.mutual_information,
}


@dataclass(frozen=True)
class Pictures:
    """Pictures of a probe, for some passes.

    Attributes
    ----------
    images
        float32 ``(n, channels, height, width)``.
    label, place
        True class of each, and its place in the probe.
    angle
        Degrees, for a picture at several angles; else None.
    view
        How the pictures are shown.
    """

    images: NDArray[np.float32]
    label: NDArray[np.int64]
    place: NDArray[np.int64]
    angle: NDArray[np.float64] | None
    view: View = field(default_factory=View)


def pictures_of(probe: Path | str, chosen: Sequence[int] | None) -> Pictures:
    """Some pictures of a probe, by their places; None for all.

    Raises
    ------
    DataError
        If there is no such picture.
    """
    product = read_hdf5(probe, schema="probe/1")
    images = product.arrays["images"].values
    place = np.arange(len(images)) if chosen is None else np.asarray(chosen, dtype=np.int64)
    if wrong := [int(each) for each in place if not 0 <= each < len(images)]:
        raise DataError(f"pictures={wrong} is not allowed: {Path(probe).name} has pictures 0 to {len(images) - 1}.")
    angles = product.params.get("angles")
    return Pictures(
        images[place],
        product.arrays["labels"].values[place],
        place.astype(np.int64),
        None if angles is None else np.asarray(angles, dtype=np.float64)[place],
        view_of(product.params),
    )


def randomness_of(settings: Mapping[str, Any], view: View | None = None) -> Randomness:
    """From plain data: ``dropout``, a seed or None, and ``noise``, ``{"sigma", "seed"}`` or None.

    ``sigma`` is in units of brightness; where a view has a normalisation, the noise is divided as the pixels are.
    """
    dropout, noise = settings["dropout"], settings["noise"]
    if noise is not None and view is not None and view.std:
        noise = {**noise, "sigma": tuple(noise["sigma"] / std for std in view.std)}
    return Randomness(
        dropout=None if dropout is None else Dropout(dropout),
        noise=None if noise is None else Noise(noise["sigma"], seed=noise["seed"]),
    )


def passes_model(architecture: str, weights: Path | str, device: str) -> nn.Module:
    """A network with its weights, in evaluation mode."""
    return load_weights(build_model(architecture), weights).to(device).eval()
