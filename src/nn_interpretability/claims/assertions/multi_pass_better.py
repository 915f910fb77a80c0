"""c21: DeepLIFT over many dropout passes is better than over one, and good enough, if less detailed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nn_interpretability.claims.context import Context, NotRun
from nn_interpretability.claims.dropout_passes import SEED
from nn_interpretability.claims.finding import Finding, above, below
from nn_interpretability.claims.quality import flipping, predicted
from nn_interpretability.claims.resampled import ratio_estimate
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.methods.deeplift import DeepLIFT
from nn_interpretability.metrics.roughness import high_frequency_share
from nn_interpretability.metrics.similarity import spearman
from nn_interpretability.stochastic.mc_dropout import MCDropout
from nn_interpretability.stochastic.passes import BLOCK

PICTURES, PASSES = 3, 2
"""One of so many pictures, and of so many passes: image and reference pass the network together."""


def measure(context: Context, rule: Rule) -> Measured:
    """Rank correlations with the map without dropout, PF and HF of many passes and of the plain network."""
    del rule
    images, labels = context.test_images(max(2, context.budget.images // PICTURES))
    passes = max(2, context.budget.passes // PASSES)
    found: dict[str, list[NDArray[np.float64]]] = {}

    def keep(**each: Tensor | NDArray[np.float64]) -> None:
        for name, values in each.items():
            found.setdefault(name, []).append(np.asarray(values, dtype=np.float64))

    for dropout, plain in zip(context.networks("dropout_cnn"), context.networks("cnn"), strict=True):
        method = DeepLIFT(dropout, rule="reveal_cancel")
        still = method.interpret(images, labels).values
        many, one = (mean_map(method, images, labels, count) for count in (passes, 1))
        ordinary = DeepLIFT(plain, rule="reveal_cancel").interpret(images, labels).values
        right = (predicted(dropout, images) == labels) & (predicted(plain, images) == labels)
        keep(
            rank_many=spearman(many, still, undefined=0.0).cpu(),
            rank_one=spearman(one, still, undefined=0.0).cpu(),
            rank_many_plain=spearman(many, ordinary, undefined=0.0).cpu(),
            flipping_many=flipping(dropout, images, many, labels),
            flipping_one=flipping(dropout, images, one, labels),
            flipping_plain=flipping(plain, images, ordinary, labels),
            right=right.cpu(),
            high_many=high_frequency_share(many).cpu(),
            high_one=high_frequency_share(one).cpu(),
            high_plain=high_frequency_share(ordinary).cpu(),
        )
    if not np.any(found["right"]):
        raise NotRun("no picture is named rightly by both networks.")
    return {name: per_image(values) for name, values in found.items()}


def mean_map(method: DeepLIFT, images: Tensor, labels: Tensor, passes: int) -> Tensor:
    """Mean map over the first so many passes; an image and its reference see the same masks."""
    cloud = MCDropout(method, passes=passes, seed=SEED, block=min(BLOCK, passes), products=("mean",))
    return cloud.interpret(images, labels).mean


def decide(measured: Measured, rule: Rule) -> Finding:
    """Many passes must rank better than one, flip pixels about as well as the plain network, and be smoother."""
    many, one = values_of(measured, "rank_many"), values_of(measured, "rank_one")
    right = values_of(measured, "right")
    flipped = {name: values_of(measured, f"flipping_{name}") for name in ("many", "one", "plain")}
    high = {name: values_of(measured, f"high_{name}") for name in ("many", "one", "plain")}
    numbers = {
        "rank_many": float(many.mean()),
        "rank_one": float(one.mean()),
        "rank_many_plain": float(values_of(measured, "rank_many_plain").mean()),
    }
    numbers |= {f"flipping_{name}": float((values * right).sum() / right.sum()) for name, values in flipped.items()}
    numbers |= {f"high_{name}": float(values.mean()) for name, values in high.items()}
    less = ratio_estimate((flipped["many"] - flipped["plain"]) * right, right)
    smoother = ratio_estimate(high["many"], high["plain"])
    return Finding(
        [
            above("rank, many passes less one", mean_estimate(many - one), 0),
            above("PF, many passes less the plain network", less, -rule.parameters["margin"]),
            below("HF, many passes over the plain network", smoother, rule.parameters["ratio"]),
        ],
        images=many.shape[1],
        seeds=many.shape[0],
        numbers=numbers,
        note=(
            f"With the map without dropout, maps of many passes correlate by {many.mean():.2f} and of one pass by "
            f"{one.mean():.2f}. PF is {numbers['flipping_many']:.2f} for many passes, {numbers['flipping_one']:.2f} "
            f"for one and {numbers['flipping_plain']:.2f} for the plain network; HF {numbers['high_many']:.2f}, "
            f"{numbers['high_one']:.2f} and {numbers['high_plain']:.2f}."
        ),
    )
