"""What figures of maps share: rows of maps, their words, and what belongs together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nn_interpretability.data.view import View, view_of
from nn_interpretability.errors import ConfigError
from nn_interpretability.plotting import scale
from nn_interpretability.plotting.data import PREDICTED, Block, MapRow
from nn_interpretability.storage.hdf5 import Product
from nn_interpretability.study.describe import Description, describe, in_powers

CORRECTED = "Corrected settings"
PUBLISHED = "Settings as published"


def blocks_of(definition: Mapping[str, Any], block: Callable[[str, Sequence[str]], Block]) -> tuple[Block, ...]:
    """The panels of a figure as a block and, where it has them, those with published settings as another."""
    published = definition.get("published", [])
    first = block(CORRECTED if published else "", definition["panels"])
    return (first, block(PUBLISHED, published)) if published else (first,)


def pictures_of(product: Product) -> npt.NDArray[np.float32]:
    """The explained pictures as people see them, [sample, channel, y, x]."""
    return view_of(product.params).shown(product.arrays["images"].values)


def class_heads(product: Product) -> tuple[str, ...]:
    """Words for the class of each picture; where nobody has said it, for the predicted one."""
    view, label = view_of(product.params), product.arrays["label"].values
    if (label >= 0).all():
        return view.names(label)
    predicted = predicted_classes(product)
    pairs = zip(label, predicted, strict=True)
    return tuple(view.name(known) if known >= 0 else f"{view.name(seen)} ({PREDICTED})" for known, seen in pairs)


def short_names(product: Product, classes: npt.NDArray[np.integer[Any]]) -> tuple[str, ...]:
    """Names of classes where they have any, else numbers."""
    view = view_of(product.params)
    return view.names(classes) if view.classes else tuple(map(str, classes))


def predicted_classes(product: Product) -> npt.NDArray[np.integer[Any]]:
    """The class of the largest score of each picture, without dropout and noise."""
    scores = product.arrays["logits" if "undisturbed" not in product.arrays else "undisturbed"].values
    return np.asarray(scores.argmax(axis=1))


def sum_of_channels(product: Product) -> npt.NDArray[np.float64]:
    """Maps [sample, y, x]: an attribution's values summed over the channels."""
    values: npt.NDArray[np.float64] = product.arrays["values"].values.astype(np.float64)
    return np.asarray(values.sum(axis=1))


def description_of(product: Product) -> Description:
    """How an attribution file is worded."""
    params = product.params
    view = view_of(params)
    words = describe(
        params["method"],
        _in_brightness(params["parameters"], view),
        title=params.get("title", ""),
        layers=[str(layer) for layer in product.scales.get("layer", ())],
    )
    # a slope is one of what the model sees
    return (
        replace(words, quantity=words.quantity.replace("brightness", "normalised brightness")) if view.mean else words
    )


def _in_brightness(parameters: Mapping[str, Any], view: View) -> dict[str, Any]:
    """Hyper-parameters in which black is 0 and white is 1, whatever the normalisation makes of them."""
    black, white = view.bounds() or (None, None)
    shades = {"input_bounds": ([black, white], [0, 1]), "reference": (black, 0), "fill": (black, "black")}
    said = dict(parameters)
    for key, (value, word) in shades.items():
        if black is not None and said.get(key) == value:
            said[key] = word
    return said | ({"fill": "white"} if white is not None and said.get("fill") == white else {})


def row_of(
    name: str, product: Product, description: Description, maps: npt.NDArray[np.float64], limit: float
) -> MapRow:
    """The maps of one attribution as a row; without one explained class, it is told by the predicted one."""
    target = product.arrays["target" if "target" in product.arrays else "predicted"].values
    samples = np.arange(len(target))
    # methods with a reference explain a difference; what stands above the maps is the logit itself
    scores = product.arrays["logits"].values[samples, target] if "logits" in product.arrays else None
    return MapRow(
        name=name,
        heading=description.heading,
        detail=description.settings,
        values=maps,
        score=product.arrays["output"].values if scores is None else scores.astype(np.float64),
        target=target,
        probability=product.arrays["probabilities"].values[samples, target],
        limit=limit,
        beyond=scale.share_beyond(maps, limit),
    )


def one_quantity(figure: str, products: Mapping[str, Product]) -> str:
    """What all maps of a figure measure.

    Raises
    ------
    ConfigError
        If they measure different quantities, which one colour scale cannot show.
    """
    quantities = {description_of(product).quantity for product in products.values()}
    if len(quantities) > 1:
        raise ConfigError(
            f"{figure} would put {' and '.join(sorted(quantities))} on one colour scale; "
            "show methods that measure the same quantity."
        )
    return quantities.pop()


def same_pictures(figure: str, products: Mapping[str, Product]) -> Product:
    """The first product, if all explain the same pictures."""
    first_name, first = next(iter(products.items()))
    for name, product in products.items():
        _require_same_pictures(figure, first_name, first, name, product)
    return first


def _require_same_pictures(figure: str, first_name: str, first: Product, name: str, product: Product) -> None:
    for array in ("images", "label"):
        if not np.array_equal(first.arrays[array].values, product.arrays[array].values):
            raise ConfigError(
                f"{figure} shows {first_name} and {name} side by side, but they explain different pictures "
                f"(probes {first.params.get('probe')!r} and {product.params.get('probe')!r})."
            )


def relative(maps: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], float]:
    """Maps in units of their own limit, and that limit."""
    size = scale.symmetric_limit([maps])
    return maps / size, size


def sized(row: MapRow, size: float) -> MapRow:
    """The row, with the end of its scale among its settings."""
    return replace(
        row, detail=", ".join(filter(None, [row.detail, f"scale ends at {in_powers(float(f'{size:.2g}'))}"]))
    )


def on_a_scale_of_its_own(row: MapRow, limit: float) -> MapRow:
    """The row with values as they are, its scale's end, and that among its settings."""
    return sized(replace(row, limit=limit, beyond=scale.share_beyond(row.values, limit)), limit)
