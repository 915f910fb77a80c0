"""c30: the 1 that is covered in its middle is seen as a 4."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, above
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.claims.statistics import Estimate, estimate
from nn_interpretability.methods.deeplift import DeepLIFT
from nn_interpretability.methods.occlusion import Occlusion
from nn_interpretability.metrics.similarity import pearson

ONE, FOUR = 1, 4


def measure(context: Context, rule: Rule) -> Measured:
    """The class at the worst occlusion of each 1, and how its map for that class resembles the mean maps of 4 and 1."""
    ones = context.test_images_of(ONE)
    images, labels = context.test_images()
    like: dict[int, list[list[float]]] = {FOUR: [], ONE: []}
    classes = []
    for model in context.networks("cnn"):
        worst, found = worst_occlusions(model, ones, rule.parameters["window"], rule.parameters["stride"])
        classes.append(found.tolist())
        method = DeepLIFT(model, rule="reveal_cancel")
        maps = method.interpret(worst, found).values.double().flatten(1)
        for label, rows in like.items():
            mean = method.interpret(images[labels == label], label).values.double().mean(0).flatten()
            rows.append(pearson(centred(maps), centred(mean).expand_as(maps), undefined=0.0).tolist())
    return {
        "class_seen": per_image(np.asarray(classes, dtype=np.int64)),
        "like_four": per_image(like[FOUR]),
        "like_one": per_image(like[ONE]),
    }


def worst_occlusions(model: nn.Module, images: Tensor, window: int, stride: int) -> tuple[Tensor, Tensor]:
    """Each picture with the white window where the score of a 1 is lowest, and the class that is seen there."""
    said = Occlusion(model, window=window, stride=stride, fill="white").interpret(images, ONE)
    score = said.details["position_score"].flatten(1)
    place = score.argmin(1)
    columns = said.details["position_score"].shape[-1]
    covered = images.clone()
    rows, lines = place // columns * stride, place % columns * stride
    y = torch.arange(images.shape[-2], device=images.device)
    x = torch.arange(images.shape[-1], device=images.device)
    inside_y = (y >= rows[:, None]) & (y < rows[:, None] + window)
    inside_x = (x >= lines[:, None]) & (x < lines[:, None] + window)
    covered[(inside_y[:, :, None] & inside_x[:, None])[:, None]] = 1.0
    seen = said.details["position_class"].flatten(1).gather(1, place[:, None])[:, 0]
    return covered, seen


def centred(values: Tensor) -> Tensor:
    """Values less the mean along the last axis."""
    return values - values.mean(dim=-1, keepdim=True)


def decide(measured: Measured, rule: Rule) -> Finding:
    """Of the pictures whose class changes, most must be seen as a 4."""
    del rule
    seen = values_of(measured, "class_seen")
    changed = seen != ONE
    share = _share_of_fours(seen)
    counts = {int(label): int((seen == label).sum()) for label in np.unique(seen)}
    like = {name: values_of(measured, f"like_{name}") for name in ("four", "one")}
    others = [label for label in counts if label != ONE]
    most = max(others, key=lambda label: counts[label], default=ONE)
    return Finding(
        [above("share of 4 among changed classes", share, 0.5)],
        images=seen.shape[1],
        seeds=seen.shape[0],
        numbers={
            "changed": float(changed.mean()),
            "most_seen": float(most),
            "share_of_most_seen": counts.get(most, 0) / max(1, int(changed.sum())),
            "like_four": float(like["four"].mean()),
            "like_one": float(like["one"].mean()),
        },
        note=(
            f"The class changes for {100 * changed.mean():.0f} % of the pictures, most often to {most}; the maps "
            f"correlate with the mean map of a 4 by {like['four'].mean():.2f}, of a 1 by {like['one'].mean():.2f}."
        ),
    )


def _share_of_fours(seen: NDArray[np.float64]) -> Estimate:
    def share(rows: NDArray[np.float64]) -> float:
        changed = int((rows != ONE).sum())
        return float((rows == FOUR).sum() / changed) if changed else 0.0

    return estimate(seen, share)
