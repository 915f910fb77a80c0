"""Write a product whole or not at all, and refuse to read a damaged one.

A *product* is a file that a job of the workflow makes. Beside each lies its digest, ``<file>.sha256``, in the
format of ``sha256sum``, so that ``sha256sum --check`` understands it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nn_interpretability.errors import BrokenProductError, LockedError
from nn_interpretability.storage.disk import disk_errors_named
from nn_interpretability.storage.lock import RUN_VARIABLE, results_root, still_ours

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "digest_of",
    "read_csv",
    "read_json",
    "recorded_digest",
    "set_aside",
    "sidecar_of",
    "verified",
    "write_csv",
    "write_json",
    "write_text",
    "writing",
]


def sidecar_of(path: Path | str) -> Path:
    """Path of the digest file of a product: the product's own path with ``.sha256`` added."""
    path = Path(path)
    return path.with_name(path.name + ".sha256")


def digest_of(path: Path | str) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def recorded_digest(path: Path | str) -> str | None:
    """Digest that the sidecar of a product records, or None where there is none that can be read."""
    try:
        found = re.match(r"([0-9a-f]{64}) [ *]", sidecar_of(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return found.group(1) if found else None


@contextmanager
def writing(path: Path | str, *, check: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """Write one file whole or not at all, and its digest beside it.

    The body writes to the temporary path that it is given, in the same folder and with the same suffix. Then
    the file is flushed to the disk, `check` reopens it, and only then it takes the place of the old one.
    Whatever goes wrong before (also an interrupt from the keyboard), the temporary file is removed and the
    old file stays.

    Parameters
    ----------
    path : path
        The product; missing folders are made.
    check : callable, optional
        Called with the temporary path; raises to refuse the file.

    Yields
    ------
    Path
        The temporary path to write to.

    Raises
    ------
    LockedError
        The run that started this job no longer holds the lock of the results folder.
    DiskError
        The disk is full, read-only, ...; one message names the product and what to do.
    """
    path = Path(path)
    temporary = _temporary(path)
    temporary_sidecar = _temporary(sidecar_of(path))
    try:
        with disk_errors_named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(path)
            _probe(temporary)
            yield temporary
            if not temporary.is_file():
                raise RuntimeError(f"{path} was not made: the writer left nothing at {temporary.name}.")
            _flush(temporary)
            if check is not None:
                check(temporary)
            temporary_sidecar.write_text(f"{digest_of(temporary)}  {path.name}\n", encoding="utf-8")
            _flush(temporary_sidecar)
            _refuse_orphans(path, "was not written")
            temporary.replace(path)
            temporary_sidecar.replace(sidecar_of(path))
            _flush(path.parent)
    finally:
        for leftover in (temporary, temporary_sidecar):
            with suppress(OSError):
                leftover.unlink()


def verified(path: Path | str) -> Path:
    """Return the path of a product whose bytes are those that its writer recorded.

    A damaged product is renamed to ``<name>.broken`` (an older one of that name is replaced) and its digest
    removed, so that the next run of the same command makes it again. Only for products: files that a person
    provides are never renamed, and are checked by :mod:`nn_interpretability.data`. A file without a digest is
    a product inside of a results folder; elsewhere it may be somebody's copy, and stays as it is.

    Raises
    ------
    BrokenProductError
        The product is missing, has no digest, or has another one; the message names both digests.
    LockedError
        The product is damaged, but the run that started this job no longer holds the lock of the results
        folder, so that nothing was renamed.
    """
    path = Path(path)
    expected = recorded_digest(path)
    try:
        found = digest_of(path)
    except FileNotFoundError:
        raise BrokenProductError(f"{path} is missing; the next run of the same command makes it.") from None
    if found == expected:
        return path
    if expected is None and results_root(path) is None:
        raise BrokenProductError(
            f"{path} cannot be checked, because its digest file {sidecar_of(path).name} is missing: copy that too, "
            f"or, if the file can be trusted, make it with 'sha256sum {path.name} > {sidecar_of(path).name}'."
        )
    wanted = f"expected SHA-256 {expected}" if expected else f"its digest file {sidecar_of(path).name} is missing"
    broken = set_aside(path)
    raise BrokenProductError(
        f"{path} is damaged or was changed ({wanted}, found {found}); it was renamed to {broken.name}, "
        "and the next run of the same command makes it again."
    )


def set_aside(path: Path) -> Path:
    """Rename a damaged product to ``<name>.broken``, remove its digest, and return the new path."""
    _refuse_orphans(path, "is damaged, but was left in place")
    broken = path.with_name(path.name + ".broken")
    with suppress(FileNotFoundError):  # two jobs may meet the same broken input
        path.replace(broken)
    sidecar_of(path).unlink(missing_ok=True)
    return broken


def write_text(path: Path | str, text: str) -> None:
    """Write UTF-8 text, lines ended as they are in `text`, through :func:`writing`."""
    with writing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_json(path: Path | str, obj: Any) -> None:
    """Write JSON through :func:`writing`: sorted keys, indented by two, numbers of NumPy as plain numbers.

    Raises
    ------
    ValueError
        A value is NaN or infinite; the message says where.
    """
    for where, value in _numbers(obj):
        if not math.isfinite(value):
            raise ValueError(f"{path}: {where or 'the value'} is {value}; NaN and infinity are never stored.")
    text = json.dumps(obj, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False, default=plain)
    write_text(path, text + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON product after :func:`verified`."""
    return json.loads(verified(path).read_text(encoding="utf-8"))


def write_csv(path: Path | str, frame: pd.DataFrame) -> None:
    """Write a table through :func:`writing`: a header, no index, numbers as short as they read back exactly.

    A missing entry is an empty cell; it is allowed where a column says "does not apply" (text or nullable
    integers), and refused in columns of floating-point numbers, where it would be a NaN that somebody
    computed.

    Raises
    ------
    ValueError
        A column of floating-point numbers holds NaN or infinity; the message names the first row and column.
    """
    import numpy as np
    import pandas as pd

    for column in frame.columns:
        if pd.api.types.is_float_dtype(frame[column].dtype):
            numbers = frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
            bad = np.flatnonzero(~np.isfinite(numbers))
            if bad.size:
                raise ValueError(
                    f"{path}: column {column!r} has {numbers[bad[0]]} in row {bad[0]}; NaN and infinity are "
                    "never stored (where the entry does not apply, use text or the dtype 'Int64')."
                )
    write_text(path, frame.to_csv(index=False, lineterminator="\n"))


def read_csv(path: Path | str) -> pd.DataFrame:
    """Read a table after :func:`verified`; only an empty cell is missing, numbers are read back exactly."""
    import pandas as pd

    return pd.read_csv(verified(path), keep_default_na=False, na_values=[""])


def plain(value: Any) -> Any:
    """Plain Python object for JSON in place of a NumPy scalar or array, a path, a mapping but no dict."""
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be stored as JSON: {value!r}")


def _numbers(obj: Any, where: str = "") -> Iterator[tuple[str, float]]:
    """Each floating-point number in a JSON-able object, with the path of keys that leads to it."""
    if not isinstance(obj, (str, bytes, Mapping, Sequence)) and hasattr(obj, "tolist"):
        obj = obj.tolist()
    if isinstance(obj, float):
        yield where, obj
    elif isinstance(obj, Mapping):
        for key, value in obj.items():
            yield from _numbers(value, f"{where}.{key}" if where else str(key))
    elif isinstance(obj, (list, tuple)):
        for index, value in enumerate(obj):
            yield from _numbers(value, f"{where}[{index}]")


def _temporary(path: Path) -> Path:
    # The suffix stays the last part of the name: drawing and table libraries choose the format by it.
    run = os.environ.get(RUN_VARIABLE) or "alone"
    return path.with_name(f".{path.name}.{run}.{_machine()}.{os.getpid()}.tmp{path.suffix}")


def _machine() -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", platform.node()) or "unnamed"


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files of the same product whose writers were killed.

    On a cluster the folder is shared, and a process of another machine cannot be asked whether it lives: its
    file stays, unless it is of an earlier run, whose writers may no longer put anything in place.
    """
    for target in (path, sidecar_of(path)):
        pattern = re.compile(rf"\.{re.escape(target.name)}\.(\w+)\.([\w-]+)\.(\d+)\.tmp{re.escape(target.suffix)}")
        for candidate in path.parent.glob(f".{_glob_escape(target.name)}.*"):
            match = pattern.fullmatch(candidate.name)
            if match and _is_leftover(run=match.group(1), machine=match.group(2), pid=int(match.group(3))):
                candidate.unlink(missing_ok=True)


def _is_leftover(run: str, machine: str, pid: int) -> bool:
    if machine == _machine():
        return not _alive(pid)
    ours = os.environ.get(RUN_VARIABLE)
    return bool(ours) and run not in (ours, "alone")


def _glob_escape(name: str) -> str:
    """Escape the characters that :meth:`pathlib.Path.glob` gives a meaning."""
    return re.sub(r"([*?[])", r"[\1]", name)


def _alive(pid: int) -> bool:
    if pid == os.getpid():
        return False  # an earlier process had our number: this process writes one product once at a time
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _probe(temporary: Path) -> None:
    """Find out before the body's long computation whether the folder can be written to."""
    temporary.touch()
    temporary.unlink()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_orphans(path: Path, what: str) -> None:
    if not still_ours(path):
        raise LockedError(
            f"{path} {what}: the run that started this job has ended, or another run has taken over its results folder."
        )
