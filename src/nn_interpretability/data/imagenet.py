"""Photographs as the networks of torchvision take them, and a folder of them with one class per subfolder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from nn_interpretability.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
ENVIRONMENT_VARIABLE = "NN_INTERPRETABILITY_DATA"
_RESIZE, _CROP = 256, 224


@dataclass(frozen=True)
class Photographs:
    """Where a network's weights and labelled photographs lie.

    Attributes
    ----------
    weights
        State dict of the network.
    pictures
        Folder with one subfolder per class; the sorted names of the subfolders are the classes, from 0.
    """

    weights: Path
    pictures: Path


def look_up(local: str | None, weights: str, pictures: str) -> Photographs | None:
    """Find weights and photographs below the user's data folder, without reading them; None if either is missing.

    Parameters
    ----------
    local
        The configuration's ``data.local``; otherwise the environment variable ``NN_INTERPRETABILITY_DATA`` is asked.
    weights, pictures
        Paths below that folder.
    """
    for folder in filter(None, (local, os.environ.get(ENVIRONMENT_VARIABLE))):
        found = Photographs(Path(folder) / weights, Path(folder) / pictures)
        if found.weights.is_file() and found.pictures.is_dir():
            return found
    return None


def load(folder: Path, limit: int) -> tuple[Tensor, Tensor]:
    """Read one photograph of each of so many classes, spread evenly over all of them.

    Parameters
    ----------
    folder
        See :class:`Photographs`; of each subfolder the first file by name is read.
    limit
        How many photographs, at most.

    Returns
    -------
    Tensor, Tensor
        Pixels ``(N, 3, 224, 224)`` in [0, 1], and classes ``(N,)``.

    Raises
    ------
    DataError
        If there are none, or one cannot be read.
    """
    import torch

    classes = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    chosen = range(0, len(classes), max(1, -(-len(classes) // limit)))
    files = [min(classes[index].iterdir(), default=None) for index in chosen]
    if not files or None in files:
        raise DataError(f"{folder} has no subfolders with photographs, one per class.")
    return torch.cat([read(file) for file in files if file is not None]), torch.tensor(list(chosen))


def read(picture: Path | str) -> Tensor:
    """Pixels ``(1, 3, 224, 224)`` in [0, 1]: the shorter side resized to 256, the middle cropped.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    import numpy as np
    import torch

    image = open_picture(picture, "RGB")
    scale = _RESIZE / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
    left, top = (image.width - _CROP) // 2, (image.height - _CROP) // 2
    cropped = np.asarray(image.crop((left, top, left + _CROP, top + _CROP)), dtype=np.float32) / 255
    return torch.from_numpy(cropped).permute(2, 0, 1)[None].contiguous()


def open_picture(picture: Path | str, mode: str) -> Image.Image:
    """A picture file in one of Pillow's modes, turned upright where its EXIF data say how the camera was held.

    Raises
    ------
    DataError
        If there is no such file, or it cannot be read, or it has more pixels than Pillow reads.
    """
    try:
        with Image.open(picture) as opened:
            return _upright(opened).convert(mode)
    except FileNotFoundError as error:
        raise DataError(f"There is no picture {picture}.") from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{picture} has too many pixels: {error} Make it smaller.") from error
    except (OSError, SyntaxError) as error:  # a broken PNG is a SyntaxError
        raise DataError(f"{picture} is not a picture that can be read: {error}.") from error


def _upright(picture: Image.Image) -> Image.Image:
    """A picture as its EXIF data say that it is to be seen; where these are damaged, as it is."""
    picture.load()
    try:
        return ImageOps.exif_transpose(picture)
    except (OSError, SyntaxError, ValueError):
        return picture


def normalised(pixels: Tensor) -> Tensor:
    """Pixels as networks trained on ImageNet take them."""
    mean, std = (pixels.new_tensor(values).reshape(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (pixels - mean) / std


def black() -> Sequence[float]:
    """What a black pixel is after :func:`normalised`, per channel."""
    return [-mean / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
