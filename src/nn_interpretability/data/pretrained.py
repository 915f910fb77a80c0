"""Weights of networks trained on ImageNet: the first of an ordered list that can be had.

An entry of the list has the ``name`` of a network. Its weights are the file that ``weights`` names, if it names one;
those of a network that the workflow trains, if it trains one of this name; otherwise those that
``reference/sources.yaml`` lists under this name, from the user's data folder, or downloaded.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nn_interpretability.data import sources
from nn_interpretability.errors import DataError

LOGGER = logging.getLogger("nn_interpretability")

Entry = Mapping[str, Any]
FILE, TRAINED, LOCAL, DOWNLOAD = "file", "trained", "local", "download"


@dataclass(frozen=True)
class Weights:
    """Where the weights of a network come from.

    Attributes
    ----------
    entry
        The chosen entry of the list.
    source
        ``file``, ``trained``, ``local`` or ``download``.
    reason
        Why this one was chosen, and those before it were not; one sentence.
    path, content
        The file, or what was read or downloaded; one of the two is None.
    title, licence
        What people should know about them.
    """

    entry: Entry
    source: str
    reason: str
    path: Path | None
    content: bytes | None
    title: str
    licence: str


def look_up(
    entries: Sequence[Entry],
    local: str | None,
    trained: Sequence[str],
    *,
    download: bool,
    earlier: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Say what can be had, without reading it and without a network: for a workflow's parameters.

    Parameters
    ----------
    entries
        The list, in order of preference.
    local
        The configuration's ``data.local``.
    trained
        Names of the networks that the workflow trains.
    download
        Whether a download may be tried.
    earlier
        The network that an earlier run went by, an entry of this answer; if its file has gone away since, it still
        holds, since what was made with it is kept.

    Returns
    -------
    list of dict
        ``name`` and ``source`` of each entry that may serve, up to the first that surely does.
    """
    found: list[dict[str, Any]] = []
    for entry in entries:
        name = str(entry["name"])
        sure = _sure(entry, local, trained)
        if sure is None and earlier and earlier.get("name") == name and earlier.get("source") in {FILE, LOCAL}:
            LOGGER.warning("the weights of %s are no longer there; what was made with them is kept", name)
            sure = {key: earlier[key] for key in ("name", "source", "size")}  # the order of keys is compared, too
        if sure is not None:
            return [*found, sure]
        source = None if entry.get("weights") else sources.load().get(name)
        if source is not None and download and source.files[0].urls:
            found.append({"name": name, "source": DOWNLOAD})
    return found


def _sure(entry: Entry, local: str | None, trained: Sequence[str]) -> dict[str, Any] | None:
    """What the entry certainly offers; None if that is nothing, or a download."""
    name = str(entry["name"])
    if entry.get("weights"):
        path = Path(str(entry["weights"])).expanduser()
        return {"name": name, "source": FILE, "size": path.stat().st_size} if path.is_file() else None
    if name in trained:
        return {"name": name, "source": TRAINED}
    source = sources.load().get(name)
    copy = None if source is None else sources.find_local(source, local)[0]
    return None if copy is None else {"name": name, "source": LOCAL, "size": copy.size}


def obtain(
    entries: Sequence[Entry], local: str | None, trained: Mapping[str, Path], *, download: bool, timeout: float = 20.0
) -> Weights:
    """Get the weights of the first network of the list for which there are any.

    Parameters
    ----------
    entries, local, download
        As for :func:`look_up`.
    trained
        Weights of the networks that the workflow trains, by name.
    timeout
        Seconds for one download.

    Raises
    ------
    DataError
        If no entry has weights, or a file is there that is not the published one; the message says so for each.
    """
    reasons: list[str] = []
    for entry in entries:
        found = _obtain(entry, local, trained, download, timeout)
        if isinstance(found, str):
            reasons.append(f"{entry['name']}: {found}")
            LOGGER.info("no weights of %s: %s", entry["name"], found)
            continue
        path, content, source, title, licence = found
        chosen = f"{entry['name']} is the first of the list whose weights can be had"
        why = f"{chosen} ({'; '.join(reasons)})" if reasons else f"{chosen}: it is the first"
        LOGGER.info("network: %s, %s", entry["name"], why)
        return Weights(entry, source, why, path, content, title, licence)
    raise DataError(
        f"None of the networks of the list has weights: {'; '.join(reasons) or 'the list is empty'}. Add one whose "
        f"weights can be had, name a file (weights: path), or point {sources.ENVIRONMENT_VARIABLE} to a data folder."
    )


def _obtain(
    entry: Entry, local: str | None, trained: Mapping[str, Path], download: bool, timeout: float
) -> tuple[Path | None, bytes | None, str, str, str] | str:
    """Path or content, source, title and licence; or, in words, why there is nothing."""
    name = str(entry["name"])
    if entry.get("weights"):
        path = Path(str(entry["weights"])).expanduser()
        return (path, None, FILE, f"{name}, {path.name}", "unknown") if path.is_file() else f"there is no {path}"
    if name in trained:
        return trained[name], None, TRAINED, f"{name}, trained on the digits by this workflow", "of this project"
    source = sources.load().get(name)
    if source is None:
        return "no source of its weights is known"
    (file,) = source.files
    copy, reasons = sources.find_local(source, local)
    if copy is not None:
        return None, sources.read_local(file, copy.files[file.name]), LOCAL, source.title, source.licence
    if not (download and file.urls):
        return "; ".join([*reasons, "there is no address to download it from" if download else "no download"])
    try:
        return (
            None,
            sources.download(source, timeout=timeout, retries=0)[file.name],
            DOWNLOAD,
            source.title,
            source.licence,
        )
    except sources.DownloadError as error:
        return f"{'; '.join(reasons)}; it could not be downloaded ({error})"
