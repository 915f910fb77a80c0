"""Figures of maps of the same pictures, on one colour scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nn_interpretability.data.view import view_of
from nn_interpretability.plotting import scale
from nn_interpretability.plotting.data import Block, MapRow, PanelGroup
from nn_interpretability.storage.hdf5 import Product
from nn_interpretability.study.rows import (
    blocks_of,
    class_heads,
    description_of,
    on_a_scale_of_its_own,
    one_quantity,
    pictures_of,
    row_of,
    same_pictures,
    short_names,
    sized,
    sum_of_channels,
)


def panel_group(figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]) -> PanelGroup:
    """Pictures, maps on one colour scale, and headings; see :func:`assemble`.

    A published row that shows another quantity than the panels has a scale of its own, stated with it.
    """
    first = same_pictures(figure, products)
    described = {name: description_of(product) for name, product in products.items()}
    maps = {name: sum_of_channels(product) for name, product in products.items()}
    limit = scale.symmetric_limit([maps[name] for name in definition["panels"]])
    quantity = one_quantity(figure, {name: products[name] for name in definition["panels"]})

    def row(name: str) -> MapRow:
        found = row_of(name, products[name], described[name], maps[name], limit)
        if described[name].quantity == quantity:
            return found
        # the study may have shown something else: then its rows have scales of their own, and say so
        return on_a_scale_of_its_own(found, scale.symmetric_limit([maps[name]]))

    def block(heading: str, names: Sequence[str]) -> Block:
        return Block(heading, tuple(map(row, names)))

    return PanelGroup(
        figure=figure,
        pictures=pictures_of(first),
        label=first.arrays["label"].values,
        blocks=blocks_of(definition, block),
        quantity=quantity,
        quantile=scale.QUANTILE,
        scale_rule=scale.RULE,
        classes=view_of(first.params).classes,
    )


def overlay_group(figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]) -> PanelGroup:
    """Positive maps over the pictures, on one scale or a scale per row; scores above each map where they differ."""
    first = same_pictures(figure, products)
    maps = {name: sum_of_channels(product) for name, product in products.items()}
    by_row = definition["kind"] == "overlay_by_row"
    sizes = {name: scale.symmetric_limit([values.clip(min=0)]) for name, values in maps.items()}
    limit = 1.0 if by_row else scale.symmetric_limit([maps[name].clip(min=0) for name in definition["panels"]])
    if by_row:
        maps = {name: values / sizes[name] for name, values in maps.items()}

    def block(heading: str, names: Sequence[str]) -> Block:
        rows = [row_of(name, products[name], description_of(products[name]), maps[name], limit) for name in names]
        rows = [replace(row, beyond=float(np.mean(row.values > limit))) for row in rows]
        return Block(heading, tuple(sized(row, sizes[row.name]) if by_row else row for row in rows))

    blocks = blocks_of(definition, block)
    rows = [row for each in blocks for row in each.rows]
    alike = all(np.array_equal(row.target, rows[0].target) and np.allclose(row.score, rows[0].score) for row in rows)
    label = first.arrays["label"].values
    heads: tuple[str, ...] = ()
    if not alike:
        heads = class_heads(first)
        blocks = tuple(
            replace(each, rows=tuple(_with_scores(row, products[row.name]) for row in each.rows)) for each in blocks
        )
    return PanelGroup(
        figure=figure,
        pictures=pictures_of(first),
        label=label,
        blocks=blocks,
        quantity=one_quantity(figure, products) + (", relative to the row's scale" if by_row else ""),
        quantile=scale.QUANTILE,
        scale_rule=scale.RULE_BY_ROW if by_row else scale.RULE,
        scale="overlay",
        heads=heads,
        classes=view_of(first.params).classes,
    )


def _with_scores(row: MapRow, product: Product) -> MapRow:
    named = short_names(product, row.target)
    words = (f"{name}: {score:.1f}" for name, score in zip(named, row.score, strict=True))
    return replace(row, notes=tuple(word.replace("-", "−") for word in words))
