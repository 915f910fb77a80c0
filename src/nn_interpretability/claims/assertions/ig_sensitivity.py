"""c27: gradients violate sensitivity; integrated gradients satisfy it, and implementation invariance."""

from __future__ import annotations

import copy
from collections import defaultdict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, identity
from nn_interpretability.claims.quality import predicted, removal_effects
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.claims.toy_networks import Nested, Saturated, Shifted
from nn_interpretability.methods.deeplift import DeepLIFT
from nn_interpretability.methods.gradient import Gradient
from nn_interpretability.methods.integrated_gradients import IntegratedGradients
from nn_interpretability.storage.hdf5 import Array

ROUNDING = 1e-9
"""An effect, or an attribution, relative to the score, that is none."""


def measure(context: Context, rule: Rule) -> Measured:
    """Errors on the networks of the paper, and ink pixels of digits whose gradient vanishes although they matter."""
    steps = rule.parameters["steps"]
    images = context.test_images()[0].double()
    found: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    for network in context.networks("cnn"):
        model = copy.deepcopy(network).double()
        for name, values in _blind_pixels(model, images, steps).items():
            found[name].append(values)
    toys = {name: Array(np.asarray(value), ()) for name, value in _toys(steps).items()}
    return {**{name: per_image(values) for name, values in found.items()}, **toys}


def _blind_pixels(model: nn.Module, images: Tensor, steps: int) -> dict[str, NDArray[np.float64]]:
    """Shares of ink pixels that the gradient, and integrated gradients, do not see."""
    target = predicted(model, images)
    gradient = Gradient(model).interpret(images, target)
    integrated = IntegratedGradients(model, steps=steps).interpret(images, target).values
    none = ROUNDING * gradient.score.abs().clamp(min=ROUNDING)[:, None, None]
    ink = images[:, 0] > 0
    matters = ink & (removal_effects(model, images, target).abs() > none)
    blind = ink & (gradient.values[:, 0] == 0)
    seen = integrated[:, 0].abs() > none
    shares = {
        "removal_seen_only": matters & blind,
        "integrated_seen_only": seen & blind,
        "integrated_blind": matters & ~seen,
    }
    size = ink.flatten(1).sum(dim=1).clamp(min=1)
    return {name: (where.flatten(1).sum(dim=1) / size).cpu().numpy() for name, where in shares.items()}


def _toys(steps: int) -> dict[str, float]:
    """Errors of integrated gradients from their closed forms, and what other methods say."""
    one, two = (torch.tensor([point], dtype=torch.float64) for point in ([2.0], [3.0, 1.0]))
    integrated = [
        IntegratedGradients(toy, steps=steps).interpret(point, 0).values
        for toy, point in ((Saturated(), one), (Nested(), two), (Shifted(), two))
    ]
    right = [torch.tensor([values], dtype=torch.float64) for values in ([1.0], [1.5, -0.5], [1.5, -0.5])]
    deeplift = [DeepLIFT(toy).interpret(two, 0).values for toy in (Nested(), Shifted())]
    return {
        "gradient_error": float(Gradient(Saturated()).interpret(one, 0).values.abs().max()),
        "integrated_error": max(float((a - b).abs().max()) for a, b in zip(integrated, right, strict=True)),
        "deeplift_difference": float((deeplift[0] - deeplift[1]).abs().max()),
    }


def decide(measured: Measured, rule: Rule) -> Finding:
    """The gradient must vanish on the saturated network, and integrated gradients must be right on all."""
    missed = values_of(measured, "removal_seen_only")
    tolerance = rule.parameters["tolerance"]
    integrated, gradient = (float(values_of(measured, f"{name}_error")) for name in ("integrated", "gradient"))
    integrated_blind = float(values_of(measured, "integrated_blind").mean())
    deeplift = float(values_of(measured, "deeplift_difference"))
    return Finding(
        [
            identity("error of integrated gradients on toy networks", integrated, tolerance),
            identity("gradient of a saturated toy network", gradient, tolerance),
        ],
        images=missed.shape[1],
        seeds=missed.shape[0],
        numbers={
            "share_without_gradient": float(missed.mean()),
            "share_without_gradient_but_integrated": float(values_of(measured, "integrated_seen_only").mean()),
            "share_without_integrated": integrated_blind,
            "deeplift_difference": deeplift,
        },
        note=(
            f"On the toy networks the gradient is {gradient:.2g} where the score has risen by 1; DeepLIFT (Rescale) "
            f"differs by {deeplift:.2g} between two that compute one function. On the trained networks "
            f"{100 * missed.mean():.2g} % of the ink pixels change the score when they alone are removed and have no "
            f"gradient; {100 * integrated_blind:.2g} % have no integrated gradient."
        ),
    )
