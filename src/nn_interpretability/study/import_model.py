"""One job: a network of the user's own, tried on pictures, in the same products as one that was trained here."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nn_interpretability.data import probes
from nn_interpretability.data.own_files import located
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.models.build import FILE, architecture_module, build_model
from nn_interpretability.models.weights import load_weights, save_weights
from nn_interpretability.storage.product import digest_of, write_json
from nn_interpretability.training.card import evaluation, model_card

LOGGER = logging.getLogger("nn_interpretability")


def import_model(
    probe: Path | str,
    weights: Path | str,
    card: Path | str,
    *,
    architecture: str,
    source: Path | str,
    local: str | None,
    device: str,
    provenance: Mapping[str, Any],
) -> None:
    """Build a network, read its weights, try it on the pictures of a probe, and write its weights and its card.

    Nothing is written before everything was found right.

    Parameters
    ----------
    probe
        Pictures as the network sees them; where their classes are known, the card says how many it names.
    weights, card
        What is written: safetensors, and JSON.
    architecture
        See :func:`nn_interpretability.models.build.build_model`.
    source
        The weights, ``.safetensors`` or a state dict.
    local
        The user's data folder: weights that are not there are looked for below it.
    device
        ``"cpu"`` or ``"cuda"``.
    provenance
        What makes the files.

    Raises
    ------
    ConfigError
        If there is no such network, or it cannot classify the pictures: other channels or another size, no scores
        ``(N, K)``, another number of classes than there are names.
    DataError
        If the weights are not there, do not fit, or are a pickle with more than tensors in it.
    """
    file = located(source, local)
    if not file.is_file():
        raise DataError(f"There is no weights file {source}. Correct the path, or set data.local.")
    shown = probes.load(probe)
    with torch.random.fork_rng(devices=[]):  # first weights are drawn, and overwritten
        model = load_weights(build_model(architecture), file).to(device).eval()
    scores = scores_of(model, torch.from_numpy(shown.images).to(device), name=Path(probe).stem)
    names = shown.view.classes
    if names and scores.shape[1] != len(names):
        raise ConfigError(
            f"The network has {scores.shape[1]} classes, but the probe {Path(probe).stem} names {len(names)}: "
            f"give the name of each class, in the network's order, under classes."
        )
    labels = torch.from_numpy(shown.labels)
    known = (labels >= 0) & (labels < scores.shape[1])
    save_weights(model, weights)
    write_json(
        card,
        model_card(
            model,
            architecture=architecture,
            seed=None,
            device=torch.device(device).type,
            data=shown.record,
            recipe={"imported": _described(architecture, source, file)},
            test=evaluation(scores[known], labels[known]) if known.any() else {},
            validation={},
            provenance=provenance,
        ),
    )
    right = int((scores.argmax(1)[known] == labels[known]).sum())
    LOGGER.info("%s: %d of %d pictures of known class right", architecture, right, int(known.sum()))


def scores_of(model: nn.Module, images: Tensor, *, name: str) -> Tensor:
    """Scores ``(N, K)`` on the CPU.

    Raises
    ------
    ConfigError
        If the model fails on the pictures of the probe ``name``, or returns something else.
    """
    shape = f"pictures of the probe {name}, of shape {tuple(images.shape)}"
    first = next((each for each in model.modules() if isinstance(each, nn.Conv2d)), None)
    if first is not None and first.in_channels != images.shape[1]:
        raise ConfigError(
            f"The network's first convolution takes {first.in_channels} channels, not the {images.shape[1]} of the "
            f"{shape}: set channels of the probe."
        )
    try:
        with torch.no_grad():
            scores = model(images)
    except Exception as error:
        words = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"The network fails on the {shape}: {words}. Set size and channels of the probe.") from error
    if not isinstance(scores, Tensor) or scores.dim() != 2 or len(scores) != len(images):
        found = f"shape {tuple(scores.shape)}" if isinstance(scores, Tensor) else f"type {type(scores).__name__}"
        raise ConfigError(
            f"The network returns {found} for {shape}: scores (N, K) of K classes are needed. Wrap it in a module "
            "that returns them."
        )
    if not torch.isfinite(scores).all():
        raise ConfigError(f"The network returns NaN or infinite scores for {shape}.")
    return scores.float().cpu()


def _described(architecture: str, source: Path | str, file: Path) -> dict[str, Any]:
    """Where the network comes from, with digests."""
    said = {"weights": str(source), "weights_sha256": digest_of(file)}
    if architecture.startswith(FILE):
        code = architecture_module(architecture)
        return {"file": code, "file_sha256": digest_of(Path(code)), **said}
    import torchvision

    return {"torchvision": torchvision.__version__, **said}
