"""Probes: the pictures to explain, chosen once and kept in a file, so that every method reads the same ones.

Layout (schema ``probe/1``): ``images`` float32 [sample, channel, y, x] in [0, 1], ``labels`` int64 [sample],
``source_index`` int64 [sample], -1 for pictures that are made of many. Those of your own pictures, see
:mod:`nn_interpretability.data.folder`, may be normalised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.data import digits as digits_file
from nn_interpretability.data.rotations import rotated
from nn_interpretability.data.splits import Indices
from nn_interpretability.data.view import View, view_of
from nn_interpretability.errors import ConfigError
from nn_interpretability.storage.hdf5 import Array, read_hdf5, write_hdf5

SCHEMA = "probe/1"


@dataclass(frozen=True)
class Probe:
    """Content of a probe file.

    Attributes
    ----------
    images
        float32, shape (n, channels, height, width), in [0, 1].
    labels
        int64, the true class of each picture.
    source_index
        int64, position in the source of the data; -1 for a picture made of many.
    view
        How the pictures are shown.
    record
        Where they come from.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    source_index: NDArray[np.int64]
    view: View = field(default_factory=View)
    record: Mapping[str, Any] = field(default_factory=dict)


def first_rows(labels: NDArray[np.int64], source_index: NDArray[np.int64]) -> Indices:
    """Row of each class with the smallest source index, the earlier row where two are from the same picture.

    Augmented pictures share the index of the one they were made from and stand after it, so they are never
    chosen.
    """
    order = np.lexsort((np.arange(len(labels)), source_index, labels))
    return order[np.unique(labels[order], return_index=True)[1]]


def select_first_of_class(digits_h5: Path | str, output: Path | str, provenance: Mapping[str, Any]) -> None:
    """Write the first training picture of each class, in the order of the classes: the study's ten digits.

    Parameters
    ----------
    digits_h5
        File of :func:`nn_interpretability.data.digits.prepare`.
    output
        The probe file.
    provenance
        What made the file.
    """
    digits = digits_file.load(digits_h5)
    rows = first_rows(digits.train_labels, digits.train_source_index)
    images = digits.train_images[rows].astype(np.float32) / np.float32(255)
    _write(
        output,
        images,
        digits.train_labels[rows],
        digits.train_source_index[rows],
        {"kind": "first_of_class"},
        digits,
        provenance,
    )


def select_class_means(digits_h5: Path | str, output: Path | str, provenance: Mapping[str, Any]) -> None:
    """Write the mean training picture of each class, shifted and scaled to [0, 1].

    Parameters
    ----------
    digits_h5, output, provenance
        As for :func:`select_first_of_class`.
    """
    digits = digits_file.load(digits_h5)
    labels, images = class_means(digits)
    _write(output, images, labels, -1, {"kind": "class_means"}, digits, provenance)


def class_means(digits: digits_file.Digits) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The classes ``(k,)`` and the mean training picture of each, shifted and scaled to [0, 1], ``(k, 28, 28)``."""
    labels = np.unique(digits.train_labels)
    means = np.stack([digits.train_images[digits.train_labels == label].mean(axis=0) for label in labels])
    low, high = means.min(axis=(1, 2), keepdims=True), means.max(axis=(1, 2), keepdims=True)
    return labels, ((means - low) / (high - low)).astype(np.float32)


def select_occlusions(
    digits_h5: Path | str,
    output: Path | str,
    provenance: Mapping[str, Any],
    *,
    label: int = 1,
    window: int = 7,
    fill: float = 1.0,
) -> None:
    """Write the first training picture of a class, whole, and covered by a window at each position, row by row.

    Parameters
    ----------
    digits_h5, output, provenance
        As for :func:`select_first_of_class`.
    label
        The class.
    window
        Side of the window in pixels; windows stand side by side.
    fill
        What the window is filled with, in [0, 1].
    """
    digits = digits_file.load(digits_h5)
    row = first_rows(digits.train_labels, digits.train_source_index)[label]
    whole = digits.train_images[row].astype(np.float32) / np.float32(255)
    images = [whole]
    for top in range(0, whole.shape[0], window):
        for left in range(0, whole.shape[1], window):
            covered = whole.copy()
            covered[top : top + window, left : left + window] = fill
            images.append(covered)
    _write(
        output,
        np.stack(images),
        label,
        digits.train_source_index[row],
        {"kind": "occlusions", "window": window, "fill": fill},
        digits,
        provenance,
    )


def select_rotations(
    digits_h5: Path | str,
    output: Path | str,
    provenance: Mapping[str, Any],
    *,
    label: int = 1,
    index: int = 0,
    angles: Sequence[float] = tuple(range(0, -63, -7)),
    clip: bool = True,
) -> None:
    """Write one training picture of a class at several angles.

    Parameters
    ----------
    digits_h5, output, provenance
        As for :func:`select_first_of_class`.
    label
        The class.
    index
        Which of its training pictures, in the order of the source, counted from 0.
    angles
        Degrees; negative ones turn clockwise.
    clip
        See :func:`nn_interpretability.data.rotations.rotated`.

    Raises
    ------
    ConfigError
        If there is no such picture.
    """
    digits = digits_file.load(digits_h5)
    rows = np.flatnonzero(digits.train_labels == label)
    rows = rows[np.argsort(digits.train_source_index[rows], kind="stable")]
    if not 0 <= index < len(rows):
        raise ConfigError(f"There is no picture {index} of class {label}: training has {len(rows)} of them, from 0.")
    row = rows[index]
    picture = digits.train_images[row].astype(np.float32) / np.float32(255)
    _write(
        output,
        rotated(picture, angles, clip=clip),
        label,
        digits.train_source_index[row],
        {"kind": "rotations", "angles": list(map(float, angles)), "clip": clip},
        digits,
        provenance,
    )


def select_noise_path(
    digits_h5: Path | str,
    output: Path | str,
    provenance: Mapping[str, Any],
    *,
    label: int = 1,
    mean: float = 0.0,
    deviation: float = 0.15,
    steps: int = 100,
    seed: int = 2020,
) -> None:
    """Write the first training picture of a class, and it with a growing share of one and the same Gaussian noise.

    Picture k has the share k / steps, the last one all of it. Values may leave [0, 1]: clipped ones would lie on
    another path.

    Parameters
    ----------
    digits_h5, output, provenance
        As for :func:`select_first_of_class`.
    label
        The class.
    mean, deviation
        Of the noise, in units of brightness.
    steps
        Number of pictures less one.
    seed
        Of the noise.
    """
    digits = digits_file.load(digits_h5)
    row = first_rows(digits.train_labels, digits.train_source_index)[label]
    whole = digits.train_images[row].astype(np.float64) / 255
    noise = np.random.Generator(np.random.Philox(seed)).normal(mean, deviation, whole.shape)
    shares = np.arange(steps + 1)[:, None, None] / steps
    _write(
        output,
        (whole + shares * noise).astype(np.float32),
        label,
        digits.train_source_index[row],
        {"kind": "noise_path", "mean": mean, "deviation": deviation, "seed": seed},
        digits,
        provenance,
    )


def select_published_noise_path(digits_h5: Path | str, output: Path | str, provenance: Mapping[str, Any]) -> None:
    """Write the path of the study's notebook, whose noise makes a picture brighter and is hardly noise.

    Parameters
    ----------
    digits_h5, output, provenance
        As for :func:`select_first_of_class`.
    """
    select_noise_path(digits_h5, output, provenance, mean=0.01, deviation=0.001)


def select(
    kind: str, digits_h5: Path | str, output: Path | str, provenance: Mapping[str, Any], **settings: Any
) -> None:
    """Write a probe of a kind, with the settings that a configuration gives it.

    Raises
    ------
    ConfigError
        If there is no such kind.
    """
    kinds: Mapping[str, Callable[..., None]] = {
        "first_of_class": select_first_of_class,
        "class_means": select_class_means,
        "occlusions": select_occlusions,
        "rotations": select_rotations,
        "noise_path": select_noise_path,
        "noise_path_published": select_published_noise_path,
    }
    if kind not in kinds:
        raise ConfigError(f"There is no kind of probe {kind!r}. The kinds are: {', '.join(kinds)}.")
    named = {{"class": "label"}.get(key, key): value for key, value in settings.items()}
    kinds[kind](digits_h5, output, provenance, **named)


def _write(
    output: Path | str,
    images: NDArray[np.float32],
    labels: NDArray[np.int64] | int,
    source_index: NDArray[np.int64] | int,
    params: Mapping[str, Any],
    digits: digits_file.Digits,
    provenance: Mapping[str, Any],
) -> None:
    """Write pictures ``(sample, y, x)``; a single label or source index is that of all of them."""
    count = (len(images),)
    write_hdf5(
        output,
        {
            "images": Array(images[:, None], ("sample", "channel", "y", "x")),
            "labels": Array(np.broadcast_to(labels, count).astype(np.int64), ("sample",)),
            "source_index": Array(np.broadcast_to(source_index, count).astype(np.int64), ("sample",)),
        },
        schema=SCHEMA,
        params={**params, "data": digits.record},
        provenance=provenance,
    )


def load(probe_h5: Path | str) -> Probe:
    """Read a probe file.

    Raises
    ------
    BrokenProductError
        If the file is damaged.
    """
    product = read_hdf5(probe_h5, schema=SCHEMA)
    images, labels, index = (product.arrays[name].values for name in ("images", "labels", "source_index"))
    return Probe(images, labels, index, view_of(product.params), product.params.get("data", {}))
