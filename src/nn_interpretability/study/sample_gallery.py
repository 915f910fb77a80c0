"""A figure of samples: four of each class, as the judge sees it, and a Markov chain on its way to a digit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nn_interpretability.plotting.data import FloatArray
from nn_interpretability.plotting.gallery_data import Gallery, GalleryRow
from nn_interpretability.storage.hdf5 import Product

SIDE = 2
HEADINGS = {"gan": "GAN", "dcgan": "DCGAN", "rbm": "Gaussian RBM"}


def sample_gallery(figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]) -> Gallery:
    """One row per model, with a column per class: the first samples that the judge puts in the class, not chosen.

    Above each column stands the share of the class's samples that the judge accepts. A model with a chain gets a row
    for it.
    """
    rows = []
    for name in definition["panels"]:
        rows.append(_by_class(name, products[name]))
        if "chain" in products[name].arrays:
            rows.append(_chain(name, products[name]))
    return Gallery(figure, tuple(rows))


def _by_class(name: str, product: Product) -> GalleryRow:
    images, probabilities = product.arrays["images"].values, product.arrays["probabilities"].values
    confidence, seen = product.params["confidence"], probabilities.argmax(1)
    tiles, notes = [], []
    for c in range(probabilities.shape[1]):
        tiles.append(_tile(images[seen == c][: SIDE**2], images.shape[1:]))
        sure = probabilities[seen == c].max(1, initial=0.0) > confidence
        notes.append(f"{c}: {100 * sure.mean():.0f} %" if len(sure) else f"{c}: none")
    accepted = (probabilities.max(1) > confidence).mean()
    detail = f"{100 * accepted:.0f} % of {len(images)} samples accepted"
    return GalleryRow(name, HEADINGS.get(name, name), detail, np.stack(tiles), tuple(notes))


def _tile(images: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Up to four pictures as one; missing ones stay black."""
    full = np.zeros((SIDE**2, *shape), dtype=np.float32)
    full[: len(images)] = images
    channel, y, x = shape
    tiled: FloatArray = (
        full.reshape(SIDE, SIDE, channel, y, x).transpose(2, 0, 3, 1, 4).reshape(channel, SIDE * y, SIDE * x)
    )
    return tiled


def _chain(name: str, product: Product) -> GalleryRow:
    steps = [int(step) for step in product.scales["step"]]
    notes = ("noise", *(f"{step} step{'s' * (step > 1)}" for step in steps[1:]))
    return GalleryRow(f"{name}_chain", "", "One Markov chain", product.arrays["chain"].values, notes)
