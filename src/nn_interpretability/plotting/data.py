"""What is drawn: the contents of a figure data file (schema ``figure/1``), and nothing else.

A figure of kind ``panel_group`` shows the maps of several methods, one below the other.  Its file holds

===============  =====================  ====================================================
array            dimensions             meaning
===============  =====================  ====================================================
``pictures``     sample, channel, y, x  the pictures above the maps, in [0, 1]
``pictures_1``   sample, channel, y, x  those of the second block, where it has its own; and so on
``maps``         map, sample, y, x      a signed map per method and picture, channels summed
``score``        map, sample            the explained output of the model
``target``       map, sample            the explained class
``probability``  map, sample            softmax probability of that class, in [0, 1]
``label``        sample                 the true class
``limit``        map                    end of the symmetric colour scale
``beyond``       map                    share of the values beyond the limit, in [0, 1]
===============  =====================  ====================================================

with the names of the methods as the scale of ``map``; headings and words are in the file's ``params``.  Where columns
are not pictures but the filters of a layer, ``sample`` of the maps counts filters, and fewer ``pictures`` stand above.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nn_interpretability.errors import DataError
from nn_interpretability.storage.hdf5 import Array, Product, read_hdf5, write_hdf5

SCHEMA = "figure/1"
KIND = "panel_group"
PUBLISHED = "_published"
"""How the names of attributions with the settings of the study end."""
PREDICTED = "predicted"
"""How a class is marked that nobody has said and the model names."""
DIFFERENCE = "difference"
"""Name of a row of differences between the two rows above it."""
FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]


@dataclass(frozen=True)
class MapRow:
    """The maps of one method, one per picture.

    Attributes
    ----------
    name
        Name of the attribution in the configuration.
    heading, detail
        What stands above the maps: the method's name, and its settings in a few words.
    values
        Signed maps [sample, y, x].
    score, target, probability
        Explained output, class, and its softmax probability [sample].
    limit
        The colour scale runs from ``-limit`` to ``limit``.
    beyond
        Share of the values beyond the limit, in [0, 1].
    notes
        A few words above each map; none: no line for them.
    """

    name: str
    heading: str
    detail: str
    values: FloatArray
    score: FloatArray
    target: IntArray
    probability: FloatArray
    limit: float
    beyond: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """Rows under one common heading (empty: no heading), and their own pictures, if not those of the whole group.

    ``grey``: values in [0, 1], from black to white, as the study showed maps without a zero.
    """

    heading: str
    rows: tuple[MapRow, ...]
    pictures: FloatArray | None = None
    grey: bool = False


@dataclass(frozen=True)
class PanelGroup:
    """Pictures, and blocks of maps on one colour scale.

    Attributes
    ----------
    figure
        Name of the figure, such as ``fig12``.
    pictures
        [sample, channel, y, x] in [0, 1].
    label
        True class [sample].
    blocks
        The maps, from top to bottom.
    quantity
        What the colour means, with its unit: the label of the colour bar.
    quantile
        Quantile of the absolute values from which the limit of the scale was made, in (0, 1].
    scale_rule
        How the limit was chosen, in words.
    scale
        ``"diverging"``: signed maps, white at zero. ``"overlay"``: the positive part of the maps over the pictures.
    heads
        Words above each column, a second line after a line break; default: the explained class and its score.
    classes
        Names of the classes; none: classes are numbers.
    """

    figure: str
    pictures: FloatArray
    label: IntArray
    blocks: tuple[Block, ...]
    quantity: str
    quantile: float
    scale_rule: str
    scale: str = "diverging"
    heads: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> tuple[MapRow, ...]:
        """All rows of all blocks, from top to bottom."""
        return tuple(row for block in self.blocks for row in block.rows)


def write_panel_group(path: Path, group: PanelGroup, *, provenance: Mapping[str, Any]) -> None:
    """Write a figure data file; ``provenance`` says which job made it from what."""
    rows = group.rows
    arrays = {
        "pictures": Array(group.pictures.astype(np.float32), ("sample", "channel", "y", "x")),
        "maps": Array(np.stack([row.values for row in rows]).astype(np.float32), ("map", "sample", "y", "x")),
        "score": Array(np.stack([row.score for row in rows]).astype(np.float64), ("map", "sample")),
        "target": Array(np.stack([row.target for row in rows]).astype(np.int64), ("map", "sample")),
        "probability": Array(np.stack([row.probability for row in rows]).astype(np.float64), ("map", "sample")),
        "label": Array(group.label.astype(np.int64), ("sample",)),
        "limit": Array(np.array([row.limit for row in rows], dtype=np.float64), ("map",)),
        "beyond": Array(np.array([row.beyond for row in rows], dtype=np.float64), ("map",)),
    }
    arrays |= {
        f"pictures_{number}": _own_pictures(number, block.pictures, group.pictures)
        for number, block in enumerate(group.blocks)
        if block.pictures is not None
    }
    if len(group.pictures) != len(rows[0].target):
        pictures = {name: array for name, array in arrays.items() if name.startswith("pictures")}
        arrays |= {name: Array(array.values, ("picture", *array.dims[1:])) for name, array in pictures.items()}
    params = {
        "figure": group.figure,
        "kind": KIND,
        "scale": group.scale,
        "heads": list(group.heads),
        "classes": list(group.classes),
        "quantity": group.quantity,
        "quantile": group.quantile,
        "scale_rule": group.scale_rule,
        "blocks": [
            {
                "heading": block.heading,
                "grey": block.grey,
                "rows": [
                    {"name": row.name, "heading": row.heading, "detail": row.detail, "notes": list(row.notes)}
                    for row in block.rows
                ],
            }
            for block in group.blocks
        ],
    }
    write_hdf5(
        path,
        arrays,
        schema=SCHEMA,
        params=params,
        provenance=provenance,
        scales={"map": [row.name for row in rows]},
    )


def _own_pictures(number: int, pictures: FloatArray, others: FloatArray) -> Array:
    """The pictures of a block; with dimensions of their own, where they are not of the size of the group's."""
    alike = pictures.shape[1:] == others.shape[1:]
    dims = ("channel", "y", "x") if alike else (f"channel_{number}", f"y_{number}", f"x_{number}")
    return Array(pictures.astype(np.float32), ("sample", *dims))


def read_figure_data(path: Path) -> PanelGroup:
    """Read a figure data file.

    Raises
    ------
    BrokenProductError
        If the file is not what its writer left.
    DataError
        If it has another schema, or a kind of figure that this version does not know.
    """
    product = read_hdf5(path, schema=SCHEMA)
    kind = product.params.get("kind")
    if kind != KIND:
        raise DataError(f"{path} holds a figure of kind {kind!r}; this version draws figures of kind {KIND!r}.")
    return _panel_group(product)


def _panel_group(product: Product) -> PanelGroup:
    arrays = {name: array.values for name, array in product.arrays.items()}
    params = product.params
    place = {str(name): index for index, name in enumerate(product.scales["map"])}
    blocks = tuple(
        Block(
            block["heading"],
            tuple(_row(words, arrays, place[words["name"]]) for words in block["rows"]),
            arrays.get(f"pictures_{number}"),
            block.get("grey", False),
        )
        for number, block in enumerate(params["blocks"])
    )
    return PanelGroup(
        figure=params["figure"],
        pictures=arrays["pictures"],
        label=arrays["label"],
        blocks=blocks,
        quantity=params["quantity"],
        quantile=params["quantile"],
        scale_rule=params["scale_rule"],
        scale=params["scale"],
        heads=tuple(params["heads"]),
        classes=tuple(params.get("classes", ())),
        provenance=product.provenance,
    )


def _row(words: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], index: int) -> MapRow:
    return MapRow(
        name=words["name"],
        heading=words["heading"],
        detail=words["detail"],
        values=arrays["maps"][index],
        score=arrays["score"][index],
        target=arrays["target"][index],
        probability=arrays["probability"][index],
        limit=float(arrays["limit"][index]),
        beyond=float(arrays["beyond"][index]),
        notes=tuple(words["notes"]),
    )
