"""The stand-in looks like MNIST, picture by picture, and its augmentation is small and even."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from nn_interpretability.data import embedded
from nn_interpretability.data.raw import RawDigits


@pytest.fixture(scope="module")
def raw() -> RawDigits:
    return embedded.embedded_digits(2020)[0]


def centre_of_mass(images: np.ndarray) -> np.ndarray:
    """Row and column, shape (2, n)."""
    pixels = np.arange(28)
    mass = images.sum((1, 2), dtype=float)
    return np.stack([images.sum(2) @ pixels / mass, images.sum(1) @ pixels / mass])


def test_parts(raw: RawDigits):
    assert raw.train_images.shape == (1347, 28, 28)
    assert raw.test_images.shape == (450, 28, 28)
    assert not set(raw.train_source_index) & set(raw.test_source_index)
    labels = load_digits().target
    np.testing.assert_array_equal(raw.train_labels, labels[raw.train_source_index])
    np.testing.assert_array_equal(raw.test_labels, labels[raw.test_source_index])
    assert (np.abs(np.bincount(raw.test_labels) - 45) <= 2).all()


def test_test_part_is_seeded(raw: RawDigits):
    np.testing.assert_array_equal(raw.test_source_index, embedded.embedded_digits(2020)[0].test_source_index)
    assert not np.array_equal(raw.test_source_index, embedded.embedded_digits(2021)[0].test_source_index)


def test_pictures_have_the_looks_of_mnist(raw: RawDigits):
    images = raw.train_images
    # MNIST: mean .131 of full ink, all pictures have white strokes on a black ground, centred to half a pixel
    assert 0.11 < images.mean() / 255 < 0.15
    assert (images.max((1, 2)) == 255).all()
    assert ((images == 0).mean((1, 2)) > 0.6).all()
    off_centre = np.abs(centre_of_mass(images) - embedded.CENTRE)
    assert (off_centre <= 0.501).mean() > 0.98
    assert off_centre.max() < 2


def test_centring_loses_no_ink():
    pictures = np.zeros((3, 25, 25), np.uint8)
    # nearly all ink at one edge: centred by that alone, the dot at the other edge would be lost
    pictures[0, 0, :], pictures[0, 24, 12] = 200, 1
    pictures[1, :, 24], pictures[1, 12, 0] = 200, 2
    pictures[2, 10:14, 3:9] = 3
    centred = embedded._centred(pictures)
    assert centred.sum((1, 2)).tolist() == [5001, 5002, 72]
    # the middle lies between two pixels
    np.testing.assert_array_equal(centre_of_mass(centred[2:]), [[13.5], [13.5]])


def test_each_picture_is_redrawn_by_itself():
    cells = load_digits().images[:20] / 16
    one_by_one = np.concatenate([embedded.redraw(cells[i : i + 1]) for i in range(20)])
    np.testing.assert_array_equal(embedded.redraw(cells), one_by_one)


def test_orientation_is_kept():
    # redrawn and brought back to 8 x 8, a picture is most like itself
    cells = load_digits().images[:200] / 16
    small = embedded.redraw(cells)[:, 4:24, 4:24].reshape(200, 4, 5, 4, 5).mean((2, 4)).reshape(200, -1)
    given = cells.reshape(200, 4, 2, 4, 2).mean((2, 4)).reshape(200, -1)
    similarity = np.corrcoef(small, given)[:200, 200:]
    upside_down = np.corrcoef(small, given.reshape(200, 4, 4)[:, ::-1].reshape(200, -1))[:200, 200:]
    assert np.diag(similarity).mean() > 0.9
    assert np.diag(upside_down).mean() < 0.75


def test_augmentation_by_nothing_changes_nothing(raw: RawDigits, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(embedded, "MAX_ROTATION", 0.0)
    monkeypatch.setattr(embedded, "MAX_SHIFT", 0.0)
    images, rows = embedded.augment(raw.train_images[:50], 120, 1)
    assert rows.tolist() == [i % 50 for i in range(120)]
    # a grid in float32 hits pixel centres to one part in ten million, which may turn a rounding
    assert np.abs(images.astype(int) - raw.train_images[:50][rows]).max() <= 1


def test_shifts_are_as_large_as_said(raw: RawDigits, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(embedded, "MAX_ROTATION", 0.0)
    images, rows = embedded.augment(raw.train_images[:300], 3000, 1)
    moved = centre_of_mass(images) - centre_of_mass(raw.train_images[:300])[:, rows]
    assert np.abs(moved).max() < embedded.MAX_SHIFT + 0.1
    # uniform over +-1.5: mean 0, standard deviation .866
    assert np.abs(moved.mean(1)).max() < 0.08
    assert np.abs(moved.std(1) - embedded.MAX_SHIFT / np.sqrt(3)).max() < 0.04


def test_rotations_turn_a_bar_by_as_much_as_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(embedded, "MAX_SHIFT", 0.0)
    bar = np.zeros((1, 28, 28), np.uint8)
    bar[0, 12:16, 4:24] = 255
    images, _ = embedded.augment(bar, 2000, 1)
    pixels = np.arange(28) - 13.5
    weight = images / images.sum((1, 2), keepdims=True)
    rr = (weight * pixels[:, None] ** 2).sum((1, 2))
    cc = (weight * pixels**2).sum((1, 2))
    rc = (weight * pixels[:, None] * pixels).sum((1, 2))
    angle = np.rad2deg(0.5 * np.arctan2(2 * rc, cc - rr))
    assert np.abs(angle).max() < embedded.MAX_ROTATION + 0.5
    assert abs(angle.mean()) < 0.6
    assert abs(angle.std() - embedded.MAX_ROTATION / np.sqrt(3)) < 0.3


def test_augmentation_is_seeded(raw: RawDigits):
    one, _ = embedded.augment(raw.train_images[:20], 40, 1)
    np.testing.assert_array_equal(one, embedded.augment(raw.train_images[:20], 40, 1)[0])
    assert not np.array_equal(one, embedded.augment(raw.train_images[:20], 40, 2)[0])
    assert not np.array_equal(one[:20], one[20:])
    assert embedded.augment(raw.train_images[:20], 0, 1)[0].shape == (0, 28, 28)
