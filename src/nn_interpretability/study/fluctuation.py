"""The gradient-fluctuation curve of the 2020 study: how a gradient changes on the way from a picture to a noisy one.

The study moved a picture along one noise and drew the largest entry of the gradient, relative to that at the start
(after Smilkov et al. 2017, Figure 2). A net of ReLUs and max-pools is piecewise linear, so that the gradient is
constant on pieces and jumps between them. The largest entry alone may stand still while the map changes; so the
relative change of the whole map stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nn_interpretability.plotting.curves_data import CurvePanel, Curves, Line
from nn_interpretability.storage.hdf5 import Product
from nn_interpretability.study.rows import CORRECTED, PUBLISHED

FloatArray = npt.NDArray[np.float64]

LARGEST = "largest entry"
CHANGE = "change of the map"
_SAME = 1e-4
"""Maps that differ by less than this share of their size are those of one piece; rounding is far below."""


def gradient_path(figure: str, products: Mapping[str, Product], definition: Mapping[str, Any]) -> Curves:
    """A panel for each attribution, whose pictures are those on the way from the first to the last."""
    published = definition.get("published", [])
    named = [(name, PUBLISHED) for name in published] + [(name, CORRECTED) for name in definition["panels"]]
    maps = {name: _flat(products[name]) for name, _ in named}
    count = len(next(iter(maps.values())))
    return Curves(
        figure=figure,
        x=np.linspace(0, 1, count),
        x_label="share of the noise",
        y_label="relative to the gradient at the picture itself",
        panels=tuple(_panel(name, heading if published else "", products[name], maps[name]) for name, heading in named),
        facts={name: facts_of(maps[name]) for name, _ in named},
    )


def facts_of(gradients: FloatArray) -> dict[str, float]:
    """What can be said of gradients [step, entry] along a path.

    ``pieces``: constant pieces that the steps tell apart; ``first``: share of the path up to the first jump;
    ``largest.min``, ``largest.max`` and ``largest.end`` of the largest entry relative to the start; ``change.first``
    and ``change.end``, the relative change of the map after the first step and at the end.
    """
    jumps = np.flatnonzero(_distance(gradients[1:], gradients[:-1]) > _SAME)
    largest = largest_entry(gradients)
    return {
        "pieces": float(1 + len(jumps)),
        "first": float((jumps[0] + 1) / (len(gradients) - 1)) if len(jumps) else 1.0,
        "largest.min": float(largest.min()),
        "largest.max": float(largest.max()),
        "largest.end": float(largest[-1]),
        "change.first": float(change(gradients)[1]),
        "change.end": float(change(gradients)[-1]),
    }


def largest_entry(gradients: FloatArray) -> FloatArray:
    r"""The study's curve, :math:`\max_i |g_i(t)| / \max_i |g_i(0)|` [step]."""
    largest = np.abs(gradients).max(axis=1)
    return np.asarray(largest / largest[0])


def change(gradients: FloatArray) -> FloatArray:
    r"""Relative change of the whole map, :math:`\|g(t) - g(0)\| / \|g(0)\|` [step]."""
    return np.asarray(np.linalg.norm(gradients - gradients[0], axis=1) / np.linalg.norm(gradients[0]))


def _distance(one: FloatArray, other: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(one - other, axis=1) / np.linalg.norm(other, axis=1))


def _flat(product: Product) -> FloatArray:
    values = product.arrays["values"].values.astype(np.float64)
    return np.asarray(values.reshape(len(values), -1))


def _panel(name: str, heading: str, product: Product, gradients: FloatArray) -> CurvePanel:
    lines = (Line(LARGEST, largest_entry(gradients)), Line(CHANGE, change(gradients)))
    images = product.arrays["images"].values
    noise = images[-1].astype(np.float64) - images[0]
    words = f"noise of mean {abs(round(noise.mean(), 2)):g} and deviation {noise.std():.2g}"
    return CurvePanel(name, heading, words, lines, images[[0, -1]])
