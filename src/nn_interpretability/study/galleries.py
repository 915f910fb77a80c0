"""Figures of photographs, dreams, activation maps and filters: which pictures stand where, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nn_interpretability.plotting.gallery_data import Gallery, GalleryRow
from nn_interpretability.storage.hdf5 import Product

CROPS = 3
"""So many crops are shown with each technique left out; the numbers are from all."""

VARIANTS: Mapping[str, str] = {
    "all": "all five",
    "penalty": "no penalty",
    "scales": "one scale",
    "roll": "no roll",
    "tiles": "no tiles",
    "noise": "no noise",
}
TWO_ALONE = "first_two"
"""The variant of the weekly report's first picture: techniques 1 and 2 and no other; it is shown enlarged only."""

Products = Mapping[str, Product]


def dreams_of_layers(figure: str, products: Products, definition: Mapping[str, Any]) -> Gallery:
    """The photograph, and the dreams of whole layers."""
    return _dreams(figure, products[definition["panels"][0]], channels=False)


def dreams_of_channels(figure: str, products: Products, definition: Mapping[str, Any]) -> Gallery:
    """The photograph, and the dreams of single channels."""
    return _dreams(figure, products[definition["panels"][0]], channels=True)


def _dreams(figure: str, product: Product, *, channels: bool) -> Gallery:
    panels = product.params["panels"]
    chosen = [number for number, panel in enumerate(panels) if (panel["channel"] is not None) == channels]
    notes = ["the photograph", *(_name(panels[number]) for number in chosen)]
    pictures = [product.arrays["photograph"].values, *product.arrays["dream"].values[chosen]]
    activation = product.arrays["activation"].values
    facts = _facts(product)
    height, width = product.arrays["photograph"].values.shape[1:]
    facts |= {
        "width": {"value": width},
        "height": {"value": height},
        "full_width": {"value": product.params["original"][1]},
        "full_height": {"value": product.params["original"][0]},
        "octaves": {"value": len(product.params["sizes"])},
        "steps": {"value": product.params["settings"]["steps"]},
        "tile": {"value": str(product.params["settings"]["tile"] or "none")},
    }
    for place, number in zip(("left", "right"), chosen, strict=False):
        facts |= {
            f"{place}.name": {"value": _name(panels[number])},
            f"{place}.begin": {"value": float(activation[number, 0, 0]), "digits": 3},
            f"{place}.end": {"value": float(activation[number, -1, -1]), "digits": 3},
        }
    return Gallery(figure, (GalleryRow("dreams", "", "", np.stack(pictures), tuple(notes)),), facts)


def dreams_without(figure: str, products: Products, definition: Mapping[str, Any]) -> Gallery:
    """Crops of the photograph, their dreams with all techniques and with each left out; some of the last one larger."""
    product = products[definition["panels"][0]]
    photograph, dream = product.arrays["photograph"].values, product.arrays["dream"].values
    variants = [str(name) for name in product.scales["variant"]]
    left_out = [index for index, name in enumerate(variants) if name in VARIANTS]
    words = tuple(VARIANTS[variants[index]] for index in left_out)
    shown = np.unique(np.linspace(0, len(photograph) - 1, CROPS).round().astype(int))
    rows = [
        GalleryRow(
            f"crop_{crop}",
            "",
            "",
            np.stack([photograph[crop], *dream[left_out, crop]]),
            ("the photograph", *words) if crop == shown[0] else (),
        )
        for crop in shown
    ]
    place = {name: index for index, name in enumerate(variants)}
    pair = np.stack([dream[place[name], shown[-1]] for name in ("all", "scales", "roll", TWO_ALONE)])
    rows.append(GalleryRow("enlarged", "", "", pair, ("all five", "one scale", "no roll", "penalty and scales alone")))
    facts = _facts(product) | {
        "layer": {"value": product.params["layer"]},
        "crops": {"value": len(photograph)},
        "crop": {"value": int(photograph.shape[-1])},
        "tile": {"value": product.params["settings"]["tile"]},
        "steps": {"value": product.params["settings"]["steps"]},
        "octaves": {"value": len(product.params["octaves"])},
        "penalty": {"value": float(product.params["settings"]["penalty"]), "digits": 2},
        "noise": {"value": 100 * float(product.params["settings"]["noise"]), "digits": 2, "unit": "%"},
        "photograph.brightness": _mean(product.arrays["photograph_brightness"].values, 100, "%"),
    }
    for name, index in place.items():
        facts |= {
            f"{name}.high_frequency": _mean(product.arrays["high_frequency"].values[index], 100, "%"),
            f"{name}.seams": _mean(product.arrays["seams"].values[index]),
            f"{name}.brightness": _mean(product.arrays["brightness"].values[index], 100, "%"),
            f"{name}.activation": _mean(product.arrays["activation"].values[index]),
        }
    return Gallery(figure, tuple(rows), facts)


def activation_views(figure: str, products: Products, definition: Mapping[str, Any]) -> Gallery:
    """The filters of the first layer, and the strongest maps of each, each from its smallest to its largest value."""
    product = products[definition["panels"][0]]
    filters = product.arrays["filters"].values
    layers = product.params["layers"]
    rows = [
        GalleryRow(
            "filters",
            f"Filters of {layers[0]}",
            "red positive, blue negative, one scale",
            filters.mean(axis=1, keepdims=True),
            tuple(f"{unit}" for unit in product.scales["unit_0"]),
            float(np.abs(filters).max()),
        )
    ]
    for number, layer in enumerate(layers):
        maps = product.arrays[f"maps_{number}"].values
        low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
        spread = np.where(high > low, high - low, 1)
        rows.append(
            GalleryRow(
                f"maps_{number}",
                f"Maps of {layer}",
                f"the strongest {len(maps)} of {product.params['units'][number]}, mean activation in brackets; "
                "each from black, its smallest value, to white",
                ((maps - low) / spread)[:, None],
                tuple(
                    f"{unit} ({strength:.2g})".replace("-", "−")
                    for unit, strength in zip(
                        product.scales[f"unit_{number}"], product.arrays[f"strength_{number}"].values, strict=True
                    )
                ),
            )
        )
    facts = {"label": {"value": product.params["label"]}, "shown": {"value": len(filters)}}
    return Gallery(figure, tuple(rows), facts)


def _name(panel: Mapping[str, Any]) -> str:
    channel = panel["channel"]
    return f"{panel['layer']}, all channels" if channel is None else f"{panel['layer']}, channel {channel}"


def _facts(product: Product) -> dict[str, Any]:
    photograph, network = product.params["photograph"], product.params["model"]
    stand_in = " (the stand-in for castle.jpg)" if photograph["source"] == "embedded" else ""
    return {
        "photograph": {"value": photograph["title"].partition(",")[0] + stand_in},
        "photograph.reason": {"value": photograph["reason"]},
        "network": {"value": network["title"]},
        "network.reason": {"value": network["reason"]},
    }


def _mean(values: np.ndarray[Any, Any], factor: float = 1, unit: str = "") -> dict[str, Any]:
    return {"value": float(factor * values.mean()), "digits": 3, "unit": unit}
