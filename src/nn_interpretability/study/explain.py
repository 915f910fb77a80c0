"""Explain one picture from the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from nn_interpretability.attribution import Attribution
from nn_interpretability.data import imagenet
from nn_interpretability.data.view import View
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.models import architectures, build_model
from nn_interpretability.models.build import TORCHVISION
from nn_interpretability.models.outside import from_torchvision
from nn_interpretability.models.weights import load_weights
from nn_interpretability.registry import method_entry
from nn_interpretability.study.attribute import options_for


def explain_picture(
    picture: Path | str,
    *,
    model: str,
    weights: Path | str | None,
    method: str,
    parameters: Mapping[str, Any],
    target: int | None,
    device: str = "cpu",
) -> tuple[Attribution, Tensor]:
    """Explain what a model sees in a picture.

    Parameters
    ----------
    picture
        A picture file that Pillow reads.
    model
        ``"torchvision:NAME"`` for a classifier of torchvision (the picture is resized to 256, cropped to 224 and
        normalised as for ImageNet), or the name of a network of the study (28 x 28, grey).
    weights
        A ``.safetensors`` file or a state dict; required.
    method, parameters
        Name of the method in the registry, and its hyper-parameters. For a torchvision model ``input_bounds``,
        ``reference`` and ``fill`` are by default what the normalisation makes of black and white, as in the workflow.
    target
        The class to explain; None for the predicted one.
    device
        ``"cpu"`` or ``"cuda"``.

    Returns
    -------
    Attribution, Tensor
        The explanation, and the picture as the model saw it, ``(1, C, H, W)`` with values in [0, 1].

    Raises
    ------
    ConfigError
        If there is no such model or method.
    DataError
        If the picture or the weights cannot be read, or no weights were given.
    """
    entry = method_entry(method)
    if weights is None:
        raise DataError("No weights were given: an explanation of a random network says nothing. Use --weights FILE.")
    with torch.random.fork_rng(devices=[]):  # initial weights are drawn, and overwritten
        network = _network(model)
    network = load_weights(network, weights).to(device).eval()
    natural = model.startswith(TORCHVISION)
    pixels = (imagenet.read(picture) if natural else _digit(picture)).to(device)
    view = View(imagenet.IMAGENET_MEAN, imagenet.IMAGENET_STD) if natural else View()
    options = options_for(method, parameters, view)
    images = imagenet.normalised(pixels) if natural else pixels
    return entry.build(network, options).interpret(images, target), pixels


def class_names(model: str, classes: int) -> Sequence[str] | None:
    """The names of a model's classes, where torchvision has them: of a classifier with the classes of ImageNet.

    Parameters
    ----------
    model
        As for :func:`explain_picture`.
    classes
        Number of classes of the explained model.
    """
    if not model.startswith(TORCHVISION):
        return None
    from torchvision.models import get_model_weights

    names: Sequence[str] = next(iter(get_model_weights(model.removeprefix(TORCHVISION)))).meta["categories"]
    return names if len(names) == classes else None


def _network(name: str) -> nn.Module:
    if name.startswith(TORCHVISION):
        return from_torchvision(name.removeprefix(TORCHVISION))
    if name not in architectures():
        raise ConfigError(
            f"model={name!r} is not known: give torchvision:NAME (torchvision:resnet18), or one of "
            f"{', '.join(architectures())}."
        )
    return build_model(name)


def _digit(picture: Path | str) -> Tensor:
    image = imagenet.open_picture(picture, "L").resize((28, 28), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)[None, None]
