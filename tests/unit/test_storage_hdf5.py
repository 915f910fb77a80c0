"""HDF5 products: named dimensions that xarray opens, the same bytes every time, no NaN."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn_interpretability.errors import BrokenProductError, DataError
from nn_interpretability.storage.hdf5 import Array, Product, _chunks, read_hdf5, write_hdf5
from nn_interpretability.storage.product import digest_of

ARRAYS = {
    "values": Array(
        np.random.default_rng(0).normal(size=(3, 2, 5, 4)).astype("float32"),
        ("sample", "channel", "y", "x"),
        {"unit": "1", "levels": [1, 2], "names": ["ä", "b"], "scale": 0.5},
    ),
    "label": Array(np.array([4, 0, 9]), ("sample",)),
    "trace": Array(np.arange(6.0).reshape(2, 3), ("layer", "sample")),
    "kind": Array(np.array(["conv", "dense ß"]), ("layer",)),
    "dead": Array(np.array([True, False]), ("layer",)),
    "total": Array(np.float64(3.5), ()),
    "none": Array(np.zeros((0, 3)), ("empty", "sample")),
}
SCALES = {"layer": ["features.conv1", "classifier.fc2"], "x": np.array([0.5, 1.5, 2.5, 3.5])}


def write(path: Path, arrays: dict[str, Array] = ARRAYS, **changes: object) -> Path:
    options = {"schema": "attribution/1", "params": {"b": 1, "a": [2]}, "provenance": {"rule": "attribute"}}
    write_hdf5(path, arrays, **({"scales": SCALES} if arrays is ARRAYS else {}) | options | changes)  # type: ignore[arg-type]
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    product = read_hdf5(write(tmp_path / "a.h5"), schema="attribution/1")
    assert product.params == {"a": [2], "b": 1}
    assert product.provenance == {"rule": "attribute"}
    assert product.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        found = product.arrays[name]
        assert found.dims == array.dims
        assert found.values.dtype == array.values.dtype
        assert found.values.shape == array.values.shape
        assert found.values.tobytes() == array.values.tobytes()
        assert found.attrs == array.attrs
    assert product.scales["layer"].tolist() == SCALES["layer"]
    assert product.scales["x"].tolist() == [0.5, 1.5, 2.5, 3.5]
    assert product.scales["sample"].tolist() == [0, 1, 2]


def test_what_is_read_can_be_written_with_the_same_bytes(tmp_path: Path) -> None:
    first = write(tmp_path / "a.h5")
    product: Product = read_hdf5(first)
    write_hdf5(
        tmp_path / "b.h5", dict(reversed(product.arrays.items())), schema=product.schema,
        params=dict(reversed(product.params.items())), provenance=product.provenance, scales=product.scales,
    )  # fmt: skip
    assert digest_of(first) == digest_of(tmp_path / "b.h5")


def test_the_bytes_are_the_same_in_every_process(tmp_path: Path) -> None:
    here = Path(__file__).resolve()
    code = "import sys; from pathlib import Path; from test_storage_hdf5 import write; write(Path(sys.argv[1]))"
    path = os.pathsep.join([str(here.parents[2] / "src"), str(here.parent)])
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, tmp_path / f"{seed}.h5"], env=environment, check=True)
    assert digest_of(tmp_path / "1.h5") == digest_of(tmp_path / "2.h5") == digest_of(write(tmp_path / "a.h5"))


@pytest.mark.parametrize("engine", ["h5netcdf", None])
def test_xarray_opens_named_dimensions_and_coordinates(tmp_path: Path, engine: str | None) -> None:
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(write(tmp_path / "a.h5"), engine=engine) as data:
        assert data["values"].dims == ("sample", "channel", "y", "x")
        assert data["values"].attrs["unit"] == "1"
        assert data.attrs["schema"] == "attribution/1"
        assert data["trace"].sel(layer="classifier.fc2", sample=2).item() == 5
        assert data["values"].sel(x=2.5, sample=1, channel=0, y=3).item() == ARRAYS["values"].values[1, 0, 3, 2]
        assert data["dead"].values.tolist() == [True, False]
        assert set(data.coords) == {"sample", "channel", "y", "x", "layer", "empty"}


def test_dimensions_are_scales_with_labels(tmp_path: Path) -> None:
    with h5py.File(write(tmp_path / "a.h5")) as file:
        values = file["values"]
        assert [dim.label for dim in values.dims] == ["sample", "channel", "y", "x"]
        assert [dim[0].name for dim in values.dims] == ["/sample", "/channel", "/y", "/x"]
        assert file["layer"].is_scale
        assert file["layer"].attrs["NAME"] == b"layer"
        string = h5py.check_string_dtype(file["layer"].dtype)
        assert string is not None
        assert string.encoding == "utf-8"
        assert string.length is None


def test_numbers_are_chunked_compressed_and_check_summed(tmp_path: Path) -> None:
    arrays = {"values": Array(np.zeros((600, 1, 28, 28), np.float32), ("sample", "channel", "y", "x"))}
    with h5py.File(write(tmp_path / "a.h5", arrays)) as file:
        for name in ("values", "sample", "y"):
            data_set = file[name]
            assert data_set.fletcher32
            assert data_set.shuffle
            assert (data_set.compression, data_set.compression_opts) == ("gzip", 1)
        assert file["values"].chunks == (334, 1, 28, 28)  # 2**20 // (28 * 28 * 4) whole pictures


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=5), st.sampled_from([1, 2, 4, 8]))
def test_a_chunk_holds_whole_trailing_dimensions_and_at_most_one_mebibyte(shape: list[int], size: int) -> None:
    chunks = _chunks(tuple(shape), size)
    assert np.prod([float(n) for n in chunks]) * size <= 2**20
    assert all(1 <= chunk <= length for chunk, length in zip(chunks, shape, strict=True))
    first_partial = next((axis for axis in reversed(range(len(shape))) if chunks[axis] < shape[axis]), 0)
    assert all(chunk == 1 for chunk in chunks[:first_partial])


@pytest.mark.parametrize(("libver", "same"), [(("v110", "v114"), True), ("latest", False)])
def test_the_file_is_what_plain_h5py_writes_for_older_tools(tmp_path: Path, libver: object, same: bool) -> None:
    """HDF5 1.10, which Debian 12 has, cannot read what is written with ``libver="latest"``."""
    values = np.arange(6.0)
    write(tmp_path / "a.h5", {"v": Array(values, ("x",))}, params={}, provenance={})
    filters = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True}
    with h5py.File(tmp_path / "b.h5", "w", libver=libver) as file:
        file.attrs.update({"schema": "attribution/1", "params": "{}", "provenance": "{}"})
        file.create_dataset("x", data=np.arange(6), chunks=(6,), **filters).make_scale("x")
        file.create_dataset("v", data=values, chunks=(6,), **filters)
        file["v"].dims[0].attach_scale(file["x"])
        file["v"].dims[0].label = "x"
    assert (digest_of(tmp_path / "a.h5") == digest_of(tmp_path / "b.h5")) == same


def test_a_changed_file_is_not_read(tmp_path: Path) -> None:
    with h5py.File(write(tmp_path / "a.h5"), "r+") as file:
        file["label"][0] = 5
    with pytest.raises(BrokenProductError):
        read_hdf5(tmp_path / "a.h5")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_with_their_place(tmp_path: Path, bad: float) -> None:
    values = np.zeros((2, 3))
    values[1, 1:] = bad
    with pytest.raises(ValueError, match=rf"a\.h5: 'map' has {bad} at index \(1, 1\)"):
        write(tmp_path / "a.h5", {"map": Array(values, ("y", "x"))})
    with pytest.raises(ValueError, match=rf"'x' has {bad} at index \(0,\)"):
        write(tmp_path / "a.h5", {"map": Array(np.zeros(1), ("x",))}, scales={"x": [bad]})
    with pytest.raises(ValueError, match="params cannot be stored"):
        write(tmp_path / "a.h5", params={"a": bad})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arrays", "changes", "message"),
    [
        ({"a": Array(np.zeros((2, 3)), ("y",))}, {}, r"'a' has the shape \(2, 3\), but the dimensions \('y',\)"),
        ({"a": Array(np.zeros((2, 2)), ("y", "y"))}, {}, "but the dimensions"),
        ({"a": Array(np.zeros(2), ("y",)), "b": Array(np.zeros(3), ("y",))}, {}, "'y' is 2 long in 'a', but 3 in 'b'"),
        ({"a": Array(np.zeros(2), ("y",))}, {"scales": {"y": [1, 2, 3]}}, r"coordinates of 'y' have the shape \(3,\)"),
        ({"a": Array(np.zeros(2), ("y",))}, {"scales": {"z": [1]}}, "no array has the dimension 'z'"),
        ({"y": Array(np.zeros(2), ("y",))}, {}, "'y' is the name of an array and of a dimension"),
        ({"a/b": Array(np.zeros(2), ("y",))}, {}, "'a/b' cannot name a data set"),
        ({"a": Array(np.zeros(2), ("y",))}, {"schema": "attribution"}, "must be a name and a version"),
        ({"a": Array(np.zeros(2), ("y",), {"CLASS": "x"})}, {}, "'CLASS' cannot name an attribute of 'a'"),
        ({"a": Array(np.zeros(2), ("y",), {"u": []})}, {}, "attribute 'u' of 'a' must be one value"),
    ],
)
def test_what_cannot_be_stored_is_named(
    tmp_path: Path, arrays: dict[str, Array], changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "a.h5", arrays, **changes)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("values", [np.zeros(2, complex), np.array([None, "a"]), np.array([b"a"])])
def test_other_dtypes_are_refused(tmp_path: Path, values: np.ndarray) -> None:
    with pytest.raises(TypeError, match="'a' has the dtype"):
        write(tmp_path / "a.h5", {"a": Array(values, ("x",))})


def test_another_schema_is_refused_and_the_file_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5")
    with pytest.raises(DataError, match=r"a\.h5 has the schema 'attribution/1', but 'attribution/2' is needed"):
        read_hdf5(path, schema="attribution/2")
    assert path.exists()


def test_a_truncated_file_is_set_aside(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5")
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(BrokenProductError, match=r"renamed to a\.h5\.broken"):
        read_hdf5(path)
    assert not path.exists()


def test_a_file_that_does_not_read_back_never_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoiled(path: Path, image: bytes) -> int:
        """Flip a bit in the middle of what is written, as a failing disk would."""
        middle = len(image) // 2
        with path.open("wb") as file:
            return file.write(image[:middle] + bytes([image[middle] ^ 1]) + image[middle + 1 :])

    write(tmp_path / "a.h5")
    before = digest_of(tmp_path / "a.h5")
    noise = np.random.default_rng(0).random(10_000)
    monkeypatch.setattr(Path, "write_bytes", spoiled)
    with pytest.raises(OSError, match=r"a\.h5 does not read back"):
        write(tmp_path / "a.h5", {"a": Array(noise, ("x",))})
    assert digest_of(tmp_path / "a.h5") == before
