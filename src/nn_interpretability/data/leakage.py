"""What would make a test worth nothing: pictures of one part in another, values or labels that no digit has."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.data.raw import CLASSES
from nn_interpretability.errors import DataError


def refuse_leakage(images: Mapping[str, NDArray[Any]], labels: Mapping[str, NDArray[Any]]) -> None:
    """Refuse parts of a data set that share a picture, whatever its place in the source says.

    Parameters
    ----------
    images
        uint8 ``(n, height, width)`` of each part (``train``, ``validation``, ``test``).
    labels
        int64 ``(n,)`` of each part, 0 to 9.

    Raises
    ------
    DataError
        If a picture of one part is, pixel by pixel, also in another; if pictures are not uint8; if a part has another
        number of labels than of pictures, or a label that is no class.
    """
    for part, pictures in images.items():
        if pictures.dtype != np.uint8:
            raise DataError(
                f"The {part} pictures are {pictures.dtype}; expected uint8, 0 to 255: they are scaled once, later."
            )
        given = labels[part]
        if len(given) != len(pictures) or (len(given) and not 0 <= given.min() <= given.max() < CLASSES):
            raise DataError(
                f"The {part} part has {len(pictures)} pictures and {len(given)} labels; expected 0 to 9 for each."
            )
    places = {part: {picture.tobytes(): row for row, picture in enumerate(all_)} for part, all_ in images.items()}
    for one, other in combinations(places, 2):
        shared = places[one].keys() & places[other].keys()
        if shared:
            first = min(shared, key=places[one].__getitem__)
            raise DataError(
                f"{len(shared)} pictures are in the {one} part and in the {other} part (first: row "
                f"{places[one][first]} and row {places[other][first]}), so that what is measured on the {other} part "
                "says nothing about new pictures. Prepare the digits again, from a source without such pictures."
            )
