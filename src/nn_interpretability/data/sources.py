"""Files that come from elsewhere: their list, finding them on this disk, downloading and checking them.

``reference/sources.yaml`` names every file with its mirrors, licence and the SHA-256 of its content.  A file
counts as the right one by that digest alone.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import threading
import time
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

import yaml

from nn_interpretability.errors import DataError

LOGGER = logging.getLogger("nn_interpretability")
ENVIRONMENT_VARIABLE = "NN_INTERPRETABILITY_DATA"
CHUNK = 1 << 16
# A mirror may have packed a file less well than the one that sources.yaml was written from.
SLACK = 1 << 20

T = TypeVar("T")


class DownloadError(RuntimeError):
    """No mirror delivered the right file in time; the message has each mirror's reason."""


@dataclass(frozen=True)
class SourceFile:
    """One file of a source.

    Attributes
    ----------
    name
        File name, unpacked.
    size, sha256
        Length in bytes and SHA-256 (hexadecimal) of the content, after decompression.
    download_size
        Bytes that cross the network.
    urls
        Mirrors, in the order in which they are tried; ``.gz`` is unpacked.
    """

    name: str
    size: int
    sha256: str
    download_size: int
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """A set of files that belong together, such as MNIST.

    Attributes
    ----------
    title, authors, licence
        What people should know about it.
    folder
        Where its files lie below the user's data folder (torchvision's layout).
    files
        The files, in the order of ``sources.yaml``.
    """

    title: str
    authors: str
    licence: str
    folder: str
    files: tuple[SourceFile, ...]


@dataclass(frozen=True)
class LocalCopy:
    """A source whose files all lie on this disk, not yet checked.

    Attributes
    ----------
    named_by
        What named the folder: ``data.local`` or the environment variable.
    files
        Path of each file (plain or ``.gz``) by its name in the source.
    """

    named_by: str
    files: Mapping[str, Path]

    @property
    def size(self) -> int:
        """Bytes on disk, of all files together."""
        return sum(path.stat().st_size for path in self.files.values())


def load(path: Path | None = None) -> dict[str, Source]:
    """Read the list of sources.

    Parameters
    ----------
    path
        The YAML file; by default the copy inside the installed package, or ``reference/sources.yaml`` of
        the checkout.
    """
    document = yaml.safe_load((path or _list_of_sources()).read_text(encoding="utf-8"))
    return {key: _source(entry) for key, entry in document.items()}


def _list_of_sources() -> Path:
    shipped = Path(__file__).parents[1] / "reference" / "sources.yaml"
    checkout = Path(__file__).parents[3] / "reference" / "sources.yaml"
    return shipped if shipped.is_file() else checkout


def _source(entry: Mapping[str, object]) -> Source:
    fields = dict(entry)
    mirrors, suffix, files = fields.pop("mirrors"), fields.pop("suffix"), fields.pop("files")
    assert isinstance(mirrors, list)
    assert isinstance(files, list)
    for file in files:
        _refuse_path(str(file["name"]), "the name of a file", parts=1)
    _refuse_path(str(fields["folder"]), "a folder below the data folder")
    return Source(
        files=tuple(
            SourceFile(urls=tuple(f"{mirror}{file['name']}{suffix}" for mirror in mirrors), **file) for file in files
        ),
        **{key: str(value) for key, value in fields.items()},
    )


def _refuse_path(name: str, what: str, parts: int | None = None) -> None:
    """Refuse what would lead out of the data folder."""
    path = PurePosixPath(name)
    wrong = path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or not path.parts
    if wrong or (parts is not None and len(path.parts) != parts):
        raise DataError(f"The list of sources has {name!r} as {what}; it must not lead anywhere else.")


def find_local(source: Source, local: str | Path | None) -> tuple[LocalCopy | None, list[str]]:
    """Look for all files of a source on this disk, without reading them.

    The folder ``local`` (the configuration's ``data.local``) comes first, then the one that the environment
    variable ``NN_INTERPRETABILITY_DATA`` names.

    Returns
    -------
    copy
        The files, or None where they are not all there.
    reasons
        Why each place that was looked at did not serve, for the log.
    """
    places = {"data.local": str(local or ""), ENVIRONMENT_VARIABLE: os.environ.get(ENVIRONMENT_VARIABLE, "")}
    reasons = []
    for named_by, place in places.items():
        if not place:
            reasons.append(f"{named_by} is not set")
            continue
        folder = Path(place).expanduser() / source.folder
        paths = {file.name: _plain_or_packed(folder / file.name) for file in source.files}
        root = os.path.realpath(Path(place).expanduser())
        found = {name: path for name, path in paths.items() if path is not None and _is_inside(path, root)}
        if len(found) == len(paths):
            return LocalCopy(named_by, found), reasons
        missing = [name for name in paths if name not in found]
        outside = [name for name in missing if _plain_or_packed(folder / name) is not None]
        if outside:
            reasons.append(
                f"in the folder of {named_by}, {', '.join(outside)} is a link to somewhere else (name that one)"
            )
            continue
        reasons.append(f"the folder of {named_by} has no {source.folder}/{', '.join(missing)}")
    return None, reasons


def _is_inside(path: Path, root: str) -> bool:
    """Whether a file lies below a folder once all links are followed; the folder itself may be one."""
    return Path(os.path.realpath(path)).is_relative_to(root)


def _plain_or_packed(path: Path) -> Path | None:
    packed = path.with_name(path.name + ".gz")
    # os.path, since a folder that may not be read counts as not there, and pathlib would raise
    return next((candidate for candidate in (path, packed) if os.path.isfile(candidate)), None)  # noqa: PTH113


def read_local(file: SourceFile, path: Path) -> bytes:
    """Read one of the user's files and check its content.

    Returns
    -------
    bytes
        The content, unpacked.

    Raises
    ------
    DataError
        If the file cannot be read or is not the one in the list of sources.  It is left as it is.
    """
    try:
        content, digest = _read_plain(file, path) if path.suffix != ".gz" else _read_packed(file, path)
    except (OSError, EOFError, zlib.error) as error:
        content, digest = None, f"none: it cannot be read ({error})"
    if content is None or digest != file.sha256:
        origin = f" (for instance from {file.urls[0]})" if file.urls else ""
        raise DataError(
            f"The data file {path} is not the published {file.name}: the SHA-256 of its content is {digest}, "
            f"expected {file.sha256} ({file.size} bytes). It was not used, and not changed. Replace it"
            f"{origin}, or point data.local and {ENVIRONMENT_VARIABLE} to another "
            "folder, or to none for a download."
        )
    return content


def _read_plain(file: SourceFile, path: Path) -> tuple[bytes | None, str]:
    if path.stat().st_size == file.size:
        content = path.read_bytes()
        return content, hashlib.sha256(content).hexdigest()
    # the wrong length: digest it piece by piece, for it may be of any size
    with path.open("rb") as stream:
        return None, f"{hashlib.file_digest(stream, 'sha256').hexdigest()} ({path.stat().st_size} bytes)"


def _read_packed(file: SourceFile, path: Path) -> tuple[bytes | None, str]:
    with gzip.open(path) as stream:
        content = stream.read(file.size)
        if not stream.read(1):
            return content, _digest(content, file)
    return None, f"that of a longer content (more than {file.size} bytes)"


def _digest(content: bytes, file: SourceFile) -> str:
    digest = hashlib.sha256(content).hexdigest()
    return digest if len(content) == file.size else f"{digest} ({len(content)} bytes)"


def download(source: Source, *, timeout: float = 20.0, retries: int = 1) -> dict[str, bytes]:
    """Download all files of a source and check each.

    Nothing is written to disk.  A file with the wrong content is discarded, and the next mirror is tried.

    Parameters
    ----------
    source
        What to download.
    timeout
        Seconds for everything together, all files, mirrors and further tries included.
    retries
        How often each mirror is tried again.

    Returns
    -------
    dict
        Content by file name.

    Raises
    ------
    DownloadError
        If a file could not be had; the message has each mirror's reason.
    """
    megabytes = sum(file.download_size for file in source.files) / 1e6
    LOGGER.info("downloading %s: %.1f MB, for at most %g s", source.title, megabytes, timeout)
    deadline = time.monotonic() + timeout
    return _within(timeout, lambda: {file.name: _fetch(file, deadline, retries) for file in source.files})


def _fetch(file: SourceFile, deadline: float, retries: int) -> bytes:
    mirrors: dict[str, list[str]] = {}  # by the reason why they did not serve
    for url in file.urls * (1 + retries):
        try:
            content = _get(url, file, deadline)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            cause = getattr(error, "reason", error)
            reason = str(getattr(cause, "strerror", None) or cause)
        else:
            digest = _digest(content, file)
            if digest == file.sha256:
                return content
            reason = f"the content has SHA-256 {digest}, expected {file.sha256}; it was discarded"
        LOGGER.warning("download failed: %s: %s", url, reason)
        mirrors.setdefault(reason, []).append(urllib.parse.urlsplit(url).netloc or url)
        if time.monotonic() > deadline:
            break
    told = (f"{', '.join(dict.fromkeys(names))}: {reason}" for reason, names in mirrors.items())
    raise DownloadError(f"{file.name}: {'; '.join(told)}")


def _get(url: str, file: SourceFile, deadline: float) -> bytes:
    """Read one address up to the length that the file can have, and unpack it."""
    remaining = max(deadline - time.monotonic(), 0.1)
    request = urllib.request.Request(url, headers={"User-Agent": "nn_interpretability"})  # noqa: S310 - from our list
    received = bytearray()
    with urllib.request.urlopen(request, timeout=remaining) as response:  # noqa: S310
        while chunk := response.read(CHUNK):
            received += chunk
            if len(received) > max(file.size, file.download_size) + SLACK:
                raise ValueError("the file is longer than it should be")
            if time.monotonic() > deadline:
                raise TimeoutError("out of time")
    return _unpacked(bytes(received), file) if url.endswith(".gz") else bytes(received)


def _unpacked(packed: bytes, file: SourceFile) -> bytes:
    """Unpack gzip, but not further than one byte past the right length."""
    unpacker = zlib.decompressobj(wbits=31)
    content = unpacker.decompress(packed, file.size + 1)
    if not unpacker.eof and len(content) <= file.size:
        raise EOFError("the compressed file ends too early")
    return content


def _within(seconds: float, function: Callable[[], T]) -> T:
    """Call ``function`` and stop waiting for it after ``seconds``.

    Looking up a host name has no time-out of its own and can take minutes where a firewall swallows packets;
    a daemon thread can be left behind there.
    """
    outcome: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(function())
        except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True, name="download")
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not outcome:
        raise DownloadError(f"no answer within {seconds:g} s")
    return outcome[0]
