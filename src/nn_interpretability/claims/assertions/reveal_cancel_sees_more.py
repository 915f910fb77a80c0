"""c33: DeepLIFT with RevealCancel sees what Rescale and gradients miss."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nn_interpretability.claims.context import Context, NotRun
from nn_interpretability.claims.finding import Finding, above
from nn_interpretability.claims.rules import Rule
from nn_interpretability.claims.samples import Measured, per_image, values_of
from nn_interpretability.claims.statistics import mean_estimate
from nn_interpretability.methods.base import Method
from nn_interpretability.methods.deeplift import DeepLIFT
from nn_interpretability.methods.input_x_gradient import InputXGradient
from nn_interpretability.methods.integrated_gradients import IntegratedGradients
from nn_interpretability.metrics.conversion import DigitConversion
from nn_interpretability.storage.hdf5 import Array

OTHERS = ("rescale", "integrated_gradients", "input_x_gradient")


def measure(context: Context, rule: Rule) -> Measured:
    """Changes of the log-odds of the original and the target class by erasing what each method tells apart."""
    pairs, erased = rule.parameters["pairs"], rule.parameters["erased"]
    images, original, wanted = chosen_pairs(
        *context.test_images(10 * context.budget.images), pairs, context.budget.images
    )
    found: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    for model in context.networks("cnn"):
        conversion = DigitConversion(model, share=erased / images[0].numel())
        for name, method in _methods(model, rule.parameters["steps"]).items():
            of_original, of_wanted = (method.interpret(images, each).values for each in (original, wanted))
            changed = conversion.measure(images, of_original, of_wanted, original, wanted)
            found[name].append(changed.change.cpu().numpy())
            found[f"converted_{name}"].append((changed.after < 0).double().cpu().numpy())
    kinds = {"original": original, "wanted": wanted}
    return {
        **{name: per_image(values) for name, values in found.items()},
        **{name: Array(classes.cpu().numpy(), ("image",)) for name, classes in kinds.items()},
    }


def _methods(model: nn.Module, steps: int) -> dict[str, Method]:
    return {
        "reveal_cancel": DeepLIFT(model, rule="reveal_cancel"),
        "rescale": DeepLIFT(model),
        "integrated_gradients": IntegratedGradients(model, steps=steps),
        "input_x_gradient": InputXGradient(model),
    }


def chosen_pairs(images: Tensor, labels: Tensor, pairs: list[list[int]], count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures to convert, each once: the pictures of a class are dealt out to the pairs that begin with it.

    Parameters
    ----------
    images, labels
        Pictures of all classes.
    pairs
        Original and target class of each pair.
    count
        Pictures in all at most, as many of each pair.

    Returns
    -------
    images, original, target
        The pictures, and both classes of each.

    Raises
    ------
    NotRun
        If there is no picture of the original classes.
    """
    chosen, classes = [], []
    for number, (original, target) in enumerate(pairs):
        rivals = [each for each, pair in enumerate(pairs) if pair[0] == original]
        members = (labels == original).nonzero().flatten()[rivals.index(number) :: len(rivals)]
        members = members[: max(1, count // len(pairs))]
        chosen.append(members)
        classes += [[original, target]] * len(members)
    if not classes:
        raise NotRun("there is no picture of the classes that are converted.")
    both = torch.tensor(classes, device=images.device)
    return images[torch.cat(chosen)], both[:, 0], both[:, 1]


def decide(measured: Measured, rule: Rule) -> Finding:
    """RevealCancel must be above each other method."""
    del rule
    change = {name: values_of(measured, name) for name in ("reveal_cancel", *OTHERS)}
    conditions = [
        above(
            f"change of the log-odds, RevealCancel less {name.replace('_', ' ')}",
            mean_estimate(change["reveal_cancel"] - change[name]),
            0.0,
        )
        for name in OTHERS
    ]
    converted = {name: float(values_of(measured, f"converted_{name}").mean()) for name in change}
    seeds, images = change["reveal_cancel"].shape
    return Finding(
        sorted(conditions, key=lambda each: each.value),
        images=images,
        seeds=seeds,
        numbers={
            **{f"change_{name}": float(values.mean()) for name, values in change.items()},
            **{f"converted_{name}": share for name, share in converted.items()},
        },
        note=(
            f"After erasing, {100 * converted['reveal_cancel']:.0f} % of the pictures are more of the target class by "
            f"RevealCancel, {100 * converted['rescale']:.0f} % by Rescale, "
            f"{100 * converted['integrated_gradients']:.0f} % by integrated gradients, "
            f"{100 * converted['input_x_gradient']:.0f} % by gradient times input."
        ),
    )
