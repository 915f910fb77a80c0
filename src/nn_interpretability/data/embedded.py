"""Digits that need no network: scikit-learn's copy of the UCI hand-written digits, made to look like MNIST.

E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning Repository, 1998
(CC BY 4.0): 1797 pictures of 8 x 8 cells, each cell the ink (0 to 16) in 4 x 4 points of a scan.

torch is imported where it is used: planning a workflow reads this module too.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.data.raw import IMAGE_SHAPE, RawDigits
from nn_interpretability.data.splits import stratified_sample

TITLE = "UCI hand-written digits, as scikit-learn ships them, redrawn at 28 x 28"
LICENCE = "CC BY 4.0"
ORIGIN = "sklearn.datasets.load_digits"
TEST_IMAGES = 450
TRAIN_IMAGES = 24_000
MAX_ROTATION = 12.0  # degrees, either way
MAX_SHIFT = 1.5  # pixels, either way and in both directions
# MNIST's pictures have their centre of mass at pixel (14, 14), counted from 0.
CENTRE = 14
# Local contrast at which ink begins and at which it is full: holes stay open, strokes become white.
INK_BEGINS, INK_FULL = 0.4, 0.85
# Faintest peak that local contrast is measured against, so that no smudge is blown up to a stroke.
FAINTEST_PEAK = 0.25

Images = NDArray[np.uint8]


def embedded_digits(seed: int) -> tuple[RawDigits, str]:
    """Return the stand-in for MNIST: 1347 training and 450 test pictures, not yet augmented.

    Test pictures are chosen first, at random and stratified; every picture is redrawn by itself, so nothing
    of the test part can reach the training part.

    Parameters
    ----------
    seed
        Seed of the choice.

    Returns
    -------
    digits
        The redrawn pictures.
    digest
        SHA-256 of scikit-learn's cells (one byte each) and labels (one byte each).
    """
    from sklearn.datasets import load_digits

    cells, labels = load_digits(return_X_y=True)
    digest = hashlib.sha256(cells.astype(np.uint8).tobytes() + labels.astype(np.uint8).tobytes()).hexdigest()
    labels = labels.astype(np.int64)
    test = stratified_sample(labels, TEST_IMAGES, (seed, 0))
    train = np.setdiff1d(np.arange(len(labels)), test)
    images = redraw(cells.reshape(-1, 8, 8) / 16)
    raw = RawDigits(
        train_images=images[train],
        train_labels=labels[train],
        train_source_index=train,
        test_images=images[test],
        test_labels=labels[test],
        test_source_index=test,
    )
    return raw, digest


def redraw(cells: NDArray[np.float64]) -> Images:
    """Draw 8 x 8 cells as MNIST would have them.

    Bicubic interpolation to 20 x 20 (with a rim of one empty cell, so that strokes do not end flat at the
    edge), contrast restored against the local peak of ink, padded to 28 x 28, centred by centre of mass.

    Parameters
    ----------
    cells
        Shape (n, 8, 8), values in [0, 1].

    Returns
    -------
    ndarray of uint8
        Shape (n, 28, 28).
    """
    import torch
    import torch.nn.functional as F

    rimmed = F.pad(torch.from_numpy(np.ascontiguousarray(cells))[:, None], (1, 1, 1, 1))
    peak = F.max_pool2d(rimmed, 3, stride=1, padding=1).clamp(min=FAINTEST_PEAK)
    size = (25, 25)  # 2.5 pixels for a cell, for ten cells
    ink = F.interpolate(rimmed, size, mode="bicubic") / F.interpolate(peak, size, mode="bilinear")
    ink = ((ink - INK_BEGINS) / (INK_FULL - INK_BEGINS)).clamp(0, 1)
    return _centred((ink[:, 0].numpy() * 255).round().astype(np.uint8))


def _centred(images: Images) -> Images:
    """Put each picture on a 28 x 28 canvas by whole pixels, its centre of mass nearest to the centre."""
    canvas = np.arange(IMAGE_SHAPE[0])
    # which pixel of the picture each pixel of the canvas shows; outside of the picture there is nothing
    rows = _first_pixel(images.sum(2, dtype=np.float64))[:, None] + canvas
    columns = _first_pixel(images.sum(1, dtype=np.float64))[:, None] + canvas
    margin = IMAGE_SHAPE[0]
    wide = np.pad(images, ((0, 0), (margin, margin), (margin, margin)))
    centred: Images = wide[
        np.arange(len(images))[:, None, None], margin + rows[:, :, None], margin + columns[:, None, :]
    ]
    return centred


def _first_pixel(ink: NDArray[np.float64]) -> NDArray[np.int64]:
    """Choose the pixel of each picture that comes first on the canvas, along one axis.

    Parameters
    ----------
    ink
        Shape (n, pixels), the sum over the other axis.
    """
    pixels = ink.shape[1]
    middle = np.round(ink @ np.arange(pixels) / ink.sum(1)).astype(np.int64)
    first, last = (ink > 0).argmax(1), pixels - 1 - (ink > 0)[:, ::-1].argmax(1)
    # no ink may be lost at an edge, even if the picture is then a little off the centre
    chosen: NDArray[np.int64] = np.clip(middle - CENTRE, last - IMAGE_SHAPE[0] + 1, first)
    return chosen


def augment(images: Images, count: int, seed: int) -> tuple[Images, NDArray[np.int64]]:
    """Make more training pictures by small rotations and shifts.

    Parameters
    ----------
    images
        Shape (n, 28, 28).
    count
        How many pictures to make.
    seed
        Seed of angles and shifts.

    Returns
    -------
    images
        Shape (count, 28, 28), each with its own angle and shift.
    rows
        Which of the given pictures each was made from; all are used equally often.
    """
    import torch
    import torch.nn.functional as F

    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 4])))
    angle = np.deg2rad(generator.uniform(-MAX_ROTATION, MAX_ROTATION, count))
    shift = generator.uniform(-MAX_SHIFT, MAX_SHIFT, (2, count)) * 2 / IMAGE_SHAPE[0]
    cosine, sine = np.cos(angle), np.sin(angle)
    # where, in the given picture, each pixel of the new one is taken from; coordinates run from -1 to 1
    theta = np.stack([np.stack([cosine, -sine, shift[0]], 1), np.stack([sine, cosine, shift[1]], 1)], 1)
    rows = np.arange(count) % len(images)
    if not count:
        return images[rows], rows
    grid = F.affine_grid(torch.from_numpy(theta).float(), [count, 1, *IMAGE_SHAPE], align_corners=False)
    source = torch.from_numpy(images[rows])[:, None].float()
    moved = F.grid_sample(source, grid, mode="bicubic", align_corners=False)
    return moved[:, 0].round().clamp(0, 255).to(torch.uint8).numpy(), rows
