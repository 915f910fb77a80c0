"""Arrays with named dimensions in HDF5: one file per job, the same bytes for the same arrays.

Layout of a file
----------------
Root attributes ``schema`` (``"attribution/1"``), ``params`` and ``provenance`` (JSON, sorted keys). Each
array is a data set at the root; each dimension is a dimension scale of the same name, so that xarray, netCDF
and plain HDF5 tools open the arrays with named dimensions and coordinates. Data sets are cut into chunks of
at most 1 MiB that hold whole trailing dimensions (whole pictures), shuffled, compressed (gzip 1) and
check-summed (fletcher32). HDF5 has no check sums for strings, scalars and empty arrays; the SHA-256 beside
the file covers them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from nn_interpretability.errors import DataError
from nn_interpretability.storage.product import plain, verified, writing

__all__ = ["Array", "Product", "first_non_finite", "read_hdf5", "read_unverified", "write_hdf5"]

_MAX_CHUNK_BYTES = 2**20
# Readable by HDF5 1.10 tools, which many systems still have; "latest" is not.
_LIBVER = ("v110", "v114")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCHEMA = re.compile(r"[a-z][a-z0-9_]*/[1-9][0-9]*")
# Attributes that the dimension-scale convention of HDF5 and netCDF writes by itself.
_CONVENTION = {"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "DIMENSION_LABELS", "_Netcdf4Dimid"}


@dataclass(frozen=True)
class Array:
    """An array, the names of its dimensions, and attributes such as its unit.

    Parameters
    ----------
    values : ndarray
        Numbers, booleans or strings; stored in the dtype that they have.
    dims : tuple of str
        One name per axis; a name means the same axis, of the same length, in all arrays of a file.
    attrs : mapping, optional
        Strings, numbers, or flat lists of these.
    """

    values: npt.NDArray[Any]
    dims: tuple[str, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Product:
    """The content of an HDF5 product; `scales` holds the coordinates of every dimension."""

    schema: str
    params: dict[str, Any]
    provenance: dict[str, Any]
    arrays: dict[str, Array]
    scales: dict[str, npt.NDArray[Any]]


def write_hdf5(
    path: Path | str,
    arrays: Mapping[str, Array],
    *,
    schema: str,
    params: Mapping[str, Any],
    provenance: Mapping[str, Any],
    scales: Mapping[str, npt.NDArray[Any] | Sequence[Any]] = {},
) -> None:
    """Write named arrays to one HDF5 file, through :func:`~nn_interpretability.storage.product.writing`.

    Parameters
    ----------
    path : path
        The product.
    arrays : mapping of str to Array
        What to store; a name may not be that of a dimension.
    schema : str
        Name and version of the layout, ``"attribution/1"``.
    params, provenance : mapping
        JSON-able; what was asked for, and what made the file.
    scales : mapping of str to sequence, optional
        Coordinates of the dimensions: numbers or strings. A dimension without counts 0 to n - 1.

    Raises
    ------
    ValueError
        A number is NaN or infinite, a dimension has two lengths, a name is not allowed; the message names the
        file and the data set (and, for NaN, the first place).
    TypeError
        An array is neither of numbers nor of booleans nor of strings.
    """
    path = Path(path)
    stored = {name: _storable(path, name, array.values) for name, array in sorted(arrays.items())}
    coordinates = _coordinates(path, arrays, stored, scales)
    _check_names(path, schema, arrays, coordinates)
    attributes = {"schema": schema, "params": _json(path, "params", params)}
    attributes["provenance"] = _json(path, "provenance", provenance)

    for name, array in arrays.items():
        _check_attributes(path, name, array.attrs)

    def check(temporary: Path) -> None:
        if not _reads_back(temporary, stored | coordinates):
            raise OSError(f"{path} does not read back as it was written; check the disk, then try again.")

    with writing(path, check=check) as temporary:
        temporary.write_bytes(_image(arrays, stored, coordinates, attributes))


def read_hdf5(path: Path | str, *, schema: str | None = None) -> Product:
    """Read a product whole, after :func:`~nn_interpretability.storage.product.verified`.

    Parameters
    ----------
    path : path
        The product.
    schema : str, optional
        The layout that the caller understands.

    Returns
    -------
    Product
        Strings come back as arrays of ``str``.

    Raises
    ------
    BrokenProductError
        The file is missing or damaged (it was then set aside).
    DataError
        The file is not one of ours, or has another schema than the one asked for; it is left as it is.
    """
    return _read(verified(path), schema)


def read_unverified(path: Path | str) -> Product:
    """Read a product of any schema as it is, without its digest, and leave it alone if it is damaged.

    Raises
    ------
    DataError
        The file cannot be read, or is not one of ours.
    """
    try:
        return _read(Path(path), None)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}); make it again, or leave it out.") from error


def _read(path: Path, schema: str | None) -> Product:
    with h5py.File(path, "r") as file:
        absent = [key for key in ("schema", "params", "provenance") if key not in file.attrs]
        if absent:
            raise DataError(f"{path} is not a product of this package: it has no attribute {absent[0]!r}.")
        found = str(file.attrs["schema"])
        if schema is not None and found != schema:
            raise DataError(
                f"{path} has the schema {found!r}, but {schema!r} is needed here: give a file of that kind, "
                "or remove this one if another version made it, and run the same command again."
            )
        dims = {name: _dims(data_set) for name, data_set in file.items()}
        return Product(
            schema=found,
            params=json.loads(file.attrs["params"]),
            provenance=json.loads(file.attrs["provenance"]),
            arrays={
                name: Array(_values(file[name]), named, _attributes(file[name]))
                for name, named in dims.items()
                if named is not None
            },
            scales={name: _values(file[name]) for name, named in dims.items() if named is None},
        )


def first_non_finite(values: npt.NDArray[Any]) -> tuple[int, ...] | None:
    """Index of the first NaN or infinity in C order, or None."""
    if values.dtype.kind != "f":
        return None
    finite = np.isfinite(values)
    if finite.all():
        return None
    return tuple(int(i) for i in np.unravel_index(int(np.argmin(finite)), values.shape))


def _storable(path: Path, name: str, content: Any) -> npt.NDArray[Any]:
    """Array of numbers, booleans or ``str`` objects, or an error that names the data set."""
    values: npt.NDArray[Any] = np.asarray(content)
    if values.dtype.kind == "U" or (values.dtype.kind == "O" and all(isinstance(v, str) for v in values.flat)):
        _check_text(path, name, values)
        return values.astype(object)
    if values.dtype.kind not in "fiub" or values.dtype.itemsize > 8:
        raise TypeError(f"{path}: {name!r} has the dtype {values.dtype}; numbers, booleans and strings can be stored.")
    bad = first_non_finite(values)
    if bad is not None:
        raise ValueError(f"{path}: {name!r} has {values[bad]} at index {bad}; NaN and infinity are never stored.")
    return values


def _check_text(path: Path, name: str, values: npt.NDArray[Any]) -> None:
    for text in values.flat:
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ValueError(f"{path}: {name!r} has the text {text!r}; zeros and half characters cannot be stored.")


def _coordinates(
    path: Path,
    arrays: Mapping[str, Array],
    stored: Mapping[str, npt.NDArray[Any]],
    scales: Mapping[str, npt.NDArray[Any] | Sequence[Any]],
) -> dict[str, npt.NDArray[Any]]:
    """Coordinates of each dimension, sorted by name."""
    lengths: dict[str, tuple[int, str]] = {}
    for name, values in stored.items():
        dims = arrays[name].dims
        if len(dims) != values.ndim or len(set(dims)) != len(dims):
            raise ValueError(f"{path}: {name!r} has the shape {values.shape}, but the dimensions {dims}.")
        for dim, length in zip(dims, values.shape, strict=True):
            known, where = lengths.setdefault(dim, (length, name))
            if known != length:
                raise ValueError(f"{path}: dimension {dim!r} is {known} long in {where!r}, but {length} in {name!r}.")
    unused = sorted(scales.keys() - lengths.keys())
    if unused:
        raise ValueError(f"{path}: no array has the dimension {unused[0]!r}, for which coordinates were given.")
    coordinates = {}
    for dim, (length, where) in sorted(lengths.items()):
        values = _storable(path, dim, scales[dim]) if dim in scales else np.arange(length, dtype=np.int64)
        if values.shape != (length,):
            raise ValueError(
                f"{path}: the coordinates of {dim!r} have the shape {values.shape}, "
                f"but it is {length} long in {where!r}."
            )
        coordinates[dim] = values
    return coordinates


def _check_names(path: Path, schema: str, arrays: Mapping[str, Array], dims: Mapping[str, Any]) -> None:
    if not _SCHEMA.fullmatch(schema):
        raise ValueError(f"{path}: the schema {schema!r} must be a name and a version, such as 'attribution/1'.")
    for name in [*arrays, *dims]:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{path}: {name!r} cannot name a data set; letters, digits and underscores can.")
    both = sorted(arrays.keys() & dims.keys())
    if both:
        raise ValueError(f"{path}: {both[0]!r} is the name of an array and of a dimension; rename one of them.")


def _image(
    arrays: Mapping[str, Array],
    stored: Mapping[str, npt.NDArray[Any]],
    coordinates: Mapping[str, npt.NDArray[Any]],
    attributes: Mapping[str, str],
) -> bytes:
    """Bytes of the file, made in memory: HDF5 that writes to a full disk by itself crashes the process."""
    with h5py.File("image.h5", "w", driver="core", backing_store=False, libver=_LIBVER) as file:
        for key, value in attributes.items():
            file.attrs[key] = value
        for dim, values in coordinates.items():
            _create(file, dim, values).make_scale(dim)
        for name, values in stored.items():
            data_set = _create(file, name, values)
            for axis, dim in enumerate(arrays[name].dims):
                data_set.dims[axis].attach_scale(file[dim])
                data_set.dims[axis].label = dim
            for key, value in sorted(arrays[name].attrs.items()):
                data_set.attrs[key] = _attribute(value)
        file.flush()
        return bytes(file.id.get_file_image())


def _create(file: h5py.File, name: str, values: npt.NDArray[Any]) -> h5py.Dataset:
    if values.dtype.kind == "O":
        return file.create_dataset(name, data=values, dtype=h5py.string_dtype("utf-8"))
    if values.size == 0 or values.ndim == 0:
        return file.create_dataset(name, data=values)
    chunks = _chunks(values.shape, values.dtype.itemsize)
    return file.create_dataset(
        name,
        data=values,
        chunks=chunks,
        compression="gzip",
        compression_opts=1,
        shuffle=True,
        fletcher32=True,
    )


def _chunks(shape: tuple[int, ...], item_bytes: int) -> tuple[int, ...]:
    """Whole trailing dimensions, as many as fit in 1 MiB, a part of the next, one step of those before."""
    room = _MAX_CHUNK_BYTES // item_bytes
    chunks: list[int] = []
    for length in reversed(shape):
        chunks.append(max(1, min(length, room)))
        room = room // length if length <= room else 0
    return tuple(reversed(chunks))


def _reads_back(temporary: Path, expected: Mapping[str, npt.NDArray[Any]]) -> bool:
    """Whether a new file holds what was written into it: check sums, shapes, values."""
    try:
        with h5py.File(temporary, "r") as file:
            return all(np.array_equal(_values(file[name]), values) for name, values in expected.items())
    except OSError:
        return False


def _dims(data_set: h5py.Dataset) -> tuple[str, ...] | None:
    """Names of the dimensions of an array; None for a dimension scale."""
    if data_set.is_scale:
        return None
    return tuple(dimension.label for dimension in data_set.dims)


def _values(data_set: h5py.Dataset) -> npt.NDArray[Any]:
    if h5py.check_string_dtype(data_set.dtype) is not None:
        return np.asarray(data_set.asstr()[()], dtype=np.str_)
    return np.asarray(data_set[()])


def _attributes(data_set: h5py.Dataset) -> dict[str, Any]:
    names = sorted(set(data_set.attrs) - _CONVENTION)
    return {name: plain(value) if hasattr(value := data_set.attrs[name], "tolist") else value for name in names}


def _check_attributes(path: Path, name: str, attrs: Mapping[str, Any]) -> None:
    for key, value in attrs.items():
        if not _NAME.fullmatch(key) or key in _CONVENTION:
            raise ValueError(f"{path}: {key!r} cannot name an attribute of {name!r}.")
        values = _storable(path, f"{name}.{key}", value)
        if isinstance(value, (list, tuple)) and len({isinstance(each, str) for each in value}) == 2:
            raise TypeError(f"{path}: attribute {key!r} of {name!r} mixes text and numbers: {value!r}.")
        if values.ndim > 1 or values.size == 0:
            raise ValueError(f"{path}: attribute {key!r} of {name!r} must be one value or a flat list: {value!r}.")


def _attribute(value: Any) -> Any:
    values = np.asarray(value)
    return values.astype(h5py.string_dtype()) if values.ndim and values.dtype.kind in "UO" else value


def _json(path: Path, name: str, value: Mapping[str, Any]) -> str:
    try:
        return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, default=plain)
    except ValueError as error:
        raise ValueError(f"{path}: {name} cannot be stored: {error}; NaN and infinity are never stored.") from error
