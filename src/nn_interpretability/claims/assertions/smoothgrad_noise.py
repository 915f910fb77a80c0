"""c01: SmoothGrad suppresses the noise of gradients."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.claims.blur import blurred_to
from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, above, below
from nn_interpretability.claims.quality import flipping, predicted
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.methods.gradient import Gradient
from nn_interpretability.methods.smoothgrad import SmoothGrad
from nn_interpretability.metrics.roughness import total_variation


def measure(context: Context, rule: Rule) -> Measured:
    """Roughness and faithfulness of the gradient, of SmoothGrad, and of the gradient blurred to the same roughness."""
    images, _ = context.test_images()
    noise = {"samples": rule.parameters["samples"], "sigma": rule.parameters["sigma"], "seed": context.seed}
    found: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    for model in context.networks("cnn"):
        target = predicted(model, images)
        gradient = Gradient(model).interpret(images, target).values
        smooth = SmoothGrad(Gradient(model), **noise).interpret(images, target).values
        blurred, sigma = blurred_to(gradient, total_variation(smooth, undefined=0.0))
        maps = {"gradient": gradient, "smoothgrad": smooth, "blurred": blurred}
        for name, values in maps.items():
            roughness = total_variation(values, undefined=0.0).cpu().numpy()
            found[f"roughness_{name}"].append(roughness)
            area = flipping(model, images, values, target)
            found[f"faithfulness_{name}"].append(area)
        found["blur"].append(sigma.cpu().numpy())
    return {name: per_image(values) for name, values in found.items()}


def decide(measured: Measured, rule: Rule) -> Finding:
    """Smoother than the gradient, and no less faithful than a blur that is as smooth."""
    rough = {name: values_of(measured, f"roughness_{name}") for name in ("gradient", "smoothgrad")}
    faithful = {name: values_of(measured, f"faithfulness_{name}") for name in ("gradient", "smoothgrad", "blurred")}
    blur = float(values_of(measured, "blur").mean())
    smoother = mean_estimate(rough["smoothgrad"] - rough["gradient"])
    no_worse = mean_estimate(faithful["smoothgrad"] - faithful["blurred"])
    return Finding(
        [
            below("total variation, SmoothGrad less gradient", smoother, 0.0),
            above("pixel flipping, SmoothGrad less blurred gradient", no_worse, -rule.parameters["margin"]),
        ],
        images=rough["gradient"].shape[1],
        seeds=rough["gradient"].shape[0],
        numbers={
            **{f"roughness_{name}": float(values.mean()) for name, values in rough.items()},
            **{f"faithfulness_{name}": float(values.mean()) for name, values in faithful.items()},
            "blur": blur,
        },
        note=f"A blur of the gradient with a standard deviation of {blur:.2f} pixels in the mean is as smooth.",
    )
