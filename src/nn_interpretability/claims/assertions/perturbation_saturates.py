"""c34: perturbation underestimates features whose effect is saturated."""

from __future__ import annotations

import copy
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nn_interpretability.claims.context import Context
from nn_interpretability.claims.finding import Finding, above
from nn_interpretability.claims.quality import predicted, removal_effects
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.methods.deeplift import DeepLIFT


def measure(context: Context, rule: Rule) -> Measured:
    """Shares of ink pixels that perturbation, or DeepLIFT, takes for much weaker than the other does."""
    images = context.test_images()[0].double()
    found: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    for network in context.networks("cnn"):
        model = copy.deepcopy(network).double()
        target = predicted(model, images)
        explained = DeepLIFT(model, rule="reveal_cancel").interpret(images, target)
        effects, contributions = removal_effects(model, images, target), explained.values[:, 0]
        ink = images[:, 0] > 0
        below = rule.parameters["effect"]
        found["underestimated"].append(share_far_below(effects, contributions, ink, below).cpu().numpy())
        found["overestimated"].append(share_far_below(contributions, effects, ink, below).cpu().numpy())
        found["sum_of_effects"].append(effects.flatten(1).sum(dim=1).cpu().numpy())
        found["sum_of_contributions"].append(contributions.flatten(1).sum(dim=1).cpu().numpy())
    return {name: per_image(values) for name, values in found.items()}


def share_far_below(values: Tensor, others: Tensor, ink: Tensor, ratio: float) -> Tensor:
    """Share of the ink pixels where one map is large and the other is next to nothing, of both the magnitudes.

    Parameters
    ----------
    values, others
        Maps ``(n, h, w)`` in the same units.
    ink
        Which pixels count, boolean ``(n, h, w)``.
    ratio
        Where ``others`` is above its own median over ink, ``values`` counts if it is below this part of it.

    Returns
    -------
    Tensor
        Float64 ``(n,)``, 0 to one half; 0 for a picture without ink.
    """
    values, others = values.abs().double(), others.abs().double()
    median = others.where(ink, float("nan")).flatten(1).nanquantile(0.5, dim=1)
    strong = ink & (others > median[:, None, None])
    weak = strong & (values < ratio * others)
    return weak.flatten(1).sum(dim=1).double() / ink.flatten(1).sum(dim=1).clamp(min=1)


def decide(measured: Measured, rule: Rule) -> Finding:
    """Enough pixels must be underestimated, and more than the other way round."""
    under, over = values_of(measured, "underestimated"), values_of(measured, "overestimated")
    effects, contributions = (values_of(measured, f"sum_of_{name}") for name in ("effects", "contributions"))
    ratio = float(effects.mean() / contributions.mean()) if contributions.mean() else 0.0
    seeds, images = under.shape
    return Finding(
        [
            above(
                "share of ink pixels that perturbation underestimates", mean_estimate(under), rule.parameters["share"]
            ),
            above("the same, less share that DeepLIFT underestimates", mean_estimate(under - over), 0.0),
        ],
        images=images,
        seeds=seeds,
        numbers={"underestimated": float(under.mean()), "overestimated": float(over.mean()), "ratio_of_sums": ratio},
        note=(
            f"The effects of removing pixels one by one sum to {ratio:.2f} times what the contributions sum to; "
            f"perturbation underestimates {100 * under.mean():.1f} % of the ink pixels, "
            f"DeepLIFT {100 * over.mean():.1f} %."
        ),
    )
