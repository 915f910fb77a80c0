"""c11: a lower ratio of input size to map size gives better class activation maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, above, equivalent
from nn_interpretability.claims.quality import flipping, mass_on_ink, predicted, right_answers
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.methods.cam import CAM
from nn_interpretability.storage.hdf5 import Array

SIZES = ("cam_3x3", "cam_6x6", "cam_9x9")


def measure(context: Context, rule: Rule) -> Measured:
    """Pixel flipping and mass on ink of the maps of each network, and its right answers on all test pictures."""
    images, _ = context.test_images()
    steps = rule.parameters["flips"]
    measured: dict[str, Array] = {}
    for name in SIZES:
        flips, masses, right = [], [], []
        for model in context.networks(name):
            target = predicted(model, images)
            maps = CAM(model).interpret(images, target).values
            flips.append(flipping(model, images, maps, target, steps=steps))
            masses.append(mass_on_ink(images, maps))
            right.append(right_answers(model, context.digits, context.device))
        measured |= {
            f"flipping_{name}": per_image(flips),
            f"mass_{name}": per_image(masses),
            f"right_{name}": Array(np.stack(right), ("seed", "test_image")),
        }
    return measured


def decide(measured: Measured, rule: Rule) -> Finding:
    """Both measures must be better for the larger map; accuracies and the third size are reported."""

    def gain(what: str, larger: str, smaller: str) -> NDArray[np.float64]:
        return values_of(measured, f"{what}_{larger}") - values_of(measured, f"{what}_{smaller}")

    flips, masses = (gain(what, "cam_6x6", "cam_3x3") for what in ("flipping", "mass"))
    right = gain("right", "cam_6x6", "cam_3x3")
    alike = equivalent("accuracy", mean_estimate(right), rule.parameters["margin"])
    numbers = {
        f"accuracy_difference_{key}": value for key, value in zip(("low", "high"), alike[0].interval, strict=True)
    }
    for name in SIZES:
        numbers |= {
            f"{what}_{name}": float(values_of(measured, f"{what}_{name}").mean()) for what in ("flipping", "mass")
        }
        numbers[f"accuracy_{name}"] = float(values_of(measured, f"right_{name}").mean())
    return Finding(
        [
            above("pixel flipping, 6 x 6 less 3 x 3", mean_estimate(flips), 0.0),
            above("mass on ink, 6 x 6 less 3 x 3", mean_estimate(masses), 0.0),
        ],
        images=flips.shape[1],
        seeds=flips.shape[0],
        numbers=numbers,
        note=(
            f"Accuracies differ by {100 * right.mean():.2f} points (6 x 6 less 3 x 3); with 9 x 9 positions, pixel "
            f"flipping is {numbers['flipping_cam_9x9']:.2f} and mass {numbers['mass_cam_9x9']:.2f}, against "
            f"{numbers['flipping_cam_6x6']:.2f} and {numbers['mass_cam_6x6']:.2f} with 6 x 6."
        ),
    )
