"""Figures of two implementations of one method: their maps, and what lies between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nn_interpretability.plotting.data import DIFFERENCE, Block, MapRow, PanelGroup
from nn_interpretability.storage.hdf5 import Product
from nn_interpretability.study.maps import panel_group
from nn_interpretability.study.rows import sized


def difference_group(figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]) -> PanelGroup:
    """As :func:`~nn_interpretability.study.maps.panel_group`; below the first two rows, the second less the first.

    Differences are drawn on a scale of their own, which ends at the largest of them.
    """
    group = panel_group(figure, products, definition)
    first = group.blocks[0]
    rows = (*first.rows[:2], _difference(*first.rows[:2]), *first.rows[2:])
    return replace(group, blocks=(Block(first.heading, rows, first.pictures), *group.blocks[1:]))


def _difference(one: MapRow, other: MapRow) -> MapRow:
    # what is stored are single-precision maps: their difference is that of the files
    found = other.values.astype(np.float64) - one.values.astype(np.float64)
    size = float(np.abs(found).max())
    row = replace(
        other,
        name=DIFFERENCE,
        heading="Difference",
        detail="of the two rows above",
        values=found / size * one.limit if size else found,
        beyond=0.0,
    )
    return sized(row, size)
