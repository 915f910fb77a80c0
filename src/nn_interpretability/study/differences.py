"""Figures of two implementations of one method: their maps, and what lies between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nn_interpretability.plotting import scale
from nn_interpretability.plotting.data import DIFFERENCE, PUBLISHED, Block, MapRow, PanelGroup
from nn_interpretability.storage.hdf5 import Product
from nn_interpretability.study.maps import panel_group
from nn_interpretability.study.rows import on_a_scale_of_its_own


def difference_group(figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]) -> PanelGroup:
    """As :func:`~nn_interpretability.study.maps.panel_group`; below the first two rows, the second less the first.

    Differences are drawn on a scale of their own, which ends at the largest of them. The two rows and what was
    published of them share one; further panels, and what was published of those, have one each.
    """
    further = definition["panels"][2:]
    group = panel_group(figure, products, definition)
    limit = scale.symmetric_limit([row.values for row in group.blocks[0].rows[:2]])
    apart = {*further, *(name + PUBLISHED for name in further)}

    def scaled(row: MapRow) -> MapRow:
        if row.name in apart:
            return on_a_scale_of_its_own(row, scale.symmetric_limit([row.values]))
        return replace(row, limit=limit, beyond=scale.share_beyond(row.values, limit))

    blocks = [replace(block, rows=tuple(map(scaled, block.rows))) for block in group.blocks]
    one, other, *more = blocks[0].rows
    blocks[0] = Block(blocks[0].heading, (one, other, _difference(one, other), *more), blocks[0].pictures)
    return replace(group, blocks=tuple(blocks))


def _difference(one: MapRow, other: MapRow) -> MapRow:
    found = other.values - one.values
    row = replace(other, name=DIFFERENCE, heading="Difference", detail="of the two rows above", values=found)
    return on_a_scale_of_its_own(row, float(np.abs(found).max()) or 1.0)
