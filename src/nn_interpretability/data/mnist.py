"""MNIST's four idx files as arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.data.idx import read_idx
from nn_interpretability.data.raw import CLASSES, IMAGE_SHAPE, RawDigits
from nn_interpretability.errors import DataError

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def read_mnist(contents: Mapping[str, bytes]) -> RawDigits:
    """Turn the unpacked files into arrays.

    Parameters
    ----------
    contents
        Content of each of the four files, by its name.

    Raises
    ------
    DataError
        If a file is not a whole idx file, or pictures and labels do not fit together.
    """
    train_images, train_labels = _part(contents, TRAIN_IMAGES, TRAIN_LABELS)
    test_images, test_labels = _part(contents, TEST_IMAGES, TEST_LABELS)
    return RawDigits(
        train_images=train_images,
        train_labels=train_labels,
        train_source_index=np.arange(len(train_labels)),
        test_images=test_images,
        test_labels=test_labels,
        test_source_index=np.arange(len(test_labels)),
    )


def _part(
    contents: Mapping[str, bytes], images_name: str, labels_name: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images = read_idx(contents[images_name], name=images_name, item_shape=IMAGE_SHAPE)
    labels = read_idx(contents[labels_name], name=labels_name, item_shape=())
    if len(images) != len(labels):
        raise DataError(f"{images_name} has {len(images)} pictures, {labels_name} {len(labels)} labels. Replace both.")
    if not np.array_equal(np.unique(labels), np.arange(CLASSES)):
        found = np.unique(labels).tolist()
        raise DataError(f"{labels_name} has the labels {found}; expected 0 to 9. Replace it.")
    return images, labels.astype(np.int64)
