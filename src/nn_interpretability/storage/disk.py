"""Say in one sentence, naming the file, what a full or read-only disk has prevented."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nn_interpretability.errors import DiskError

__all__ = ["absolute", "disk_errors_named"]

# What goes wrong with the disk rather than with the code, and what a person can do about it.
_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EFBIG: "the file would be larger than this system allows; raise the limit on file sizes",
    errno.EROFS: "the file system is read-only; choose another results folder",
    errno.EACCES: "the folder is not writable; change its permissions or choose another results folder",
    errno.EPERM: "the folder is not writable; change its permissions or choose another results folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another results folder",
    errno.EEXIST: "a part of the path is a file, not a folder; choose another results folder",
    errno.EIO: "the disk reports an error; check the disk",
}


def absolute(path: Path | str | os.PathLike[str]) -> Path:
    """Return the path from the root on, without ``..``, links left alone (a results folder may be one)."""
    return Path(os.path.abspath(path))  # noqa: PTH100  Path.resolve would follow links


@contextmanager
def disk_errors_named(path: Path) -> Iterator[None]:
    """Turn an error of the disk that hits `path` or its folder into one message; leave other errors alone.

    Raises
    ------
    DiskError
        With the number of the original error, which is its cause.
    """
    try:
        yield
    except OSError as error:
        number = _number(error)
        if number not in _ADVICE or not _concerns(error, path):
            raise
        message = f"{path} was not written: {_ADVICE[number]}, then run the same command again"
        raise DiskError(number, f"{message} ({os.strerror(number)}).") from error


def _number(error: OSError) -> int | None:
    # HDF5 puts the number into its text, not always into the exception's attribute.
    in_text = re.search(r"errno = (\d+)", str(error))
    return int(in_text.group(1)) if in_text else error.errno


def _concerns(error: OSError, path: Path) -> bool:
    """Whether the error is about the product's folder, not about a file that the writer reads elsewhere."""
    if not isinstance(error.filename, (str, os.PathLike)):
        return True
    culprit, folder = absolute(error.filename), absolute(path).parent
    return folder in (culprit, culprit.parent) or culprit in folder.parents
