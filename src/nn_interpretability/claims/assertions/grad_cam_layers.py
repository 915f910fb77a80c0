"""c12: Grad-CAM is more precise in early layers."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, below
from nn_interpretability.claims.quality import flipping, mass_on_ink, predicted
from nn_interpretability.claims.ranks import rank_correlations
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.methods.cam import CAM
from nn_interpretability.methods.grad_cam import GradCAM
from nn_interpretability.storage.hdf5 import Array

LAYERS = ("relu1", "relu2", "relu3")


def measure(context: Context, rule: Rule) -> Measured:
    """Pixel flipping and mass on ink of Grad-CAM behind each ReLU, and the error of its identity with CAM."""
    images, _ = context.test_images()
    steps = rule.parameters["flips"]
    flips, masses, errors = [], [], []
    for model in context.networks("cam_3x3"):
        target = predicted(model, images)
        maps = [GradCAM(model, layer=layer).interpret(images, target).values for layer in LAYERS]
        flips.append(np.stack([flipping(model, images, each, target, steps=steps) for each in maps], axis=1))
        masses.append(np.stack([mass_on_ink(images, each) for each in maps], axis=1))
        errors.append(_identity_error(model, images, target))
    dims = ("seed", "image", "layer")
    return {
        "flipping": Array(np.stack(flips), dims),
        "mass": Array(np.stack(masses), dims),
        "identity_error": Array(np.asarray(errors), ("seed",)),
    }


def _identity_error(model: nn.Module, images: torch.Tensor, target: torch.Tensor) -> float:
    """Largest difference of Grad-CAM, before its ReLU, from CAM / (H W) at the last layer, over the largest value."""
    grad_cam = GradCAM(model, layer=LAYERS[-1], relu=False).interpret(images, target).details["raw_map"].double()
    cam = CAM(model).interpret(images, target).details["raw_map"].double() / grad_cam[0].numel()
    return float((grad_cam - cam).abs().max() / cam.abs().max())


def decide(measured: Measured, rule: Rule) -> Finding:
    """Both measures must fall from layer to layer."""
    del rule
    values = {what: values_of(measured, what) for what in ("mass", "flipping")}
    trends = {what: mean_estimate(_trend(each)) for what, each in values.items()}
    seeds, images, _ = values["mass"].shape
    numbers = {
        f"{what}_{layer}": float(each[..., place].mean())
        for what, each in values.items()
        for place, layer in enumerate(LAYERS)
    }
    error = float(values_of(measured, "identity_error").max())
    return Finding(
        [below(f"rank correlation of depth and {what}", trend, 0.0) for what, trend in trends.items()],
        images=images,
        seeds=seeds,
        numbers={**numbers, "identity_error": error},
        note=f"At the last layer Grad-CAM before its ReLU is CAM / (H W), but for {error:.1g} of the largest value.",
    )


def _trend(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank correlation of depth with a measure ``(seed, image, layer)``, per seed and picture."""
    rows = torch.from_numpy(values).flatten(0, 1)
    depth = torch.arange(rows.shape[1], dtype=torch.float64).expand_as(rows)
    return np.asarray(rank_correlations(rows, depth).reshape(values.shape[:2]).numpy())
