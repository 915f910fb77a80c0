"""Figures of synthesised images: a row of ten digits for each search, with probability and steps above each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nn_interpretability.data.view import view_of
from nn_interpretability.plotting.gallery_data import Gallery, GalleryRow
from nn_interpretability.storage.hdf5 import Product

Facts = dict[str, dict[str, Any]]
Indices = npt.NDArray[np.int64]

STARTS = {
    "first": "From a picture",
    "mean": "From the class mean",
    "grand_mean": "From the mean of all classes",
    "noise": "From noise",
    "zeros": "From black",
}
CENTRES = {"zero": "black", "mean": "the class mean", "grand_mean": "the mean of all classes"}
GENERATORS = {"gan": "GAN", "dcgan": "DCGAN"}
FAILED = 0.5
"""An image has failed if the judge gives its class less."""


def synthesis_gallery(figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]) -> Gallery:
    """Rows in the order of the definition, published ones last; of several starts the first is shown."""
    rows: list[GalleryRow] = []
    facts: Facts = {}
    for name in [*definition["panels"], *definition.get("published", [])]:
        product = products[name]
        shown = np.flatnonzero(product.arrays["start"].values == 0)
        rows.append(_row(name, product, shown))
        facts |= {f"{name}.{key}": fact for key, fact in _facts(product, shown).items()}
    return Gallery(figure, tuple(rows), facts)


def _row(name: str, product: Product, shown: Indices) -> GalleryRow:
    columns = {key: product.arrays[key].values[shown] for key in ("target", "probability", "steps")}
    name_of = view_of(product.params).name if view_of(product.params).classes else str
    notes = tuple(
        f"{name_of(target)}: {100 * probability:.2f} %\n{steps} step{'' if steps == 1 else 's'}"
        for target, probability, steps in zip(*columns.values(), strict=True)
    )
    details = ", ".join(_settings(product.params["entry"]))
    return GalleryRow(name, _heading(product.params["entry"]), details, product.arrays["images"].values[shown], notes)


def _heading(entry: Mapping[str, Any]) -> str:
    if entry["generator"]:
        words = f"Codes of the {GENERATORS[entry['generator']]}"
    elif entry["expert"]:
        words = f"{STARTS[entry['start']]}, with the density"
    elif entry["start"] == entry["centre"]:
        words = f"Around {CENTRES[entry['centre']]}"
    else:
        words = f"{STARTS[entry['start']]} towards {CENTRES[entry['centre']]}"
    return f"{words}, as published" if entry["published"] else words


def _settings(entry: Mapping[str, Any]) -> list[str]:
    weights = ("distance", "squared_distance", "code_weight", "total_variation")
    words = [f"λ = {entry[key]:g}" for key in weights if entry[key]]
    if entry["generator"]:
        words.append(f"learning rate {entry['learning_rate']:g}")
    until = "to the maximum" if entry["threshold"] is None else f"until p ≥ {entry['threshold']:g}"
    score = ["score"] if entry["objective"] == "score" else []
    return [*score, *words, f"{until}, at most {entry['steps']} steps" if entry["threshold"] else until]


def _facts(product: Product, shown: Indices) -> Facts:
    """Of the images shown: probabilities and steps; of all starts: how many fail, and how many do not reach p."""
    arrays = {name: array.values for name, array in product.arrays.items()}
    entry = product.params["entry"]
    steps, probability = arrays["steps"][shown], arrays["probability"][shown]
    per_cent = {"unit": "%", "decimals": 2}
    facts: Facts = {
        "classes": {"value": len(shown)},
        "starts": {"value": int(arrays["start"].max()) + 1},
        "images": {"value": len(arrays["target"])},
        "limit": {"value": entry["steps"]},
        "steps.median": {"value": float(np.median(steps)), "decimals": 1},
        "steps.most": {"value": int(steps.max())},
        "within_five": {"value": int((steps <= 5).sum())},
        "p.least": {"value": 100 * float(probability.min()), **per_cent},
    }
    if "judge_probability" in arrays:
        failed = arrays["judge_probability"] < FAILED
        facts["judged.least"] = {"value": 100 * float(arrays["judge_probability"][shown].min()), **per_cent}
        facts["shown_failed"] = {"value": int(failed[shown].sum())}
        facts["failed"] = {"value": 100 * float(failed.mean()), "unit": "%", "decimals": 0}
    if entry["threshold"] is not None:
        reached = arrays["reason"] == product.params["reasons"].index("threshold")
        facts["reached"] = {"value": int(reached[shown].sum())}
        facts["above"] = {"value": int((probability >= entry["threshold"]).sum())}
        by_class = reached.reshape(len(shown), -1)
        facts["reached_from_any"] = {"value": int(by_class.any(axis=1).sum())}
        facts["stuck"] = {"value": 100 * float((~reached).mean()), "unit": "%", "decimals": 0}
    values = zip(arrays["target"][shown], probability, strict=True)
    return facts | {
        f"p.{target}": {"value": 100 * float(each), "decimals": 2} for target, each in values
    }  # in per cent
