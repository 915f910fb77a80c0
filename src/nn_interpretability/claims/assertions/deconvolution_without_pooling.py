"""c29: deconvolution fails without pooling; strided convolution in place of pooling costs no accuracy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, above, equivalent
from nn_interpretability.claims.quality import flipping, predicted, right_answers
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.methods.deconvolution import Deconvolution
from nn_interpretability.methods.guided_backprop import GuidedBackprop
from nn_interpretability.storage.hdf5 import Array

NETWORKS = ("all_conv_cnn", "cnn")


def measure(context: Context, rule: Rule) -> Measured:
    """Pixel flipping of both methods on both networks, and the networks' right answers on all test pictures."""
    images, _ = context.test_images()
    steps = rule.parameters["flips"]
    measured: dict[str, Array] = {}
    for name in NETWORKS:
        guided: list[NDArray[np.float64]] = []
        deconvolved: list[NDArray[np.float64]] = []
        right = []
        for model in context.networks(name):
            target = predicted(model, images)
            for method, found in ((GuidedBackprop(model), guided), (Deconvolution(model), deconvolved)):
                found.append(flipping(model, images, method.interpret(images, target).values, target, steps=steps))
            right.append(right_answers(model, context.digits, context.device))
        measured |= {
            f"guided_{name}": per_image(guided),
            f"deconvolution_{name}": per_image(deconvolved),
            f"right_{name}": Array(np.stack(right), ("seed", "test_image")),
        }
    return measured


def decide(measured: Measured, rule: Rule) -> Finding:
    """Guided backpropagation must be better on the network without pooling, and that network as accurate."""
    found = {key: values_of(measured, key) for key in measured}
    gain = {name: found[f"guided_{name}"] - found[f"deconvolution_{name}"] for name in NETWORKS}
    cost = found["right_cnn"] - found["right_all_conv_cnn"]
    seeds, images = gain["all_conv_cnn"].shape
    return Finding(
        [
            above("pixel flipping, guided less deconvolution, no pooling", mean_estimate(gain["all_conv_cnn"]), 0.0),
            *equivalent("accuracy lost without pooling", mean_estimate(cost), rule.parameters["margin"]),
        ],
        images=images,
        seeds=seeds,
        numbers={
            **{f"gain_{name}": float(each.mean()) for name, each in gain.items()},
            **{f"accuracy_{name}": float(found[f"right_{name}"].mean()) for name in NETWORKS},
        },
        note=(
            f"With pooling guided backpropagation is better by {gain['cnn'].mean():.2f}, without by "
            f"{gain['all_conv_cnn'].mean():.2f}."
        ),
    )
