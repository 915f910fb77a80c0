"""The digits of the study: MNIST if it can be had, otherwise the embedded stand-in; split once, in one file.

Layout of ``digits.h5`` (schema ``digits/1``), for each part of train, validation and test: ``<part>_images``
uint8 [<part>_sample, y, x], ``<part>_labels`` int64, ``<part>_source_index`` int64.  Pictures stand in the
order of their source; augmented ones (embedded digits only) come after all others of the training part, and
have the source index of the picture that they were made from.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.data import embedded, kept, sources
from nn_interpretability.data.leakage import refuse_leakage
from nn_interpretability.data.mnist import read_mnist
from nn_interpretability.data.raw import RawDigits
from nn_interpretability.data.splits import limited, split_training
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.storage.hdf5 import Array, read_hdf5, write_hdf5
from nn_interpretability.storage.product import write_json

LOGGER = logging.getLogger("nn_interpretability")
SCHEMA = "digits/1"
PARTS = ("train", "validation", "test")
LIMITS = ("train_limit", "test_limit")

Record = dict[str, Any]


@dataclass(frozen=True)
class Digits:
    """Content of ``digits.h5``.

    Attributes
    ----------
    train_images, validation_images, test_images
        uint8, shape (n, 28, 28); 0 is the background, 255 full ink.
    train_labels, validation_labels, test_labels
        int64, 0 to 9.
    train_source_index, validation_source_index, test_source_index
        int64, position in the source.
    record
        Where the pictures come from: ``source``, ``reason``, ``title``, ``licence``, ``files`` (SHA-256 of
        the content by name), ``counts``.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    train_source_index: NDArray[np.int64]
    validation_images: NDArray[np.uint8]
    validation_labels: NDArray[np.int64]
    validation_source_index: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    test_source_index: NDArray[np.int64]
    record: Record

    @property
    def source(self) -> str:
        """``mnist-local``, ``mnist-download`` or ``embedded``."""
        return str(self.record["source"])

    @property
    def reason(self) -> str:
        """Why this source was used, one sentence."""
        return str(self.record["reason"])


def look_up(local: str | None, record: Path | None = None) -> dict[str, Any]:
    """Say what can be had on this disk, without reading it and without a network.

    Meant for a workflow's parameters: the answer changes when a better source turns up, and stays as it was
    when the source of an earlier run has gone away (its products are kept).

    Parameters
    ----------
    local
        The configuration's ``data.local``.
    record
        ``digits.json`` of an earlier run, if there is one.

    Returns
    -------
    dict
        ``{"source": "mnist-local", "folder": ..., "size": ...}`` with the folder below the user's data folder
        and the bytes of all files, or ``{"source": "remote"}``.
    """
    source = sources.load()["mnist"]
    copy, reasons = sources.find_local(source, local)
    earlier = kept.record(record) if record is not None else {}
    if earlier.get("source") == "mnist-download":
        return {"source": "remote"}
    if copy is not None:
        return {"source": "mnist-local", "folder": source.folder, "size": copy.size}
    if earlier.get("source") == "mnist-local" and "size" in earlier:
        LOGGER.warning("MNIST is no longer there (%s); what was made from it is kept", "; ".join(reasons))
        return {"source": "mnist-local", "folder": source.folder, "size": earlier["size"]}
    return {"source": "remote"}


def earlier_source(record: Path) -> str | None:
    """Source of an earlier run, from its ``digits.json``; None if there is none."""
    source = kept.record(record).get("source")
    return str(source) if source else None


def prepare(
    output_h5: Path | str,
    record_json: Path | str,
    *,
    local: str | None,
    download: bool,
    validation_share: float,
    seed: int,
    limits: Mapping[str, int | None] | None,
    provenance: Mapping[str, Any],
    at_least: str | None = None,
    source: sources.Source | None = None,
) -> None:
    """Get the digits, check and split them, and write them with a record of where they come from.

    The user's own copy of MNIST is used if there is one, else a download, else the embedded digits.

    Parameters
    ----------
    output_h5, record_json
        What is written.
    local
        Folder with ``MNIST/raw`` in it; None to look only at ``NN_INTERPRETABILITY_DATA``.
    download
        Whether a download may be tried.
    validation_share
        Share of the training pictures that goes to the validation part, above 0 and at most 0.5.
    seed
        Seed of the split and of the augmentation.
    limits
        ``train_limit`` and ``test_limit``: use at most so many pictures for training and validation together,
        and for the test; None for all.
    provenance
        What made the file, see :func:`nn_interpretability.storage.provenance.provenance`.
    at_least
        Source of an earlier run (:func:`earlier_source`): MNIST is not replaced by the embedded digits.
    source
        The files to use as MNIST; by default those of ``reference/sources.yaml``.

    Raises
    ------
    DataError
        If the user's own copy is there but not the published one, or only a source worse than ``at_least``
        can be had.
    ConfigError
        If the share or a limit leaves a part without pictures.
    """
    limits = _checked_limits(limits)
    raw, record = _obtain(source or sources.load()["mnist"], local, download, seed)
    if record["source"] == "embedded" and at_least not in {None, "embedded"}:
        raise DataError(
            f"{output_h5} holds MNIST, and was not replaced by the embedded digits, although it has to be made anew "
            f"and MNIST is no longer there: {record['reason']}. Make MNIST available again (data.local), or remove "
            f"{record_json} to go on with the embedded digits."
        )
    digits = _split(raw, record, validation_share=validation_share, seed=seed, **limits)
    check_parts(digits)
    settings = {"validation_share": validation_share, "seed": seed, **limits}
    write_hdf5(
        output_h5,
        {name: Array(values, dims) for name, (values, dims) in _arrays(digits).items()},
        schema=SCHEMA,
        params={**settings, "data": digits.record},
        provenance=provenance,
    )
    write_json(record_json, digits.record)


def load(digits_h5: Path | str) -> Digits:
    """Read a file that :func:`prepare` has written.

    Raises
    ------
    BrokenProductError
        If the file is damaged.
    """
    product = read_hdf5(digits_h5, schema=SCHEMA)
    arrays = {name: array.values for name, array in product.arrays.items()}
    return Digits(**arrays, record=product.params["data"])


def check_parts(digits: Digits) -> None:
    """Refuse parts that share a picture, or pictures and labels that are none of digits.

    Raises
    ------
    DataError
        See :func:`nn_interpretability.data.leakage.refuse_leakage`.
    """
    images = {part: getattr(digits, f"{part}_images") for part in PARTS}
    refuse_leakage(images, {part: getattr(digits, f"{part}_labels") for part in PARTS})


def _checked_limits(limits: Mapping[str, int | None] | None) -> dict[str, int | None]:
    limits = limits or {}
    for name, value in limits.items():
        if name not in LIMITS or not (value is None or (type(value) is int and value > 0)):
            raise ConfigError(f"data.{name} is {value!r}; {' and '.join(LIMITS)} are null or a whole number above 0.")
    return {name: limits.get(name) for name in LIMITS}


def _obtain(source: sources.Source, local: str | None, may_download: bool, seed: int) -> tuple[RawDigits, Record]:
    """Go through the sources in order; the record says which one served, and why."""
    copy, reasons = sources.find_local(source, local)
    if copy is not None:
        return _local_mnist(source, copy)
    reason = f"no MNIST on this machine ({'; '.join(reasons)})"
    LOGGER.info("%s", reason)
    if not may_download:
        return _embedded(f"{reason}, and data.download is false", seed)
    try:
        contents = sources.download(source)
    except sources.DownloadError as error:
        return _embedded(f"{reason}, and it could not be downloaded ({error})", seed)
    record = _mnist_record(source, "mnist-download", f"{reason}; it was downloaded")
    return read_mnist(contents), record


def _local_mnist(source: sources.Source, copy: sources.LocalCopy) -> tuple[RawDigits, Record]:
    LOGGER.info("digits: MNIST from %s", next(iter(copy.files.values())).parent)
    raw = read_mnist({file.name: sources.read_local(file, copy.files[file.name]) for file in source.files})
    record = _mnist_record(source, "mnist-local", f"found in the folder that {copy.named_by} names")
    return raw, {**record, "size": copy.size}


def _mnist_record(source: sources.Source, name: str, reason: str) -> Record:
    return {
        "source": name,
        "reason": reason,
        "title": source.title,
        "licence": source.licence,
        "files": {file.name: file.sha256 for file in source.files},
    }


def _embedded(reason: str, seed: int) -> tuple[RawDigits, Record]:
    LOGGER.warning("digits: the embedded stand-in (%s) instead of MNIST: %s", embedded.TITLE, reason)
    raw, digest = embedded.embedded_digits(seed)
    return raw, {
        "source": "embedded",
        "reason": reason,
        "title": embedded.TITLE,
        "licence": embedded.LICENCE,
        "files": {embedded.ORIGIN: digest},
    }


def _split(
    raw: RawDigits,
    record: Record,
    *,
    validation_share: float,
    seed: int,
    train_limit: int | None,
    test_limit: int | None,
) -> Digits:
    split = split_training(raw.train_labels, validation_share=validation_share, limit=train_limit, seed=seed)
    test = limited(raw.test_labels, test_limit, seed)
    images, train = raw.train_images[split.train], split.train
    if record["source"] == "embedded":
        room = math.inf if train_limit is None else train_limit - len(split.validation)
        wanted = int(min(embedded.TRAIN_IMAGES, room))
        more, rows = embedded.augment(images, max(0, wanted - len(train)), seed)
        images, train = np.concatenate([images, more]), np.concatenate([train, train[rows]])
    counts = {"train": len(train), "validation": len(split.validation), "test": len(test)}
    return Digits(
        train_images=images,
        train_labels=raw.train_labels[train],
        train_source_index=raw.train_source_index[train],
        validation_images=raw.train_images[split.validation],
        validation_labels=raw.train_labels[split.validation],
        validation_source_index=raw.train_source_index[split.validation],
        test_images=raw.test_images[test],
        test_labels=raw.test_labels[test],
        test_source_index=raw.test_source_index[test],
        record={**record, "counts": {**counts, "augmented": len(train) - len(split.train)}},
    )


def _arrays(digits: Digits) -> dict[str, tuple[NDArray[Any], tuple[str, ...]]]:
    """Arrays by their name in the file, each with the names of its dimensions."""
    dims = {"images": ("y", "x"), "labels": (), "source_index": ()}
    return {
        f"{part}_{what}": (getattr(digits, f"{part}_{what}"), (f"{part}_sample", *trailing))
        for part in PARTS
        for what, trailing in dims.items()
    }
