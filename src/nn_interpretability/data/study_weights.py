"""The study's own networks of 2020, in the user's data folder, as ``reference/sources.yaml`` lists them."""

from __future__ import annotations

from pathlib import Path

from nn_interpretability.data import sources

SOURCE = "study2020"


def look_up(local: str | None) -> bool:
    """Whether they are there, without reading them: for a workflow's parameters.

    Parameters
    ----------
    local
        The configuration's ``data.local``; the environment variable ``NN_INTERPRETABILITY_DATA`` is asked, too.
    """
    return sources.find_local(sources.load()[SOURCE], local)[0] is not None


def obtain(local: str | None) -> tuple[dict[str, Path] | None, str]:
    """Path of each file by its name, each checked by its digest; or None, and why they are not there.

    Raises
    ------
    DataError
        If a file is there that is not the published one.
    """
    source = sources.load()[SOURCE]
    copy, reasons = sources.find_local(source, local)
    if copy is None:
        return None, f"the study's weights are not there: {'; '.join(reasons)}"
    for file in source.files:
        sources.read_local(file, copy.files[file.name])
    return dict(copy.files), ""
