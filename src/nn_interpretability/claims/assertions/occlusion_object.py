"""c10: covering the object lowers the score most, so the decision rests on the object."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, above
from nn_interpretability.claims.quality import predicted
from nn_interpretability.claims.ranks import partial_rank_correlations
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.methods.fills import Fill
from nn_interpretability.methods.occlusion import Occlusion

FILLS: tuple[Fill, ...] = ("black", "white", "blur")


def measure(context: Context, rule: Rule) -> Measured:
    """Of each picture, the partial rank correlation of the drop with the ink under the window, for each fill."""
    images, _ = context.test_images()
    window, stride = rule.parameters["window"], rule.parameters["stride"]
    ink = ink_under_windows(images, window, stride)
    distance = distances(images.shape[-1], window, stride).expand_as(ink).to(ink.device)
    found: dict[str, list[list[float]]] = {str(fill): [] for fill in FILLS}
    for model in context.networks("cnn"):
        target = predicted(model, images)
        for fill in FILLS:
            said = Occlusion(model, window=window, stride=stride, fill=fill).interpret(images, target)
            drop = said.score[:, None] - said.details["position_score"].flatten(1)
            found[str(fill)].append(partial_rank_correlations(drop, ink, distance).tolist())
    return {f"correlation_{fill}": per_image(values) for fill, values in found.items()}


def decide(measured: Measured, rule: Rule) -> Finding:
    """The mean correlation must be positive whatever the window is filled with."""
    del rule
    values = {fill: values_of(measured, f"correlation_{fill}") for fill in FILLS}
    conditions = [
        above(f"partial rank correlation, {fill} window", mean_estimate(each), 0.0) for fill, each in values.items()
    ]
    seeds, images = values["black"].shape
    return Finding(
        sorted(conditions, key=lambda each: each.value),
        images=images,
        seeds=seeds,
        numbers={f"correlation_{fill}": float(each.mean()) for fill, each in values.items()},
    )


def ink_under_windows(images: Tensor, window: int, stride: int) -> Tensor:
    """Mean brightness under the window at each of its positions, row by row, ``(n, positions)``."""
    return functional.avg_pool2d(images, window, stride)[:, 0].flatten(1)


def distances(side: int, window: int, stride: int) -> Tensor:
    """Distance of the window's centre from that of the picture at each position, row by row, ``(1, positions)``."""
    offset = torch.arange(0, side - window + 1, stride) + (window - side) / 2
    return torch.hypot(offset[:, None], offset[None]).flatten()[None]
