"""Measurements of models and attributions, as rows of one long table.

Every measurement is a row ``method, model, image, class, seed, metric, value``; a job writes its own part, and the
table is their concatenation. Cells that do not apply are empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nn_interpretability.data.view import view_of
from nn_interpretability.storage.hdf5 import Product, read_hdf5
from nn_interpretability.storage.product import read_csv, read_json, write_csv

COLUMNS = ("method", "model", "image", "class", "seed", "metric", "value")
_TYPES = {"method": "string", "model": "string", "image": "Int64", "class": "Int64", "seed": "Int64"}
_TRACE_PARTS = ("received", "sent", "bias", "stabilizer", "blocked")


def measure_attributions(
    attributions: Mapping[str, Path | str],
    output_csv: Path | str,
    *,
    models: Mapping[str, str],
    seeds: Mapping[str, int],
) -> None:
    r"""Measure each map of attribution files.

    Metrics: ``score`` (what is explained, in logits), ``sum`` of the map, ``completeness_error``
    :math:`|\sum R - f|/|f|` for methods that sum to the score, ``negative_share`` of :math:`|R|`, ``gini`` of
    :math:`|R|` (0: spread evenly, 1: all on one pixel), ``ink_share`` of :math:`|R|` on pixels of digits that are
    not black, and for LRP ``trace.<layer>.<part>``, in units of the score.

    Parameters
    ----------
    attributions, output_csv
        The file of each attribution, by its name, and the part of the table.
    models, seeds
        The model that each attribution explains, by its name, and the seed of each model that was trained here.
    """
    frames = [
        frame
        for name, path in attributions.items()
        for frame in _measure_attribution(path, name=name, model=models[name], seed=seeds.get(models[name]))
    ]
    _write(output_csv, frames)


def _measure_attribution(attribution_h5: Path | str, *, name: str, model: str, seed: int | None) -> list[pd.DataFrame]:
    product = read_hdf5(attribution_h5, schema="attribution/1")
    if of_filters(product):
        return []
    if product.arrays["output"].values.ndim > 1:
        metrics = _measure_all_targets(product)
        classes = np.tile(np.arange(product.arrays["output"].values.shape[1]), len(product.arrays["output"].values))
        images = np.repeat(np.arange(len(product.arrays["output"].values)), len(product.scales["target"]))
    else:
        metrics = _measure(product, product.arrays["values"].values, product.arrays["output"].values)
        metrics |= _trace(product)
        images = np.arange(len(product.arrays["output"].values))
        # a score that is not that of one class has none
        classes = product.arrays["target"].values if "target" in product.arrays else np.full(len(images), None)
    identity = {"method": name, "model": model, "image": images, "class": classes, "seed": seed}
    return [pd.DataFrame({**identity, "metric": metric, "value": v}) for metric, v in metrics.items()]


def measure_models(cards: Mapping[str, Path | str], output_csv: Path | str) -> None:
    """The quality of models on test and validation data, from their cards: ``test.accuracy``, ``test.nll``, ...

    For evidential networks also ``test.abstentions`` (a count), ``test.mean_uncertainty`` and what else there is.

    Parameters
    ----------
    cards, output_csv
        The card of each model, by its name, and the part of the table.
    """
    read = {name: read_json(path) for name, path in cards.items()}
    rows = [
        {"model": name, "seed": card["seed"], "metric": f"{part}.{metric}", "value": card[part][metric]}
        for name, card in read.items()
        for part in ("test", "validation")
        for metric in ("accuracy", "nll", "ece")
        if card[part]
    ]
    rows += [
        {"model": name, "seed": card["seed"], "metric": f"{part}.{metric}", "value": value}
        for name, card in read.items()
        for part in ("test", "validation")
        for metric, value in card[part].get("evidential", {}).items()
        if value is not None
    ]
    _write(output_csv, [pd.DataFrame(rows)] if rows else [])


def write_measures(measures: Mapping[str, Mapping[str, float | None]], output_csv: Path | str) -> None:
    """Write measures that belong to a model as a whole; what could not be measured (None) has no row.

    Parameters
    ----------
    measures
        Value by metric, by model.
    output_csv
        The part of the table.
    """
    rows = [
        {"model": model, "metric": metric, "value": value}
        for model, metrics in measures.items()
        for metric, value in metrics.items()
        if value is not None
    ]
    _write(output_csv, [pd.DataFrame(rows)] if rows else [])


def collect(parts: Sequence[Path | str], output_csv: Path | str) -> None:
    """All parts as one table, in the order given."""
    _write(output_csv, [read_csv(part) for part in parts])


def of_filters(product: Product) -> bool:
    """Whether the maps belong to filters of a layer, not to classes; then nothing of them is measured."""
    return product.params["method"] == "deconvolution" and product.arrays["output"].values.ndim > 1


def _write(output_csv: Path | str, frames: Sequence[pd.DataFrame]) -> None:
    """One table with all columns; cells that do not apply are missing text or missing integers, never NaN."""
    frames = frames or [pd.DataFrame(columns=list(COLUMNS))]
    table = pd.concat([frame.reindex(columns=list(COLUMNS)).astype(_TYPES) for frame in frames], ignore_index=True)
    write_csv(output_csv, table)


def _measure(product: Product, values: npt.NDArray[Any], score: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    maps = values.reshape(len(values), -1).astype(np.float64)
    images = product.arrays["images"].values.reshape(len(product.arrays["images"].values), -1)
    images = np.repeat(images, len(maps) // len(images), axis=0)
    size = np.abs(maps)
    total = np.maximum(size.sum(axis=1), np.finfo(np.float64).tiny)
    metrics = {
        "score": score.astype(np.float64),
        "sum": maps.sum(axis=1),
        "negative_share": np.where(maps < 0, size, 0).sum(axis=1) / total,
        "gini": gini(size),
    }
    if not view_of(product.params).own:  # only digits are ink on black
        metrics["ink_share"] = np.where(images > 0, size, 0).sum(axis=1) / total
    if "completeness_error" in product.arrays:
        metrics["completeness_error"] = product.arrays["completeness_error"].values.reshape(-1)
    return metrics


def _measure_all_targets(product: Product) -> dict[str, npt.NDArray[Any]]:
    values = product.arrays["values"].values
    flat = values.reshape(-1, *values.shape[2:])
    return _measure(product, flat, product.arrays["output"].values.reshape(-1))


def _trace(product: Product) -> Mapping[str, npt.NDArray[Any]]:
    if "trace_received" not in product.arrays:
        return {}
    return {
        f"trace.{layer}.{part}": product.arrays[f"trace_{part}"].values[row]
        for row, layer in enumerate(product.scales["layer"])
        for part in _TRACE_PARTS
    }


def gini(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    r"""Gini index of each row of values that are not negative.

    .. math:: G = \frac{\sum_i (2 i - n - 1)\, v_{(i)}}{n \sum_i v_i}, \qquad v_{(1)} \le \dots \le v_{(n)}

    0 where all values are equal (or zero), (n - 1) / n where one value has everything (Hurley and Rickard 2009).
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=1)
    count = ordered.shape[1]
    weights = 2 * np.arange(1, count + 1) - count - 1
    total = np.maximum(ordered.sum(axis=1), np.finfo(np.float64).tiny)
    return np.asarray((ordered * weights).sum(axis=1) / (count * total), dtype=np.float64)
