"""Digits as their source has them, before any split or augmentation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLASSES = 10
IMAGE_SHAPE = (28, 28)


@dataclass(frozen=True)
class RawDigits:
    """Training and test pictures in the order of their source.

    Attributes
    ----------
    train_images, test_images
        uint8, shape (n, 28, 28); 0 is the background, 255 full ink.
    train_labels, test_labels
        int64, 0 to 9.
    train_source_index, test_source_index
        Position of each picture in its source: in MNIST's training or test file, or in scikit-learn's digits.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    train_source_index: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    test_source_index: NDArray[np.int64]
