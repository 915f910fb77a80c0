"""c06: deep Taylor decomposition equals LRP-alpha1-beta0."""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nn_interpretability.claims.context import Context, NotRun
from nn_interpretability.claims.differences import relative_difference
from nn_interpretability.claims.finding import Finding, identity
from nn_interpretability.claims.quality import predicted
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.claims.taylor_expansion import taylor_step
from nn_interpretability.methods.deep_taylor import DeepTaylor
from nn_interpretability.methods.lrp import LRP
from nn_interpretability.storage.hdf5 import Array

Policy = Literal["absorb", "ignore"]

POLICIES: tuple[Policy, ...] = ("absorb", "ignore")
BOUNDS = (0.0, 1.0)


def measure(context: Context, rule: Rule) -> Measured:
    """Differences of both methods under each bias policy, and of deep Taylor from an expansion step by step."""
    del rule
    images = context.test_images()[0].double()
    free = copy.deepcopy(context.network("bias_free_cnn")).double()
    models = [copy.deepcopy(network).double() for network in context.networks("cnn")]
    images = images[_explainable([free, *models], images)]
    found: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    for model in models:
        target = predicted(model, images)
        taylor, lrp = (
            {bias: method(model, bias).interpret(images, target).values for bias in POLICIES}
            for method in (_taylor, _alpha1_beta0)
        )
        for bias in POLICIES:
            found[f"difference_{bias}"].append(relative_difference(taylor[bias], lrp[bias]))
        found["difference_mixed"].append(relative_difference(taylor["ignore"], lrp["absorb"]))
    expanded = Array(_difference_of_expansion(free, images), ("image",))
    return {**{name: per_image(values) for name, values in found.items()}, "difference_expansion": expanded}


def _taylor(model: nn.Module, bias: Policy) -> DeepTaylor:
    return DeepTaylor(model, bias=bias, input_bounds=BOUNDS)


def _alpha1_beta0(model: nn.Module, bias: Policy) -> LRP:
    return LRP(model, rule="alpha_beta", alpha=1.0, beta=0.0, bias=bias, input_rule="z_box", input_bounds=BOUNDS)


def _explainable(models: list[nn.Module], images: Tensor) -> Tensor:
    """Pictures with a positive score in all networks: deep Taylor decomposition has nothing to decompose elsewhere."""
    with torch.no_grad():
        positive = torch.stack([model(images).amax(dim=1) > 0 for model in models]).all(dim=0)
    if not bool(positive.any()):
        raise NotRun("no picture has a positive score in all networks, and deep Taylor decomposition needs one.")
    return positive


def _difference_of_expansion(model: nn.Module, images: Tensor) -> NDArray[np.float64]:
    """Deep Taylor at the input of the linear layers of ``bias_free_cnn``, against the expansion unit by unit."""
    explained = DeepTaylor(model, input_bounds=BOUNDS, layer="features.relu2").interpret(images)
    first, second = (model.get_parameter(f"classifier.{name}.weight") for name in ("fc1", "fc2"))
    with torch.no_grad():
        activations = model.get_submodule("features")(images).flatten(1)
        hidden = (activations @ first.mT).relu()
        scores = hidden @ second.mT
        start = torch.zeros_like(scores).scatter_(1, scores.argmax(1, keepdim=True), scores.amax(1, keepdim=True))
        relevance = taylor_step(activations, first, taylor_step(hidden, second, start))
    return relative_difference(explained.values.flatten(1), relevance)


def decide(measured: Measured, rule: Rule) -> Finding:
    """All differences but that of mixed policies must be rounding."""
    same = np.maximum(values_of(measured, "difference_absorb"), values_of(measured, "difference_ignore"))
    expansion = values_of(measured, "difference_expansion")
    mixed = values_of(measured, "difference_mixed")
    tolerance = rule.parameters["tolerance"]
    return Finding(
        [
            identity("relative difference under the same bias policy", float(same.max()), tolerance),
            identity("relative difference from the expansion at root points", float(expansion.max()), tolerance),
        ],
        images=same.shape[1],
        seeds=same.shape[0],
        numbers={"median_difference_mixed": float(np.median(mixed)), "largest_difference_mixed": float(mixed.max())},
        note=(
            "With biases in the denominators of LRP and not in those of deep Taylor decomposition the maps differ by "
            f"{100 * np.median(mixed):.1f} % of the largest relevance in the median."
        ),
    )
