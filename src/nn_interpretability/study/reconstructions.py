"""Figures of reconstructions, whose size has no meaning: each row is drawn on a scale of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nn_interpretability.data.view import view_of
from nn_interpretability.errors import ConfigError
from nn_interpretability.plotting import scale
from nn_interpretability.plotting.data import Block, MapRow, PanelGroup
from nn_interpretability.storage.hdf5 import Product
from nn_interpretability.study.rows import (
    blocks_of,
    class_heads,
    description_of,
    pictures_of,
    relative,
    row_of,
    sized,
    sum_of_channels,
)

QUANTITY = "reconstruction, relative to the row's scale"
COLUMNS = 10
"""Filters in one row."""


def reconstruction_group(figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]) -> PanelGroup:
    """One row per attribution; each block stands below the pictures that it explains."""

    def block(heading: str, names: Sequence[str]) -> Block:
        rows = []
        for name in names:
            maps, size = relative(sum_of_channels(products[name]))
            row = row_of(name, products[name], description_of(products[name]), maps, 1.0)
            rows.append(sized(row, size))
        return Block(heading, tuple(rows), pictures_of(products[names[0]]))

    first = products[definition["panels"][0]]
    label = first.arrays["label"].values
    return PanelGroup(
        figure=figure,
        pictures=pictures_of(first),
        label=label,
        blocks=blocks_of(definition, block),
        quantity=QUANTITY,
        quantile=scale.QUANTILE,
        scale_rule=scale.RULE_BY_ROW,
        heads=class_heads(first),
        classes=view_of(first.params).classes,
    )


def filter_group(figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]) -> PanelGroup:
    """One map for each filter of a layer, for the first picture of the probe; ten filters in a row.

    Raises
    ------
    ConfigError
        If an attribution has no maps of filters, or another number of them than the first.
    """

    def block(heading: str, names: Sequence[str]) -> Block:
        rows = tuple(row for name in names for row in _rows_of_filters(figure, name, products[name]))
        return Block(heading, rows, pictures_of(products[names[0]])[:1])

    first = products[definition["panels"][0]]
    blocks = blocks_of(definition, block)
    columns = len(blocks[0].rows[0].target)
    if any(len(row.target) != columns for each in blocks for row in each.rows):
        raise ConfigError(f"{figure} shows layers with other numbers of filters side by side.")
    several = len(blocks[0].rows) > len(definition["panels"])
    return PanelGroup(
        figure=figure,
        pictures=pictures_of(first)[:1],
        label=np.full(columns, first.arrays["label"].values[0]),
        blocks=blocks,
        quantity=QUANTITY,
        quantile=scale.QUANTILE,
        scale_rule=scale.RULE_BY_ROW,
        heads=tuple(f"{k}, {k + COLUMNS}" if several else f"filter {k}" for k in range(columns)),
    )


def _rows_of_filters(figure: str, name: str, product: Product) -> list[MapRow]:
    values = product.arrays["values"].values
    if values.ndim != 5:
        raise ConfigError(f"{figure} shows filters, but {name} has no maps of filters: give it a layer and a mode.")
    maps, size = relative(values[0].astype(np.float64).sum(axis=1))
    score = product.arrays["output"].values[0]
    words = description_of(product)
    rows = []
    for begin in range(0, len(maps), COLUMNS):
        index = np.arange(begin, min(begin + COLUMNS, len(maps)))
        row = MapRow(
            name=name if begin == 0 else f"{name}_{begin}",
            heading=words.heading if begin == 0 else f"Filters {begin} to {index[-1]}",
            detail=words.settings if begin == 0 else "",
            values=maps[index],
            score=score[index],
            target=index,
            probability=np.zeros(len(index)),
            limit=1.0,
            beyond=scale.share_beyond(maps[index], 1.0),
        )
        rows.append(sized(row, size) if begin == 0 else row)
    return rows
