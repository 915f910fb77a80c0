"""What a figure of occlusions holds: the covered pictures, what the model says of each, and occlusion maps.

===============  ==========================  ==============================================================
array            dimensions                  meaning
===============  ==========================  ==============================================================
``picture``      channel, y, x               the picture, in [0, 1]
``covered``      position, channel, y, x     the same with the window at each position, row by row
``probability``  position                    softmax probability of the true class, in [0, 1]
``seen``         position                    class of the largest score
``seen_share``   position                    its probability
``maps``         map, y, x                   occlusion maps
``limit``        map                         end of the symmetric colour scale
===============  ==========================  ==============================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nn_interpretability.plotting.data import SCHEMA, FloatArray, IntArray
from nn_interpretability.storage.hdf5 import Array, Product, write_hdf5

KIND = "occlusion_strip"


@dataclass(frozen=True)
class OcclusionMap:
    """One map: name of the attribution, heading and settings, signed values [y, x]."""

    name: str
    heading: str
    detail: str
    values: FloatArray


@dataclass(frozen=True)
class OcclusionStrip:
    """A picture under each position of a window, and its occlusion maps on one scale.

    Attributes
    ----------
    figure
        Name of the figure.
    picture, covered
        [channel, y, x] and [position, channel, y, x], in [0, 1].
    label, whole
        True class, and its probability for the whole picture.
    probability, seen, seen_share
        Probability of the true class, the class of the largest score and its probability, for each position.
    maps, limit, quantity
        The maps, the end of their symmetric colour scale, and what it measures.
    """

    figure: str
    picture: FloatArray
    covered: FloatArray
    label: int
    whole: float
    probability: FloatArray
    seen: IntArray
    seen_share: FloatArray
    maps: tuple[OcclusionMap, ...]
    limit: float
    quantity: str
    provenance: Mapping[str, Any] = field(default_factory=dict)


def write_strip(path: Path, strip: OcclusionStrip, *, provenance: Mapping[str, Any]) -> None:
    """Write the figure data file; ``provenance`` says which job made it from what."""
    arrays = {
        "picture": Array(strip.picture.astype(np.float32), ("channel", "y", "x")),
        "covered": Array(strip.covered.astype(np.float32), ("position", "channel", "y", "x")),
        "probability": Array(strip.probability.astype(np.float64), ("position",)),
        "seen": Array(strip.seen.astype(np.int64), ("position",)),
        "seen_share": Array(strip.seen_share.astype(np.float64), ("position",)),
        "maps": Array(np.stack([each.values for each in strip.maps]).astype(np.float32), ("map", "y", "x")),
        "limit": Array(np.full(len(strip.maps), strip.limit), ("map",)),
    }
    params = {
        "figure": strip.figure,
        "kind": KIND,
        "label": strip.label,
        "whole": strip.whole,
        "quantity": strip.quantity,
        "maps": [{"name": each.name, "heading": each.heading, "detail": each.detail} for each in strip.maps],
    }
    names = [each.name for each in strip.maps]
    write_hdf5(path, arrays, schema=SCHEMA, params=params, provenance=provenance, scales={"map": names})


def strip_of(product: Product) -> OcclusionStrip:
    """The contents of a figure data file of this kind."""
    arrays = {name: array.values for name, array in product.arrays.items()}
    params = product.params
    place = {str(name): index for index, name in enumerate(product.scales["map"])}
    return OcclusionStrip(
        figure=params["figure"],
        picture=arrays["picture"],
        covered=arrays["covered"],
        label=params["label"],
        whole=params["whole"],
        probability=arrays["probability"],
        seen=arrays["seen"],
        seen_share=arrays["seen_share"],
        maps=tuple(OcclusionMap(**words, values=arrays["maps"][place[words["name"]]]) for words in params["maps"]),
        limit=float(arrays["limit"][0]),
        quantity=params["quantity"],
        provenance=product.provenance,
    )
