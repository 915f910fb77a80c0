"""Where files of the user's own lie: as the path says, or below the data folder. Nothing is read, nothing computed."""

from __future__ import annotations

import os
from pathlib import Path

ENVIRONMENT_VARIABLE = "NN_INTERPRETABILITY_DATA"
PICTURES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""Endings of files that are taken for pictures."""


def located(path: Path | str, local: str | None) -> Path:
    """The path itself if something is there, else the same below the user's data folder; else the path.

    Parameters
    ----------
    path
        Of a file or folder; ``~`` is the user's home.
    local
        The configuration's ``data.local``; otherwise the environment variable ``NN_INTERPRETABILITY_DATA`` is asked.
    """
    given = Path(path).expanduser()
    below = (Path(folder) / given for folder in (local, os.environ.get(ENVIRONMENT_VARIABLE)) if folder)
    return next((each for each in (given, *below) if each.exists()), given)
