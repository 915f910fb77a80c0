"""One job: explain a chunk of passes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.methods.base import Method
from nn_interpretability.registry import method_entry
from nn_interpretability.stochastic.chunks import AttributedPasses, DrawnPasses
from nn_interpretability.stochastic.files import load_drawn, save_attributed, save_independent
from nn_interpretability.stochastic.information import pass_weights
from nn_interpretability.stochastic.passes import attribute_passes, draw_passes
from nn_interpretability.stochastic.sampler import Randomness, differing
from nn_interpretability.study.attribute import options_for
from nn_interpretability.study.passes import FUNCTIONS, passes_model, pictures_of, randomness_of
from nn_interpretability.targets import Target

LOGGER = logging.getLogger("nn_interpretability")


def attribute_chunk(
    weights: Path | str,
    probe: Path | str,
    drawn: Sequence[Path | str],
    output: Path | str,
    *,
    architecture: str,
    pictures: Sequence[int] | None,
    randomness: Mapping[str, Any],
    begin: int,
    method: str,
    parameters: Mapping[str, Any],
    target: str,
    products: Sequence[str],
    keep_raw: int,
    independent_masks: bool,
    device: str,
    provenance: Mapping[str, Any],
) -> None:
    """Explain the chunk of passes that begins at ``begin``, and write sums.

    Parameters
    ----------
    weights, probe, architecture, pictures, randomness, device, provenance
        As for :func:`nn_interpretability.study.draw_passes.draw`.
    drawn
        Chunks of the passes: this one, and for a function of all passes all others.
    output
        The sums, schema ``pass_sums/1``, or ``independent_pass_sums/1`` with independent masks.
    begin
        First pass of the chunk.
    method, parameters
        Name of the method in the registry, and its hyper-parameters.
    target
        ``"all"``, ``"label"``, ``"predicted"`` (without dropout and noise), or the name of a function of all passes.
    products, keep_raw
        See :func:`nn_interpretability.stochastic.passes.attribute_passes`.
    independent_masks
        For target ``"all"``: draw other masks for each class, as the study published Algorithm 1. Class c of K has the
        masks of the passes ``i * K + c``; of the drawn chunk only what it was drawn from is used.

    Raises
    ------
    DataError
        If the chunk is not among ``drawn``, or was drawn from something else.
    ConfigError
        If an argument is not allowed.
    """
    chosen = pictures_of(probe, pictures)
    images = torch.from_numpy(chosen.images).to(device)
    found = {chunk.begin: _on(chunk, device) for chunk in map(load_drawn, drawn)}
    if begin not in found:
        raise DataError(f"The passes from {begin} on are not among those that were drawn.")
    if target == "label" and (chosen.label < 0).any():
        raise ConfigError(f"target: label is not allowed: nobody has said the classes of {Path(probe).stem}.")
    explained: Target = {"all": "all", "predicted": None, "label": torch.from_numpy(chosen.label)}.get(target)
    options = options_for(method, parameters, chosen.view)
    built = method_entry(method).build(passes_model(architecture, weights, device), options)
    if target in FUNCTIONS:
        if built.origins(images):
            raise ConfigError(f"target={target!r} is for methods without a reference; {method} has one.")
        logits = torch.cat([found[each].logits for each in sorted(found)])
        explained = pass_weights(FUNCTIONS[target], logits)[0][begin : found[begin].end]
    if independent_masks:
        if target != "all":
            raise ConfigError(
                f"independent_masks is for target='all', where each class has its own; not for {target!r}."
            )
        chunks = _by_class(built, images, found[begin], randomness_of(randomness, chosen.view), products, keep_raw)
        LOGGER.info(
            "%s explained passes %d to %d, drawn for each class, on %s", method, begin, found[begin].end, device
        )
        save_independent(chunks, output, provenance=provenance)
        return
    result = attribute_passes(
        built,
        images,
        found[begin],
        randomness_of(randomness, chosen.view),
        explained,
        products=("mean",) if target in FUNCTIONS else products,
        keep_raw=keep_raw,
    )
    LOGGER.info("%s explained passes %d to %d on %s", method, begin, found[begin].end, device)
    save_attributed(result, output, provenance=provenance)


def _by_class(
    method: Method, images: Tensor, drawn: DrawnPasses, randomness: Randomness, products: Sequence[str], keep_raw: int
) -> list[tuple[DrawnPasses, AttributedPasses]]:
    """Draw the passes of a chunk once for each class, and explain that class."""
    found, classes, block = [], drawn.logits.shape[-1], drawn.identity["block"]
    for c in range(classes):
        own = draw_passes(method.model, images, randomness, drawn.begin, drawn.end, block=block, every=classes, first=c)
        if wrong := differing({**drawn.identity, "numbering": None}, {**own.identity, "numbering": None}):
            raise DataError(
                f"The passes from {drawn.begin} to {drawn.end} were drawn with other {' and other '.join(wrong)}: draw "
                "them again."
            )
        explained = attribute_passes(method, images, own, randomness, c, products=products, keep_raw=keep_raw)
        found.append((own, explained))
    return found


def _on(drawn: DrawnPasses, device: str) -> DrawnPasses:
    return replace(drawn, logits=drawn.logits.to(device), undisturbed=drawn.undisturbed.to(device))
