"""One job: draw a chunk of passes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from nn_interpretability.stochastic.files import save_drawn
from nn_interpretability.stochastic.passes import draw_passes
from nn_interpretability.study.passes import passes_model, pictures_of, randomness_of

LOGGER = logging.getLogger("nn_interpretability")


def draw(
    weights: Path | str,
    probe: Path | str,
    output: Path | str,
    *,
    architecture: str,
    pictures: Sequence[int] | None,
    randomness: Mapping[str, Any],
    begin: int,
    end: int,
    block: int,
    device: str,
    provenance: Mapping[str, Any],
) -> None:
    """Draw the passes from ``begin`` to before ``end``, and write their scores.

    Parameters
    ----------
    weights, probe
        Weights of the model and the probe file.
    output
        The chunk, schema ``passes/1``.
    architecture
        Name of the network.
    pictures
        Places in the probe; None for all of its pictures.
    randomness
        See :func:`nn_interpretability.study.passes.randomness_of`.
    begin, end, block
        See :func:`nn_interpretability.stochastic.passes.draw_passes`.
    device
        ``"cpu"`` or ``"cuda"``.
    provenance
        What makes the file.
    """
    model = passes_model(architecture, weights, device)
    chosen = pictures_of(probe, pictures)
    images = torch.from_numpy(chosen.images).to(device)
    drawn = draw_passes(model, images, randomness_of(randomness, chosen.view), begin, end, block=block)
    LOGGER.info("drew passes %d to %d of %d pictures on %s", begin, end, len(images), device)
    save_drawn(drawn, output, provenance=provenance)
