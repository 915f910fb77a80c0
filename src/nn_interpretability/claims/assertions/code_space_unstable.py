"""c09: activation maximisation in code space gives less blurry images, but is unstable."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, above
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.metrics.roughness import high_frequency_share
from nn_interpretability.storage.hdf5 import Array
from nn_interpretability.study.published_synthesis import PublishedMaximization, rescaled
from nn_interpretability.synthesis.activation_maximization import ActivationMaximization
from nn_interpretability.synthesis.priors import SquaredDistance
from nn_interpretability.synthesis.result import Synthesis

SHAPE = (1, 28, 28)
WAYS = ("published", "corrected")


def measure(context: Context, rule: Rule) -> Measured:
    """Whether the judge refuses each image found in code space, and how much sharper it is than one from pixels."""
    judge, generator, means = context.network("all_conv_cnn"), context.generator("gan"), context.class_means()
    starts, steps = rule.parameters["starts"], min(context.budget.steps, rule.parameters["steps"])
    failed: dict[str, list[NDArray[np.float64]]] = {way: [] for way in WAYS}
    sharpness = []
    for model in context.networks("cnn"):
        common = {"steps": steps, "threshold": 0.99, "seed": context.seed}
        searches = {
            "published": PublishedMaximization(
                model, weight=0.01, centre=means, generator=generator, learning_rate=0.08, **common
            ),
            "corrected": ActivationMaximization(
                model, generator=generator, code_weight=0.2, learning_rate=1.0, **common
            ),
        }
        found = {way: search.synthesize("all", starts=starts, chunk=250) for way, search in searches.items()}
        shown = {"published": rescaled(found["published"].images), "corrected": found["corrected"].images}
        for way in WAYS:
            failed[way].append(refused(judge, shown[way], found[way], rule.parameters["probability"]))
        pixels = ActivationMaximization(
            model,
            priors=[SquaredDistance(0.001)],
            image_shape=SHAPE,
            learning_rate=0.005,
            steps=steps,
        ).synthesize("all", means)
        sharp = high_frequency_share(shown["published"]).reshape(len(means), starts).mean(1)
        sharpness.append((sharp - high_frequency_share(pixels.images)).cpu().numpy())
    return {
        **{f"failed_{way}": Array(np.stack(rows), ("seed", "start")) for way, rows in failed.items()},
        "sharper": Array(np.stack(sharpness), ("seed", "class")),
    }


def refused(judge: nn.Module, images: Tensor, found: Synthesis, probability: float) -> NDArray[np.float64]:
    """Of each image, whether the judge gives its class less than the probability: 1 or 0."""
    with torch.no_grad():
        said = torch.cat([judge(block) for block in images.split(500)]).double().softmax(1)
    given = said.gather(1, found.target[:, None])[:, 0]
    return np.asarray((given < probability).cpu().numpy(), dtype=np.float64)


def decide(measured: Measured, rule: Rule) -> Finding:
    """Enough images of the published search must fail, and they must be sharper than those searched among pixels."""
    failed = {way: values_of(measured, f"failed_{way}") for way in WAYS}
    corrected = mean_estimate(failed["corrected"])
    low, high = corrected.interval
    return Finding(
        [
            above("share of failures, as published", mean_estimate(failed["published"]), rule.parameters["failures"]),
            above("share of high frequencies, codes less pixels", mean_estimate(values_of(measured, "sharper")), 0.0),
        ],
        images=failed["published"].shape[1],
        seeds=failed["published"].shape[0],
        numbers={
            "failed_published": float(failed["published"].mean()),
            "failed_corrected": corrected.value,
            "failed_corrected_low": low,
            "failed_corrected_high": high,
        },
        note=(
            f"With the corrected objective {100 * corrected.value:.1f} % fail "
            f"(95 %: {100 * low:.1f} to {100 * high:.1f} %)."
        ),
    )
