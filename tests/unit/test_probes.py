"""Probes are the first training picture of each class in the order of the source, never an augmented one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from tiny_mnist import FOLDER, tiny_files, tiny_source, write_files

from nn_interpretability.data import digits, embedded, mnist, probes
from nn_interpretability.data.splits import first_of_class
from nn_interpretability.errors import BrokenProductError, DataError
from nn_interpretability.storage.hdf5 import read_hdf5


def make(folder: Path, **changes) -> tuple[digits.Digits, probes.Probe]:
    settings = {"local": None, "download": False, "validation_share": 0.3, "seed": 3, "limits": None} | changes
    digits.prepare(folder / "digits.h5", folder / "digits.json", provenance={}, **settings)
    probes.select_first_of_class(folder / "digits.h5", folder / "probe.h5", {"rule": "probe"})
    return digits.load(folder / "digits.h5"), probes.load(folder / "probe.h5")


def test_first_rows_by_hand():
    labels = np.array([1, 0, 1, 0, 1])
    source_index = np.array([9, 4, 2, 4, 2])
    assert probes.first_rows(labels, source_index).tolist() == [1, 2]


def test_tiny_mnist(tmp_path: Path):
    files = tiny_files()
    write_files(files, tmp_path / "data" / FOLDER)
    raw = mnist.read_mnist(files)
    first = first_of_class(raw.train_labels)
    for seed in range(5):
        loaded, probe = make(tmp_path, local=str(tmp_path / "data"), seed=seed, source=tiny_source(files))
        np.testing.assert_array_equal(probe.labels, np.arange(10))
        np.testing.assert_array_equal(probe.source_index, first)
        assert probe.images.dtype == np.float32
        np.testing.assert_array_equal(probe.images, raw.train_images[first][:, None].astype(np.float32) / 255)
        assert not set(first) & set(loaded.validation_source_index)


def test_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NN_INTERPRETABILITY_DATA", raising=False)
    monkeypatch.setattr(embedded, "TRAIN_IMAGES", 3000)
    loaded, probe = make(tmp_path)
    assert loaded.record["counts"]["augmented"] > 1000
    target = load_digits().target
    for label, index in enumerate(probe.source_index):
        earlier = np.flatnonzero(target[:index] == label)
        assert target[index] == label
        assert set(earlier) <= set(loaded.test_source_index)
    original = embedded.redraw(load_digits().images[probe.source_index] / 16)
    np.testing.assert_array_equal(probe.images[:, 0], original.astype(np.float32) / 255)


def test_file_has_named_dimensions_and_its_source(tmp_path: Path):
    files = tiny_files()
    write_files(files, tmp_path / "data" / FOLDER)
    make(tmp_path, local=str(tmp_path / "data"), source=tiny_source(files))
    product = read_hdf5(tmp_path / "probe.h5", schema="probe/1")
    assert product.arrays["images"].dims == ("sample", "channel", "y", "x")
    assert product.params["kind"] == "first_of_class"
    assert product.params["data"]["source"] == "mnist-local"
    assert product.provenance == {"rule": "probe"}


def test_a_damaged_file_of_digits_is_named(tmp_path: Path):
    files = tiny_files()
    write_files(files, tmp_path / "data" / FOLDER)
    make(tmp_path, local=str(tmp_path / "data"), source=tiny_source(files))
    with pytest.raises(DataError, match="probe/1"):
        probes.load(tmp_path / "digits.h5")
    path = tmp_path / "digits.h5"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(BrokenProductError, match=r"digits\.h5"):
        probes.select_first_of_class(path, tmp_path / "again.h5", {})
    assert not (tmp_path / "again.h5").exists()


def test_class_means_span_the_range_of_pixels(tmp_path: Path):
    files = tiny_files()
    write_files(files, tmp_path / "data" / FOLDER)
    loaded, _ = make(tmp_path, local=str(tmp_path / "data"), source=tiny_source(files))
    probes.select_class_means(tmp_path / "digits.h5", tmp_path / "means.h5", {"rule": "probe"})
    means = probes.load(tmp_path / "means.h5")
    expected = loaded.train_images[loaded.train_labels == 3].astype(float).mean(axis=0)
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    np.testing.assert_allclose(means.images[3, 0], expected, atol=1e-6)
    np.testing.assert_array_equal(means.labels, np.arange(10))
    assert (means.images.min(axis=(1, 2, 3)) == 0).all()
    assert (means.images.max(axis=(1, 2, 3)) == 1).all()
