"""What the networks of this run give for the numbers of the study, read from what other jobs have measured.

Forms are those of :mod:`nn_interpretability.study.verdicts`.  Where a configuration lacks an entry, its numbers are
missing.  No verdict follows: other weights (and other pictures, without MNIST) give other numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.config.shown import names_to_show
from nn_interpretability.storage.hdf5 import Product, read_hdf5
from nn_interpretability.storage.product import read_json
from nn_interpretability.study.fluctuation import largest_entry
from nn_interpretability.study.published import Table

Measured = dict[str, dict[str, Any]]
Floats = NDArray[np.float64]

ENTRIES = {
    "fig01_left": "am_image_published",
    "fig01_right": "am_mean_published",
    "fig02_left": "am_noise_mean_published",
    "fig02_right": "am_noise_published",
    "fig03_left": "am_gan_published",
    "fig03_right": "am_dcgan_published",
    "fluctuation": "gradient_on_noise_path_published",
    "fig09": "occluded_label",
    "fig10": "occluded_label",
    "fig18_share": "turning_composite",
    "fig18_class": "turning_composite",
    "fig19_left": "turning_composite",
    "fig19_right": "turning_composite",
    "weekly_taylor": "turning_deep_taylor",
    "weekly_deeplift": "little_noise_deeplift",
    "fig23": "noise_deeplift",
    "fig20_share": "turning",
    "fig20_uncertainty": "turning",
    "fig20_class": "turning",
    "fig21_class": "turning",
}
"""The entry of the configuration that stands for a table of the study."""

NUMBERS = {
    "dropout_off_loss.loss": "model.dropout_cnn.test.nll",
    "dropout_off_accuracy.accuracy": "model.dropout_cnn.test.accuracy",
    "evidential_accuracy.accuracy": "model.evidential_cnn.test.accuracy_by_logits",
    "evidential_evidence.evidence": "model.evidential_cnn.test.mean_evidence",
    "evidential_uncertainty.uncertainty": "model.evidential_cnn.test.mean_uncertainty",
    "temperature.temperature": "calibration.calibration.cnn.temperature",
}
"""The number of the report, of test pictures, that stands for one of the study."""

ORDINARY = "cnn"
_ANGLES = {"fig19_left": -21, "fig19_right": -7, "weekly_taylor": -21}


def entries_of(config: Mapping[str, Any]) -> list[str]:
    """The entries of :data:`ENTRIES` that a configuration has, each once."""
    known = names_to_show(config)
    return [name for name in dict.fromkeys(ENTRIES.values()) if name in known]


def replicate(
    known: Mapping[str, Table], products: Mapping[str, Path | str], numbers: Mapping[str, Mapping[str, Any]]
) -> Measured:
    """Measurements by the name of the printed number.

    Parameters
    ----------
    known
        What was printed.
    products
        Files of entries of the configuration, by their names.
    numbers
        Numbers of the networks and of calibrations.
    """
    read = {name: read_hdf5(path) for name, path in products.items()}
    measured: Measured = {}
    for name, entry in ENTRIES.items():
        if entry in read:
            measured |= _READERS.get(name, _searched)(known[name], read[entry])
    for name, key in NUMBERS.items():
        stated = numbers.get(key, {}).get("value")
        if isinstance(stated, int | float):
            measured[name] = _stated(stated, key, numbers)
    return measured


def numbers_of(parts: list[Path | str]) -> dict[str, Any]:
    """Several files of numbers as one."""
    return {key: value for part in parts for key, value in read_json(part).items()}


def _stated(stated: float, key: str, numbers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A number as it is; an accuracy as so many right answers."""
    draws = numbers.get(f"{key.rpartition('.')[0]}.n", {}).get("value")
    if "accuracy" in key and isinstance(draws, int):
        return {"hits": round(stated / 100 * draws), "draws": draws}
    return {"value": stated}


def _searched(table: Table, product: Product) -> Measured:
    """Where the searches of each class ended, in per cent; one start is a number, several are samples."""
    target, share = product.arrays["target"].values, 100 * _floats(product, "probability")
    measured: Measured = {}
    for value in table.values():
        of_class = share[target == int(value.column)].tolist()
        if of_class:
            measured[value.name] = {"value": of_class[0]} if len(of_class) == 1 else {"samples": of_class}
    return measured


def _fluctuation(table: Table, product: Product) -> Measured:
    maps = _floats(product, "values")
    curve = largest_entry(maps.reshape(len(maps), -1))
    places = [round(float(column) * (len(curve) - 1)) for column in table.columns]
    return _in_order(table, curve[places])


def _occluded(table: Table, product: Product) -> Measured:
    label = product.arrays["label"].values
    share = 100 * _floats(product, "probabilities")[np.arange(len(label)), label]
    if table.name == "fig09":
        return _in_order(table, share[1:])
    return _in_order(table, np.concatenate([share[:1], np.sort(share[1:])[:2]]))


def _turned(table: Table, product: Product) -> Measured:
    logits = _floats(product, "undisturbed")
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    order = np.argsort(-share, axis=1, kind="stable")[:, :2]
    found = 100 * np.take_along_axis(share, order, axis=1) if table.name == "fig18_share" else order
    return _at_angles(table, product, found)


def _counted(table: Table, product: Product) -> Measured:
    if table.name in _ANGLES:
        (places,) = np.nonzero(_floats(product, "angle") == _ANGLES[table.name])
    else:
        places = np.zeros(1, np.int64)
    if not len(places):
        return {}
    hits = product.arrays["counts"].values[places[0]]
    return {
        value.name: {"hits": int(count), "draws": int(hits.sum())}
        for value, count in zip(table.values(), hits, strict=True)
    }


def _evidence(table: Table, product: Product) -> Measured:
    uncertainty, logits = _floats(product, "uncertainty")[0], _floats(product, "logit")
    ranked = -np.sort(-_floats(product, "probability")[0], axis=1)[:, :2]
    if table.name == "fig20_share":
        return _at_angles(table, product, 100 * ranked)
    if table.name == "fig20_uncertainty":
        return _at_angles(table, product, 100 * uncertainty[:, None])
    if table.name == "fig20_class":
        return _at_angles(table, product, logits[0].argmax(axis=1)[:, None], uncertainty < 1)
    models = list(map(str, product.scales["model"]))
    if ORDINARY not in models:
        return {}
    return _at_angles(table, product, logits[[0, models.index(ORDINARY)]].argmax(axis=2).T)


def _at_angles(table: Table, product: Product, found: NDArray[Any], there: NDArray[np.bool_] | None = None) -> Measured:
    """Values ``(angle, row)`` at the angles that are a table's columns, as far as there are such values."""
    place = {round(-float(angle)): at for at, angle in enumerate(product.arrays["angle"].values)}
    rows = list(table.rows)
    return {
        value.name: {"value": float(found[place[angle], rows.index(value.row)])}
        for value in table.values()
        if (angle := int(value.column)) in place and (there is None or there[place[angle]])
    }


def _in_order(table: Table, values: Floats) -> Measured:
    return {value.name: {"value": float(x)} for value, x in zip(table.values(), values, strict=True)}


def _floats(product: Product, name: str) -> Floats:
    return np.asarray(product.arrays[name].values, dtype=np.float64)


_READERS: Mapping[str, Callable[[Table, Product], Measured]] = {
    "fluctuation": _fluctuation,
    "fig09": _occluded,
    "fig10": _occluded,
    "fig18_share": _turned,
    "fig18_class": _turned,
    "fig19_left": _counted,
    "fig19_right": _counted,
    "weekly_taylor": _counted,
    "weekly_deeplift": _counted,
    "fig23": _counted,
    "fig20_share": _evidence,
    "fig20_uncertainty": _evidence,
    "fig20_class": _evidence,
    "fig21_class": _evidence,
}
