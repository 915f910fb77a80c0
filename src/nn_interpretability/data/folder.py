"""Probes of your own pictures: the files of a folder, or of one subfolder per class.

Layout (schema ``probe/1``) as for digits; ``images`` are what the model sees, and the parameter ``view`` says how they
are shown, see :mod:`nn_interpretability.data.view`. ``labels`` is -1 where there are no subfolders.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

from nn_interpretability.data.imagenet import IMAGENET_MEAN, IMAGENET_STD, open_picture
from nn_interpretability.data.own_files import PICTURES, located
from nn_interpretability.data.view import UNKNOWN, View
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.storage.hdf5 import Array, write_hdf5

SCHEMA = "probe/1"
IMAGENET = "imagenet"
Normalisation = str | Mapping[str, Sequence[float]] | None


def chosen_files(folder: Path, count: int) -> list[Path]:
    """The first pictures of a folder by name; of subfolders the first of each, then the second of each, and so on.

    Returns
    -------
    list of Path
        At most ``count``, in the order of their names; files with other endings and hidden ones do not count.
    """
    groups = [_pictures(each) for each in _subfolders(folder)] or [_pictures(folder)]
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*groups))
    return sorted(itertools.islice((file for file in in_turn if file is not None), count))


def select(
    pictures: Path | str,
    output: Path | str,
    *,
    classes: Path | str | Sequence[str] | None,
    size: int,
    resize: int | None,
    channels: int,
    normalisation: Normalisation,
    count: int,
    local: str | None = None,
    provenance: Mapping[str, Any],
) -> None:
    """Write a probe of the pictures of a folder.

    Parameters
    ----------
    pictures
        The folder. The names of its subfolders, if it has any, are names of classes; where none of them is one and
        there are as many subfolders as classes, they are the classes in the order of their names.
    output
        The probe file.
    classes
        Names of the classes in the model's order: a list, a file with one a line or a YAML list, or ``"imagenet"``;
        None for the names of the subfolders.
    size, resize
        Height and width of what the model sees, cut from the middle, after the shorter side was made ``resize`` long
        (None: ``size``).
    channels
        3, or 1 for grey.
    normalisation
        ``mean`` and ``std`` of each channel, ``"imagenet"``, or None.
    count
        See :func:`chosen_files`.
    local
        The user's data folder: paths that are not there are looked for below it.
    provenance
        What makes the file.

    Raises
    ------
    DataError
        If there is no such folder or file, there are no pictures, or one cannot be read.
    ConfigError
        If the classes and the subfolders, or the normalisation and the channels, do not fit.
    """
    folder = located(pictures, local)
    if not folder.is_dir():
        raise DataError(f"There is no folder of pictures {pictures}. Correct the path, or set data.local.")
    files = chosen_files(folder, count)
    if not files:
        raise DataError(f"{folder} has no pictures ({', '.join(sorted(PICTURES))}), nor have its subfolders.")
    subfolders = [each.name for each in _subfolders(folder)]
    names = _class_names(classes, local) if classes is not None else subfolders
    view = View(*_mean_and_std(normalisation, channels), classes=tuple(names), own=True)
    pixels = np.stack([_read(file, size, resize, channels) for file in files])
    write_hdf5(
        output,
        {
            "images": Array(view.normalised(pixels), ("sample", "channel", "y", "x")),
            "labels": Array(_labels(files, subfolders, names, folder), ("sample",)),
            "source_index": Array(np.arange(len(files), dtype=np.int64), ("sample",)),
        },
        schema=SCHEMA,
        params={
            "kind": "folder",
            **view.params(),
            "data": {"source": "folder", "files": [file.relative_to(folder).as_posix() for file in files]},
        },
        provenance=provenance,
    )


def _subfolders(folder: Path) -> list[Path]:
    """Subfolders with pictures, by name."""
    inside = (each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    return sorted(each for each in inside if _pictures(each))


def _pictures(folder: Path) -> list[Path]:
    inside = (each for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))
    return sorted(each for each in inside if each.suffix.lower() in PICTURES)


def _read(file: Path, size: int, resize: int | None, channels: int) -> NDArray[np.float32]:
    """Pixels ``(channel, y, x)`` in [0, 1]."""
    image = open_picture(file, "RGB" if channels == 3 else "L")
    shorter = size if resize is None else max(size, resize)
    if min(image.size) != shorter:
        scale = shorter / min(image.size)
        wide, high = (max(shorter, round(side * scale)) for side in image.size)
        image = image.resize((wide, high), Image.Resampling.BILINEAR)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    values = np.asarray(image.crop((left, top, left + size, top + size)), dtype=np.float32) / np.float32(255)
    return values.reshape(size, size, channels).transpose(2, 0, 1)


def _mean_and_std(normalisation: Normalisation, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if normalisation is None:
        return (), ()
    known = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    given = known if isinstance(normalisation, str) else normalisation
    mean, std = (tuple(float(value) for value in given[key]) for key in ("mean", "std"))
    if len(mean) != channels or len(std) != channels:
        raise ConfigError(
            f"normalisation has {len(mean)} means and {len(std)} standard deviations for pictures of {channels} "
            f"channel{'s' if channels > 1 else ''}: give one for each channel."
        )
    return mean, std


def _class_names(classes: Path | str | Sequence[str], local: str | None) -> list[str]:
    if not isinstance(classes, str | Path):
        return [str(name) for name in classes]
    if classes == IMAGENET:
        from torchvision.models import get_model_weights

        names: list[str] = list(next(iter(get_model_weights("resnet18"))).meta["categories"])
        return names
    path = located(classes, local)
    try:
        text = path.read_text(encoding="utf-8")
        found = yaml.safe_load(text) if path.suffix in {".yaml", ".yml"} else text.splitlines()
    except FileNotFoundError:
        raise DataError(f"There is no file of class names {classes}. Correct the path, or set data.local.") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path} cannot be read as class names: {error}") from error
    if not isinstance(found, list):
        raise DataError(f"{path} has no list of class names: write one name a line, or a YAML list.")
    return [name for name in (str(each).strip() for each in found) if name]


def _labels(files: Sequence[Path], subfolders: Sequence[str], names: Sequence[str], folder: Path) -> NDArray[np.int64]:
    """The class of each picture by its subfolder; -1 without subfolders."""
    if not subfolders:
        return np.full(len(files), UNKNOWN, dtype=np.int64)
    known = [name for name in subfolders if name in names]
    if not known and len(subfolders) == len(names):
        place = {name: number for number, name in enumerate(subfolders)}
    else:
        for name in subfolders:
            if name not in names:
                close = difflib.get_close_matches(name, names, n=1)
                hint = f"did you mean {close[0]!r}?" if close else "add it to classes, or rename the folder."
                raise ConfigError(f"The subfolder {name!r} of {folder} is no class name; {hint}")
        place = {name: number for number, name in enumerate(names)}
    return np.asarray([place[file.parent.name] for file in files], dtype=np.int64)
