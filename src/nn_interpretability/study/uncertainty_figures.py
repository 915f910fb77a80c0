"""Figures 20, 21 and 24, and reliability diagrams, from the products that they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nn_interpretability.plotting import scale
from nn_interpretability.plotting.data import Block, MapRow, PanelGroup
from nn_interpretability.plotting.uncertainty_data import EvidenceCurve, ReliabilityDiagrams
from nn_interpretability.storage.hdf5 import Product
from nn_interpretability.study.rows import (
    blocks_of,
    description_of,
    one_quantity,
    relative,
    row_of,
    same_pictures,
    sized,
    sum_of_channels,
)

SCALINGS = {
    "none": "uncalibrated",
    "temperature": "temperature",
    "vector": "vector scaling",
    "isotonic": "isotonic regression",
}


def evidence_curve(figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]) -> EvidenceCurve:
    """The first evidential network and the first ordinary one, on the digit that turns."""
    product = products[definition["panels"][0]]
    names = [str(name) for name in product.scales["model"]]
    evidential = set(product.params["evidential"])
    ordinary = [name for name in names if name not in evidential]
    shown = [name for group in (names_in(names, evidential), ordinary) for name in group[:1]]
    rows = [names.index(name) for name in shown]
    arrays = product.arrays
    return EvidenceCurve(
        figure=figure,
        pictures=arrays["images"].values.clip(0, 1),
        angle=arrays["angle"].values,
        label=int(arrays["label"].values[0]),
        headings=tuple(
            "Evidential network: mean probability and u" if name in evidential else "Ordinary network: softmax"
            for name in shown
        ),
        evidential=tuple(name in evidential for name in shown),
        probability=arrays["probability"].values[rows],
        uncertainty=arrays["uncertainty"].values[rows],
    )


def turned_maps(figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]) -> PanelGroup:
    """Maps of several models for one picture at several angles, each row on a scale of its own.

    Above each map stand the class that the model sees, and u for a model of which evidence is explained in some row,
    the logit for others.
    """
    first = same_pictures(figure, products)
    evidential = {p.params["model"] for p in products.values() if p.params["target"] == "evidence"}

    def row(name: str) -> MapRow:
        product = products[name]
        maps, size = relative(sum_of_channels(product))
        made = sized(row_of(name, product, description_of(product), maps, 1.0), size)
        logits = product.arrays["logits"].values.astype(np.float64)
        seen = logits.argmax(axis=1)
        if product.params["model"] in evidential:
            uncertainty = logits.shape[1] / (logits.clip(min=0) + 1).sum(axis=1)
            notes = [f"{k}, u {100 * u:.0f} %" for k, u in zip(seen, uncertainty, strict=True)]
        else:
            notes = [f"{k}: {z:.1f}".replace("-", "−") for k, z in zip(seen, logits.max(axis=1), strict=True)]
        return replace(made, notes=tuple(notes))

    def block(heading: str, names: Sequence[str]) -> Block:
        return Block(heading, tuple(map(row, names)))

    return PanelGroup(
        figure=figure,
        pictures=first.arrays["images"].values.clip(0, 1),
        label=first.arrays["label"].values,
        blocks=blocks_of(definition, block),
        quantity=one_quantity(figure, products) + ", relative to the row's scale",
        quantile=scale.QUANTILE,
        scale_rule=scale.RULE_BY_ROW,
        heads=(" ",) * len(first.arrays["label"].values),
    )


def names_in(names: list[str], chosen: set[str]) -> list[str]:
    """Those of the names that are in a set, in their order."""
    return [name for name in names if name in chosen]


def reliability_diagrams(
    figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]
) -> ReliabilityDiagrams:
    """All networks and calibrations of a product."""
    product = products[definition["panels"][0]]
    return ReliabilityDiagrams(
        figure=figure,
        networks=tuple(str(name) for name in product.scales["model"]),
        scalings=tuple(SCALINGS[str(name)] for name in product.scales["scaling"]),
        count=product.arrays["count"].values,
        confidence=product.arrays["confidence"].values,
        accuracy=product.arrays["accuracy"].values,
    )


def before_and_after(figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]) -> PanelGroup:
    """Maps before and after a temperature, the digits and (where there are some) photographs, each on their own scale.

    Both rows of a block have the scale of its first row.
    """
    product = products[definition["panels"][0]]
    arrays = {name: array.values for name, array in product.arrays.items()}
    temperatures = {"": float(arrays["temperature"][0])}
    headings = {"": f"{product.params['network']}, temperature"}
    if product.params["photographs"]:
        temperatures["photograph_"] = float(arrays["photograph_temperature"][0])
        headings["photograph_"] = f"{product.params['photographs']}, temperature"
    columns = min(len(arrays[f"{prefix}class"]) for prefix in temperatures)
    blocks = tuple(
        _block(f"{headings[prefix]} {temperature:.3f}", prefix, arrays, columns)
        for prefix, temperature in temperatures.items()
    )
    return PanelGroup(
        figure=figure,
        pictures=arrays["images"][:columns],
        label=arrays["label"][:columns],
        blocks=blocks,
        quantity="contribution, relative to the block's scale",
        quantile=scale.QUANTILE,
        scale_rule="The maps of a block are divided by the 99.5 % quantile of the absolute values of its first row.",
        heads=tuple(f"class {each}" for each in arrays["class"][:columns])
        if len(temperatures) == 1
        else (" ",) * columns,
    )


def _block(heading: str, prefix: str, arrays: Mapping[str, Any], columns: int) -> Block:
    maps = arrays[f"{prefix}maps"][:, :columns].astype(np.float64)
    limit = scale.symmetric_limit([maps[0]])
    classes = arrays[f"{prefix}class"][:columns]
    rows = []
    for when, (name, words) in enumerate([("before", "Before"), ("after", "After: all logits divided by it")]):
        probability = arrays[f"{prefix}probability"][when, :columns]
        rows.append(
            MapRow(
                name=f"{prefix}{name}",
                heading=words,
                detail=f"DeepLIFT, RevealCancel, from black; scale ends at {limit:.2g} logits",
                values=maps[when] / limit,
                score=arrays[f"{prefix}score"][when, :columns],
                target=classes,
                probability=probability,
                limit=1.0,
                beyond=scale.share_beyond(maps[when], limit),
                notes=tuple(f"{k}: {percent(p, brief=k > 9)}" for k, p in zip(classes, probability, strict=True)),
            )
        )
    return Block(heading, tuple(rows), arrays[f"{prefix}images"][:columns])


def percent(share: float, *, brief: bool = False) -> str:
    """A probability with a decimal, or without; one that is nearly 1 is not called so."""
    if brief:
        return f"{100 * share:.0f} %" if share < 0.995 else "> 99 %"
    return f"{100 * share:.1f} %" if share < 0.9995 else "> 99.9 %"
