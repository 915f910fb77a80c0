"""c28: for SmoothGrad more than 50 samples and a noise of 10 to 20 % are enough."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, above
from nn_interpretability.claims.quality import flipping, predicted
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.methods.gradient import Gradient
from nn_interpretability.methods.smoothgrad import SmoothGrad
from nn_interpretability.metrics.similarity import spearman
from nn_interpretability.storage.hdf5 import Array


def measure(context: Context, rule: Rule) -> Measured:
    """Rank correlation of the maps of few and of many samples, and the faithfulness of each noise level."""
    parameters = rule.parameters
    images, _ = context.test_images(min(parameters["pictures"], context.budget.images))
    few, many = (parameters[name] for name in ("samples", "many"))
    found: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    for model in context.networks("cnn"):
        gradient, target = Gradient(model), predicted(model, images)
        maps = {
            sigma: SmoothGrad(gradient, samples=few, sigma=sigma, seed=context.seed).interpret(images, target).values
            for sigma in parameters["sigmas"]
        }
        # Other noise than that of the few: shared samples would make them alike.
        settled = SmoothGrad(
            gradient, samples=many, sigma=parameters["sigma"], seed=context.seed + 1, antithetic=True
        ).interpret(images, target)
        found["rank"].append(spearman(maps[parameters["sigma"]], settled.values, undefined=0.0).cpu().numpy())
        areas = [flipping(model, images, values, target, steps=parameters["steps"]) for values in maps.values()]
        found["faithfulness"].append(np.stack(areas, axis=-1))
    return {
        "rank": per_image(found["rank"]),
        "faithfulness": Array(np.stack(found["faithfulness"]), ("seed", "image", "sigma")),
    }


def decide(measured: Measured, rule: Rule) -> Finding:
    """Maps of 50 samples must be settled, and the best noise level must mostly lie in the range."""
    parameters = rule.parameters
    rank, faithful = values_of(measured, "rank"), values_of(measured, "faithfulness")
    sigmas = np.asarray(parameters["sigmas"])
    low, high = parameters["range"]
    best = sigmas[faithful.argmax(axis=-1)]
    means = faithful.mean(axis=(0, 1))
    return Finding(
        [
            above("share of pictures that are settled", mean_estimate(rank >= parameters["rank"]), parameters["share"]),
            above("share of pictures best in the range", mean_estimate((best >= low) & (best <= high)), 0.5),
        ],
        images=rank.shape[1],
        seeds=rank.shape[0],
        numbers={
            "median_rank": float(np.median(rank)),
            "best_sigma_in_the_mean": float(sigmas[means.argmax()]),
            **{
                f"faithfulness_sigma_{round(100 * sigma)}": float(mean)
                for sigma, mean in zip(sigmas, means, strict=True)
            },
        },
        note=(
            f"Maps of {parameters['samples']} samples have a rank correlation of {np.median(rank):.3f} in the median "
            "with settled ones. In the mean over pictures pixel flipping is best for "
            f"{100 * sigmas[means.argmax()]:.0f} % of the range."
        ),
    )
