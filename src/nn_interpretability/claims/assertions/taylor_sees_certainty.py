"""c20: deep Taylor decomposition shows uncertainty only where it is total."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from nn_interpretability.attribution import Attribution
from nn_interpretability.claims.context import Context
from nn_interpretability.claims.dropout_passes import by_angle, turned
from nn_interpretability.claims.finding import Finding, fact
from nn_interpretability.claims.resampled import auroc_estimate
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, values_of
from nn_interpretability.claims.signs import negative_share
from nn_interpretability.methods.lrp import LRP
from nn_interpretability.storage.hdf5 import Array
from nn_interpretability.uncertainty.evidential import opinion

_ROWS = 250


def measure(context: Context, rule: Rule) -> Measured:
    """Three signs of each turned picture, evidential network; negative shares and errors of the ordinary one."""
    angles = rule.parameters["angles"]
    images, labels = context.test_images()
    images, labels = turned(images, angles), labels.repeat(len(angles))
    found: dict[str, list[np.ndarray]] = {}

    def keep(**each: Tensor) -> None:
        for name, values in each.items():
            found.setdefault(name, []).append(by_angle(values, len(angles)))

    for model in context.networks("evidential_cnn"):
        said = deep_taylor(model, images)
        keep(
            negative_sum=said.total.to(images.device) < 0,
            no_positive_logit=(said.logits <= 0).all(1),
            total_uncertainty=opinion(said.logits).uncertainty == 1,
            negative_share=negative_share(said.values),
        )
    said = deep_taylor(context.network("cnn"), images)
    keep(ordinary_negative_share=negative_share(said.values), ordinary_wrong=said.logits.argmax(1) != labels)
    dims = {name: "ordinary_seed" if name.startswith("ordinary") else "seed" for name in found}
    return {name: Array(np.stack(values), (dims[name], "image", "angle")) for name, values in found.items()}


def deep_taylor(model: nn.Module, images: Tensor) -> Attribution:
    """Alpha1-beta0 from the largest logit, whatever its sign, as the study has it; in float64."""
    method = LRP(
        copy.deepcopy(model).double(),
        rule="alpha_beta",
        alpha=1,
        beta=0,
        bias="ignore",
        input_rule="z_box",
        input_bounds=(0, 1),
    )
    return method.interpret(images.to(torch.float64), chunk=_ROWS)


def decide(measured: Measured, rule: Rule) -> Finding:
    """The three signs must coincide for every picture."""
    negative, logits, total = (
        values_of(measured, name) > 0 for name in ("negative_sum", "no_positive_logit", "total_uncertainty")
    )
    apart = (negative != logits) | (logits != total)
    share = values_of(measured, "negative_share")
    area = auroc_estimate(values_of(measured, "ordinary_negative_share"), values_of(measured, "ordinary_wrong"))
    low, high = area.interval
    margin = rule.parameters["margin"]
    return Finding(
        [fact("pictures where the signs do not coincide", float(apart.sum()), 1)],
        images=total.shape[1],
        seeds=total.shape[0],
        numbers={
            "total_uncertainty": float(total.mean()),
            "largest_negative_share_elsewhere": float(share[~total].max()) if not total.all() else 0.0,
            "auroc_ordinary": area.value,
            "auroc_ordinary_low": low,
            "auroc_ordinary_high": high,
            "auroc_ordinary_p_equivalent": max(area.p_above(0.5 - margin), area.p_below(0.5 + margin)),
        },
        note=(
            f"u is 1 for {100 * total.mean():.1f} % of the turned pictures; for the ordinary network, the negative "
            f"share tells errors with an AUROC of {area.value:.2f} ({low:.2f} to {high:.2f})."
        ),
    )
