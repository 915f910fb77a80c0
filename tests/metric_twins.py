"""Slow, literal twins of the metrics: NumPy, one image at a time, one pixel at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def total_variation(pixels: Floats) -> float:
    """Of one map ``(H, W)``."""
    height, width = pixels.shape
    jumps = 0.0
    for y in range(height):
        for x in range(width):
            jumps += abs(pixels[y + 1, x] - pixels[y, x]) if y + 1 < height else 0.0
            jumps += abs(pixels[y, x + 1] - pixels[y, x]) if x + 1 < width else 0.0
    return float(jumps / np.abs(pixels).sum())


def gini(values: Sequence[float]) -> float:
    """Mean difference of all pairs over twice the mean."""
    sizes = [abs(value) for value in values]
    differences = sum(abs(one - other) for one in sizes for other in sizes)
    return differences / (2 * len(sizes) * sum(sizes))


def entropy(values: Sequence[float]) -> float:
    """In nats."""
    total = sum(abs(value) for value in values)
    return -sum(abs(value) / total * math.log(abs(value) / total) for value in values if value != 0)


def structural_similarity(one: Floats, other: Floats, data_range: float) -> float:
    """Of two maps ``(H, W)``: window by window."""
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    found = []
    for y in range(one.shape[0] - 10):
        for x in range(one.shape[1] - 10):
            a, b = one[y : y + 11, x : x + 11], other[y : y + 11, x : x + 11]
            mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
            var_a = (weights * (a - mean_a) ** 2).sum()
            var_b = (weights * (b - mean_b) ** 2).sum()
            cov = (weights * (a - mean_a) * (b - mean_b)).sum()
            luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
            found.append(luminance * (2 * cov + c2) / (var_a + var_b + c2))
    return float(np.mean(found))


def flipping_curve(
    score: Callable[[Floats], float],
    image: Floats,
    relevance: Floats,
    fill: Floats,
    *,
    region: int = 1,
    most_first: bool = True,
) -> list[float]:
    """Curve of one image ``(C, H, W)``, one region a step, from step 0; equal regions in reading order."""
    height, width = relevance.shape
    corners = [(y, x) for y in range(0, height, region) for x in range(0, width, region)]
    sums = {(y, x): relevance[y : y + region, x : x + region].sum() for y, x in corners}
    order = sorted(corners, key=lambda corner: -sums[corner] if most_first else sums[corner])
    image, curve = image.copy(), [score(image)]
    for y, x in order:
        image[:, y : y + region, x : x + region] = fill[:, y : y + region, x : x + region]
        curve.append(score(image))
    return curve


def converted(image: Floats, difference: Floats, count: int) -> tuple[Floats, int]:
    """One image ``(C, H, W)`` with at most ``count`` pixels of the largest positive difference erased, and how many."""
    image, erased = image.copy(), 0
    places = sorted(np.ndindex(difference.shape), key=lambda place: -difference[place])
    for place in places[:count]:
        if difference[place] > 0:
            image[(slice(None), *place)] = 0
            erased += 1
    return image, erased


def infidelity(
    score: Callable[[Floats], float], image: Floats, relevance: Floats, changes: Sequence[Floats], *, scaled: bool
) -> float:
    """Of one image, from its perturbations."""
    predicted = [float((change * relevance).sum()) for change in changes]
    fallen = [score(image) - score(image - change) for change in changes]
    beta = 1.0
    if scaled:
        beta = sum(p * f for p, f in zip(predicted, fallen, strict=True)) / sum(p * p for p in predicted)
    return sum((beta * p - f) ** 2 for p, f in zip(predicted, fallen, strict=True)) / len(changes)


def scorer(model: Any, target: int) -> Callable[[Floats], float]:
    """The logit of a class, one image at a time."""
    import torch

    def score(image: Floats) -> float:
        with torch.no_grad():
            return float(model(torch.from_numpy(image)[None])[0, target])

    return score
