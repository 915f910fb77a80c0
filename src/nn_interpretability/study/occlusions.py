"""Figures 9 and 10: a picture under each position of a window, and what the model makes of the worst of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nn_interpretability.errors import ConfigError
from nn_interpretability.plotting import scale
from nn_interpretability.plotting.data import Block, PanelGroup
from nn_interpretability.plotting.strip_data import OcclusionMap, OcclusionStrip
from nn_interpretability.storage.hdf5 import Product
from nn_interpretability.study.rows import (
    description_of,
    one_quantity,
    pictures_of,
    row_of,
    same_pictures,
    sum_of_channels,
)

_ORDER = ("Worst", "Second", "Third")


def occlusion_strip(figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]) -> OcclusionStrip:
    """The covered pictures of the first panel, whose first picture is whole, and maps of that picture.

    Raises
    ------
    ConfigError
        If a map does not explain the picture.
    """
    covered = products[definition["panels"][0]]
    pictures, label = pictures_of(covered), int(covered.arrays["label"].values[0])
    probabilities = covered.arrays["probabilities"].values.astype(np.float64)
    maps = {name: products[name] for name in definition["panels"][1:]}
    places = {name: _place(figure, name, product, pictures[0]) for name, product in maps.items()}
    values = {name: sum_of_channels(product)[places[name]] for name, product in maps.items()}
    seen = probabilities.argmax(axis=1)
    return OcclusionStrip(
        figure=figure,
        picture=pictures[0],
        covered=pictures[1:],
        label=label,
        whole=float(probabilities[0, label]),
        probability=probabilities[1:, label],
        seen=seen[1:],
        seen_share=probabilities.max(axis=1)[1:],
        maps=tuple(_map(name, product, values[name]) for name, product in maps.items()),
        limit=scale.symmetric_limit(list(values.values())),
        quantity=one_quantity(figure, maps),
    )


def worst_occlusions(figure: str, products: Mapping[str, Product], _: Mapping[str, Any]) -> PanelGroup:
    """The whole picture and the three covered ones with the lowest probability of the true class, with their maps."""
    first = same_pictures(figure, products)
    label = first.arrays["label"].values
    probabilities = first.arrays["probabilities"].values.astype(np.float64)
    share = probabilities[:, label[0]]
    chosen = np.concatenate([[0], 1 + np.argsort(share[1:], kind="stable")[: len(_ORDER)]])
    side = int(np.sqrt(len(share) - 1))
    maps = {name: sum_of_channels(product)[chosen] for name, product in products.items()}
    limit = scale.symmetric_limit(list(maps.values()))
    rows = []
    for name, product in products.items():
        row = row_of(name, _part(product, chosen), description_of(product), maps[name], limit)
        notes = tuple(
            f"class {target}: {score:.1f}, {_percent(p)}".replace("-", "−")
            for target, score, p in zip(row.target, row.score, row.probability, strict=True)
        )
        rows.append(replace(row, notes=notes))
    heads = ["The picture\n "]
    for order, place in zip(_ORDER, chosen[1:] - 1, strict=True):
        heads.append(f"{order}\nrow {place // side + 1}, column {place % side + 1}")
    return PanelGroup(
        figure=figure,
        pictures=pictures_of(first)[chosen],
        label=label[chosen],
        blocks=(Block("", tuple(rows)),),
        quantity=one_quantity(figure, products),
        quantile=scale.QUANTILE,
        scale_rule=scale.RULE,
        heads=tuple(heads),
    )


def _percent(share: float) -> str:
    return "< 1 %" if share < 0.005 else "> 99 %" if share > 0.995 else f"{100 * share:.0f} %"


def _part(product: Product, chosen: npt.NDArray[np.integer[Any]]) -> Product:
    """An attribution file's arrays of some of the pictures."""
    arrays = {
        name: replace(array, values=array.values[chosen])
        for name, array in product.arrays.items()
        if array.dims[0] == "sample"
    }
    return replace(product, arrays=arrays)


def _place(figure: str, name: str, product: Product, picture: npt.NDArray[Any]) -> int:
    """Where the picture stands among those that a map file explains."""
    found = np.flatnonzero((pictures_of(product) == picture).all(axis=(1, 2, 3)))
    if len(found) == 0:
        raise ConfigError(f"{figure} shows {name} beside covered versions of a picture that {name} does not explain.")
    return int(found[0])


def _map(name: str, product: Product, values: npt.NDArray[np.float64]) -> OcclusionMap:
    words = description_of(product)
    return OcclusionMap(name, words.heading, words.settings, values)
