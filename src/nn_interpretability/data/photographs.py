"""The photograph of the DeepDream figures: that of the study if it is on this disk, otherwise an embedded stand-in."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from nn_interpretability.data import sources
from nn_interpretability.errors import DataError

LOGGER = logging.getLogger("nn_interpretability")
STUDY, EMBEDDED = "castle", "embedded"
EMBEDDED_FILE = "china.jpg"

Record = dict[str, Any]


def look_up(local: str | None, earlier: Mapping[str, Any] | None = None) -> Record:
    """Say what can be had on this disk, without reading it: for a workflow's parameters.

    Parameters
    ----------
    local
        The configuration's ``data.local``.
    earlier
        The answer that an earlier run went by; where the study's photograph has gone away since, it still holds, since
        what was made from it is kept.
    """
    copy, _ = sources.find_local(sources.load()[STUDY], local)
    if copy is None and earlier and earlier.get("source") == STUDY:
        LOGGER.warning("castle.jpg is no longer there; what was made from it is kept")
        return {key: earlier[key] for key in ("source", "size")}  # the order of keys is compared, too
    return {"source": EMBEDDED} if copy is None else {"source": STUDY, "size": copy.size}


def read(local: str | None) -> tuple[npt.NDArray[np.uint8], Record]:
    """Read the photograph.

    Parameters
    ----------
    local
        The configuration's ``data.local``.

    Returns
    -------
    pixels
        uint8, shape (height, width, 3): red, green, blue.
    record
        Where it comes from: ``source``, ``title``, ``licence``, ``reason``, ``files`` (SHA-256 by name).

    Raises
    ------
    DataError
        If the user's copy is not the published one.
    """
    source = sources.load()[STUDY]
    copy, reasons = sources.find_local(source, local)
    if copy is None:
        return _embedded("; ".join(reasons))
    (file,) = source.files
    pixels = _decoded(sources.read_local(file, copy.files[file.name]), file.name)
    LOGGER.info("photograph: %s, found in the folder that %s names", file.name, copy.named_by)
    return pixels, {
        "source": STUDY,
        "title": source.title,
        "licence": source.licence,
        "reason": f"found in the folder that {copy.named_by} names",
        "files": {file.name: file.sha256},
    }


def shrunk(pixels: npt.NDArray[np.uint8], longest: int) -> npt.NDArray[np.uint8]:
    """The photograph with a longest side of at most ``longest`` pixels (Lanczos); as it is if it is not larger.

    Parameters
    ----------
    pixels
        uint8, shape (height, width, 3).
    longest
        At least 1.
    """
    height, width = pixels.shape[:2]
    ratio = longest / max(height, width)
    if ratio >= 1:
        return pixels
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def grey(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Brightness, uint8, shape (height, width), by ITU-R BT.601, as Pillow and most programs have it."""
    return np.asarray(Image.fromarray(pixels).convert("L"))


def _embedded(reason: str) -> tuple[npt.NDArray[np.uint8], Record]:
    from sklearn.datasets import load_sample_image

    from nn_interpretability.storage.product import digest_of

    LOGGER.warning("photograph: the stand-in %s instead of castle.jpg: %s", EMBEDDED_FILE, reason)
    pixels = np.asarray(load_sample_image(EMBEDDED_FILE), dtype=np.uint8)
    return pixels, {
        "source": EMBEDDED,
        "title": f"{EMBEDDED_FILE}, a photograph that comes with scikit-learn",
        "licence": "CC BY 2.0",
        "reason": f"castle.jpg of the study is not on this machine ({reason})",
        "files": {EMBEDDED_FILE: digest_of(_path_of_embedded())},
    }


def _path_of_embedded() -> Any:
    from importlib.resources import files

    return files("sklearn.datasets.images") / EMBEDDED_FILE


def _decoded(content: bytes, name: str) -> npt.NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:
        raise DataError(f"{name} is no photograph that can be read ({error}). Replace it.") from None
