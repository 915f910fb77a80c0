"""From attribution files to figure data files: what each figure of the report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nn_interpretability.errors import ConfigError
from nn_interpretability.plotting import scale
from nn_interpretability.plotting.data import Block, MapRow, PanelGroup, write_panel_group
from nn_interpretability.storage.hdf5 import Product, read_hdf5
from nn_interpretability.study.describe import Description, describe

CORRECTED = "Corrected settings"
PUBLISHED = "Settings as published"


def assemble(
    figure: str,
    attributions: Mapping[str, Path | str],
    output: Path | str,
    *,
    definition: Mapping[str, Sequence[str]],
    provenance: Mapping[str, Any],
) -> None:
    """Write the data file of a figure that compares attribution maps of the same pictures.

    Parameters
    ----------
    figure
        Name of the figure, such as ``fig12``.
    attributions
        File (schema ``attribution/1``) of each attribution that the definition names.
    output
        The figure data file.
    definition
        The figure's entry in the configuration: ``panels``, names of attributions from left to right in the
        original, and optionally ``published``, the same with the settings of the study.
    provenance
        What makes the file, from :func:`nn_interpretability.storage.provenance.provenance`.

    Raises
    ------
    ConfigError
        If the definition names an attribution without file, or attributions that one colour scale or one row
        of pictures cannot serve (another probe, other pictures, another quantity).
    BrokenProductError
        If an attribution file is damaged.
    """
    named = [*definition["panels"], *definition.get("published", [])]
    missing = sorted(set(named) - set(attributions))
    if missing:
        raise ConfigError(f"{figure} shows {', '.join(missing)}, but no such attribution was computed.")
    products = {name: read_hdf5(attributions[name], schema="attribution/1") for name in named}
    group = panel_group(figure, products, definition)
    origins = {name: product.provenance for name, product in products.items()}
    write_panel_group(Path(output), group, provenance={**provenance, "attributions": origins})


def panel_group(figure: str, products: Mapping[str, Product], definition: Mapping[str, Sequence[str]]) -> PanelGroup:
    """Pictures, maps on one colour scale, and headings; see :func:`assemble`."""
    first_name, first = next(iter(products.items()))
    for name, product in products.items():
        _require_same_pictures(figure, first_name, first, name, product)
    described = {name: description_of(product) for name, product in products.items()}
    quantities = {description.quantity for description in described.values()}
    if len(quantities) > 1:
        raise ConfigError(
            f"{figure} would put {' and '.join(sorted(quantities))} on one colour scale; "
            "show methods that measure the same quantity."
        )
    maps = {name: sum_of_channels(product) for name, product in products.items()}
    limit = scale.symmetric_limit([maps[name] for name in definition["panels"]])

    def block(heading: str, names: Sequence[str]) -> Block:
        rows = (_row(name, products[name], described[name], maps[name], limit) for name in names)
        return Block(heading, tuple(rows))

    published = definition.get("published", [])
    blocks = [block(CORRECTED if published else "", definition["panels"])]
    if published:
        blocks.append(block(PUBLISHED, published))
    return PanelGroup(
        figure=figure,
        pictures=first.arrays["images"].values,
        label=first.arrays["label"].values,
        blocks=tuple(blocks),
        quantity=quantities.pop(),
        quantile=scale.QUANTILE,
        scale_rule=scale.RULE,
    )


def sum_of_channels(product: Product) -> npt.NDArray[np.float64]:
    """Maps [sample, y, x]: an attribution's values summed over the channels."""
    values: npt.NDArray[np.float64] = product.arrays["values"].values.astype(np.float64)
    return np.asarray(values.sum(axis=1))


def description_of(product: Product) -> Description:
    """How an attribution file is worded."""
    params = product.params
    return describe(
        params["method"],
        params["parameters"],
        title=params.get("title", ""),
        layers=[str(layer) for layer in product.scales.get("layer", ())],
    )


def _row(name: str, product: Product, description: Description, maps: npt.NDArray[np.float64], limit: float) -> MapRow:
    target = product.arrays["target"].values
    samples = np.arange(len(target))
    return MapRow(
        name=name,
        heading=description.heading,
        detail=description.settings,
        values=maps,
        score=product.arrays["output"].values,
        target=target,
        probability=product.arrays["probabilities"].values[samples, target],
        limit=limit,
        beyond=scale.share_beyond(maps, limit),
    )


def _require_same_pictures(figure: str, first_name: str, first: Product, name: str, product: Product) -> None:
    for array in ("images", "label"):
        if not np.array_equal(first.arrays[array].values, product.arrays[array].values):
            raise ConfigError(
                f"{figure} shows {first_name} and {name} side by side, but they explain different pictures "
                f"(probes {first.params.get('probe')!r} and {product.params.get('probe')!r})."
            )
