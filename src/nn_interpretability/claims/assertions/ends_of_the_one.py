"""c17: both ends of the 1 induce the 8."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from nn_interpretability.claims.context import Context, NotRun
from nn_interpretability.claims.dropout_passes import SEED, passes_of, turned
from nn_interpretability.claims.finding import Finding, above
from nn_interpretability.claims.ones import EIGHT, ones_for_passes
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.claims.strokes import FloatArray, Strokes, mean_where, strokes_of
from nn_interpretability.methods.lrp import LRP
from nn_interpretability.stochastic.mc_dropout import MCDropout
from nn_interpretability.stochastic.passes import BLOCK

ENDS = ("upper_end", "lower_end")
PLACES = (*ENDS, "elsewhere")


def measure(context: Context, rule: Rule) -> Measured:
    """Relevance for 8 by place on the stroke, and p(8) of the pictures whole, without their ends, without as much."""
    chosen = rule.parameters
    images = turned(ones_for_passes(context), [chosen["angle"]])
    pictures = images[:, 0].double().cpu().numpy()
    strokes = strokes_of(pictures, ink=chosen["ink"], radius=chosen["radius"])
    if not strokes.long_enough.any():
        raise NotRun("no picture of a 1 has as much ink elsewhere as near the ends of its stroke.")
    strokes = strokes.chosen(strokes.long_enough)
    found: dict[str, list[FloatArray]] = {}
    for model in context.networks("dropout_cnn"):
        each = relevance_by_place(model, strokes, images.dtype, context.budget.passes)
        each |= probabilities(model, strokes, chosen["pieces"], images, context.budget.passes)
        for name, values in each.items():
            found.setdefault(name, []).append(values)
    return {name: per_image(values) for name, values in found.items()}


def relevance_by_place(model: nn.Module, strokes: Strokes, dtype: torch.dtype, passes: int) -> dict[str, FloatArray]:
    """Mean relevance for 8 per ink pixel, over passes, near each end and elsewhere; ``(n,)`` each."""
    device = next(model.parameters()).device
    images = torch.from_numpy(strokes.pictures)[:, None].to(device, dtype)
    method = LRP(model, composite="small_cnn", input_bounds=(0, 1))
    cloud = MCDropout(method, passes=passes, seed=SEED, block=min(BLOCK, passes), products=("mean",))
    maps = cloud.interpret(images, EIGHT).mean[:, 0].double().cpu().numpy()
    where = (strokes.ends[:, 0], strokes.ends[:, 1], strokes.elsewhere)
    return {f"relevance_{name}": mean_where(maps, place) for name, place in zip(PLACES, where, strict=True)}


def probabilities(
    model: nn.Module, strokes: Strokes, pieces: int, images: Tensor, passes: int
) -> dict[str, FloatArray]:
    """Mean p(8) over passes, the same masks for all: whole, without the ends, without pieces (their mean); ``(n,)``."""
    count = len(strokes.pictures)
    variants = np.concatenate(
        [strokes.pictures, strokes.without_ends(), strokes.without_pieces(pieces).reshape(-1, 28, 28)]
    )
    logits = passes_of(model, torch.from_numpy(variants)[:, None].to(images), passes).logits
    probability = logits.double().softmax(-1)[..., EIGHT].mean(0).reshape(-1, count).cpu().numpy()
    return {
        "probability_whole": probability[0],
        "probability_without_ends": probability[1],
        "probability_without_pieces": probability[2:].mean(axis=0),
    }


def decide(measured: Measured, rule: Rule) -> Finding:
    """Each end must have more relevance for 8, and their loss must take more of p(8)."""
    del rule
    relevance = {name: values_of(measured, f"relevance_{name}") for name in PLACES}
    whole, without_ends, without_pieces = (
        values_of(measured, f"probability_{name}") for name in ("whole", "without_ends", "without_pieces")
    )
    falls = {"ends": float((whole - without_ends).mean()), "elsewhere": float((whole - without_pieces).mean())}
    numbers = {f"relevance_{name}": float(values.mean()) for name, values in relevance.items()}
    numbers |= {"probability_of_8": float(whole.mean())} | {f"fall_{name}": value for name, value in falls.items()}
    return Finding(
        [
            *(
                above(
                    f"relevance for 8, {end.replace('_', ' ')} less elsewhere",
                    mean_estimate(relevance[end] - relevance["elsewhere"]),
                    0,
                )
                for end in ENDS
            ),
            above("fall of p(8), ends less elsewhere", mean_estimate(without_pieces - without_ends), 0),
        ],
        images=whole.shape[1],
        seeds=whole.shape[0],
        numbers=numbers,
        note=(
            f"Relevance for 8 per ink pixel is {numbers['relevance_upper_end']:.3f} at the upper end, "
            f"{numbers['relevance_lower_end']:.3f} at the lower end and {numbers['relevance_elsewhere']:.3f} "
            f"elsewhere; p(8) is {whole.mean():.3f} and falls by {falls['ends']:.3f} without the ends, by "
            f"{falls['elsewhere']:.3f} without as much ink elsewhere."
        ),
    )
