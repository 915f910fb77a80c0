"""c18: the uncertainty of the evidential network rises in the middle of the turn."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.dropout_passes import by_angle
from nn_interpretability.claims.finding import Finding, above
from nn_interpretability.claims.ones import ONE, turned_from_upright
from nn_interpretability.claims.peaks import peak_in_middle, peak_place
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.storage.hdf5 import Array
from nn_interpretability.uncertainty.auroc import area
from nn_interpretability.uncertainty.evidential import opinion

NETWORK, OTHERS = "evidential_cnn", ("evidential_kl_01", "evidential_kl_0")
JUDGED = 2000
"""Test pictures on which uncertainty is compared with errors: errors are few."""

_BLOCK = 500


def measure(context: Context, rule: Rule) -> Measured:
    """The uncertainty u of upright ones at each angle; and of test pictures, with whether the network is wrong."""
    angles = rule.parameters["angles"]
    images = turned_from_upright(context.test_images_of(ONE), angles)
    judged, labels = context.test_images(JUDGED)
    networks = context.networks(NETWORK)
    turns = [by_angle(opinion(logits_of(model, images)).uncertainty, len(angles)) for model in networks]
    found = {"uncertainty": Array(np.stack(turns), ("seed", "image", "angle"))}
    others = {name: [context.network(name)] for name in OTHERS if name in context.trained}
    for name, models in {NETWORK: networks, **others}.items():
        logits = [logits_of(model, judged).double() for model in models]
        u = torch.stack([opinion(each).uncertainty for each in logits])
        wrong = torch.stack([each.argmax(1) != labels for each in logits])
        found[f"{name}_uncertainty"] = Array(u.cpu().numpy(), (f"{name}_seed", "judged"))
        found[f"{name}_wrong"] = Array(wrong.cpu().numpy().astype(np.int64), (f"{name}_seed", "judged"))
    return found


def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    """Logits of many pictures, ``(n, classes)``."""
    with torch.no_grad():
        return torch.cat([model(block) for block in images.split(_BLOCK)])


def decide(measured: Measured, rule: Rule) -> Finding:
    """More than a third of the pictures must peak in the middle third."""
    u = values_of(measured, "uncertainty")
    last = len(rule.parameters["angles"]) - 1
    numbers = {
        "share_at_the_last_angle": float((peak_place(u) == last).mean()),
        "abstains": float((u == 1).mean()),
        "uncertainty_upright": float(u[:, :, 0].mean()),
        "uncertainty_middle": float(u[:, :, last // 2].mean()),
        "uncertainty_last": float(u[:, :, last].mean()),
    }
    areas = {name: _auroc_for_errors(measured, name) for name in (NETWORK, *OTHERS)}
    numbers |= {f"auroc_errors_{name}": area for name, area in areas.items() if area is not None}
    told = ", ".join(f"{area:.2f} ({name})" for name, area in areas.items() if area is not None)
    return Finding(
        [above("share that peaks in the middle third", mean_estimate(peak_in_middle(u)), 1 / 3)],
        images=u.shape[1],
        seeds=u.shape[0],
        numbers=numbers,
        note=(
            f"u is {numbers['uncertainty_upright']:.2f} upright, {numbers['uncertainty_middle']:.2f} in the middle and "
            f"{numbers['uncertainty_last']:.2f} at the last angle"
            + (f"; its AUROC for errors is {told}." if told else ".")
        ),
    )


def _auroc_for_errors(measured: Measured, name: str) -> float | None:
    """Mean over training seeds; None where the network was not trained, or some seed makes no errors."""
    if f"{name}_wrong" not in measured:
        return None
    u, wrong = (values_of(measured, f"{name}_{what}") for what in ("uncertainty", "wrong"))
    areas = [area(*each) for each in zip(u, wrong, strict=True)]
    known = [each for each in areas if each is not None]
    return float(np.mean(known)) if known else None
