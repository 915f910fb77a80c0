"""From the product of the toys to the curves that are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nn_interpretability.errors import ConfigError
from nn_interpretability.plotting.toys_data import ToyColumn, ToyCurves
from nn_interpretability.storage.hdf5 import Product


def toy_curves(figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]) -> ToyCurves:  # noqa: ARG001
    """A column for each toy of the one product that the figure names.

    Raises
    ------
    ConfigError
        If it names several.
    """
    if len(products) > 1:
        raise ConfigError(f"{figure} shows the toys of one job, not of {', '.join(products)}.")
    (product,) = products.values()
    arrays = {name: array.values for name, array in product.arrays.items()}
    columns = tuple(
        ToyColumn(
            **words,
            along=arrays[f"{words['name']}_along"],
            score=arrays[f"{words['name']}_score"],
            values=arrays[f"{words['name']}_values"],
        )
        for words in product.params["toys"]
    )
    names = [str(name) for name in product.scales["method"]]
    return ToyCurves(figure, dict(zip(names, product.params["headings"], strict=True)), columns)
