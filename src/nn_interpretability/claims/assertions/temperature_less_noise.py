"""c23: temperature scaling makes DeepLIFT less noisy."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, fact
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.methods.deeplift import DeepLIFT
from nn_interpretability.metrics.roughness import high_frequency_share
from nn_interpretability.metrics.similarity import cosine
from nn_interpretability.storage.hdf5 import Array
from nn_interpretability.uncertainty.temperature import TemperatureScaling

TARGETS = ("logit", "probability")


def measure(context: Context, rule: Rule) -> Measured:
    """HF before and after the fitted temperature, cosine and ratio of the maps, for logits and for probabilities."""
    del rule
    images = context.test_images()[0].double()
    held_out = torch.from_numpy(context.digits.validation_images)[:, None].to(images) / 255
    labels = torch.from_numpy(context.digits.validation_labels).to(images.device)
    found: dict[str, list[np.ndarray]] = {}
    temperatures = []
    for network in context.networks("cnn"):
        model = copy.deepcopy(network).double()
        scaled = TemperatureScaling(model).fit(held_out, labels)
        temperatures.append(scaled.temperature)
        for target in TARGETS:
            before, after = (maps(each, images, target) for each in (model, scaled))
            each = {
                "before": high_frequency_share(before),
                "after": high_frequency_share(after),
                "cosine": cosine(before, after, undefined=0.0),
                "ratio": after.flatten(1).norm(dim=1) / before.flatten(1).norm(dim=1).clamp(min=1e-300),
            }
            for name, values in each.items():
                found.setdefault(f"{name}_{target}", []).append(values.cpu().numpy())
    measured = {name: per_image(values) for name, values in found.items()}
    return measured | {"temperature": Array(np.asarray(temperatures), ("seed",))}


def maps(model: nn.Module, images: Tensor, target: str) -> Tensor:
    """DeepLIFT of the largest logit, or of the softmax probability of the same class, RevealCancel, against black."""
    method = DeepLIFT(model, rule="reveal_cancel")
    if target == "logit":
        return method.interpret(images).values
    with torch.no_grad():
        classes = model(images).argmax(1, keepdim=True)

    def probability(scores: Tensor) -> Tensor:
        return scores.softmax(1).gather(1, classes)[:, 0]

    return method.interpret(images, probability).values


def decide(measured: Measured, rule: Rule) -> Finding:
    """The high frequencies must fall by more than rounding."""
    falls = {target: _fall(measured, target) for target in TARGETS}
    temperature = values_of(measured, "temperature")
    alike = values_of(measured, "cosine_logit")
    ratio = values_of(measured, "ratio_logit") * temperature[:, None]
    numbers = {
        "temperature": float(temperature[0]),
        "smallest_cosine_logit": float(alike.min()),
        "largest_error_of_the_ratio": float(np.abs(ratio - 1).max()),
        "largest_change_logit": float(np.abs(falls["logit"]).max()),
        "hf_logit": float(values_of(measured, "before_logit").mean()),
        "fall_probability": float(falls["probability"].mean()),
        "smallest_cosine_probability": float(values_of(measured, "cosine_probability").min()),
        "ratio_probability": float(np.median(values_of(measured, "ratio_probability"))),
    }
    fall = float(falls["logit"].mean())
    return Finding(
        [fact("relative fall of HF, maps of the logit", fall, rule.parameters["tolerance"], "above")],
        images=alike.shape[1],
        seeds=alike.shape[0],
        numbers=numbers,
        note=(
            f"The temperature is {temperature[0]:.3f}; the maps of the logit are the same up to 1/T, with a cosine of "
            f"at least {alike.min():.6f}; for maps of the probability HF falls by "
            f"{100 * numbers['fall_probability']:.2f} %."
        ),
    )


def _fall(measured: Measured, target: str) -> np.ndarray:
    """Relative fall of HF of each picture; 0 where there was none."""
    before, after = (values_of(measured, f"{when}_{target}") for when in ("before", "after"))
    return np.asarray((before - after) / np.where(before > 0, before, 1.0))
