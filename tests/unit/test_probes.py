"""Probes are the first training picture of each class in the order of the source, never an augmented one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from tiny_mnist import FOLDER, tiny_files, tiny_source, write_files

from nn_interpretability.data import digits, embedded, mnist, probes
from nn_interpretability.data.rotations import rotated
from nn_interpretability.data.splits import first_of_class
from nn_interpretability.errors import BrokenProductError, ConfigError, DataError
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


def test_rotations_of_one_picture(tmp_path: Path):
    files = tiny_files()
    write_files(files, tmp_path / "data" / FOLDER)
    raw = mnist.read_mnist(files)
    loaded, _ = make(tmp_path, local=str(tmp_path / "data"), source=tiny_source(files))
    angles = [0, -7, 90]
    probes.select_rotations(tmp_path / "digits.h5", tmp_path / "turned.h5", {}, label=2, angles=angles)
    turned = probes.load(tmp_path / "turned.h5")
    first = raw.train_images[first_of_class(raw.train_labels)[2]] / np.float32(255)
    assert turned.labels.tolist() == [2] * 3
    np.testing.assert_allclose(turned.images[0, 0], first, atol=1e-6)
    np.testing.assert_allclose(turned.images[2, 0], np.rot90(first), atol=1e-6)
    assert turned.images.min() >= 0
    assert turned.images.max() <= 1
    of_class = np.sort(loaded.train_source_index[loaded.train_labels == 2])
    probes.select_rotations(tmp_path / "digits.h5", tmp_path / "other.h5", {}, label=2, index=1, angles=[0])
    assert probes.load(tmp_path / "other.h5").source_index.tolist() == [of_class[1]]
    with pytest.raises(ConfigError, match=rf"no picture 999 of class 2: training has {len(of_class)}"):
        probes.select_rotations(tmp_path / "digits.h5", tmp_path / "none.h5", {}, label=2, index=999, angles=[0])
    assert not (tmp_path / "none.h5").exists()


def test_a_small_negative_angle_turns_clockwise():
    bar = np.zeros((28, 28), dtype=np.float32)
    bar[4:24, 13:15] = 1
    turned = rotated(bar, [-20])[0]
    upper, lower = turned[:10].sum(0) @ np.arange(28) / turned[:10].sum(), turned[18:].sum(0) @ np.arange(28)
    assert upper > 14 > lower / turned[18:].sum()
