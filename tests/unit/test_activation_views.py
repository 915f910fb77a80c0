"""Activation views of a trained network, as the figures need them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nn_interpretability.errors import ConfigError
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import save_weights
from nn_interpretability.plotting.figures import read_figure
from nn_interpretability.plotting.gallery_data import Gallery
from nn_interpretability.storage.hdf5 import Array, read_hdf5, write_hdf5
from nn_interpretability.study.activation_views import view_activations
from nn_interpretability.study.figures import assemble


def view(tmp_path: Path, **changes: object) -> Path:
    torch.manual_seed(0)
    save_weights(build_model("small_cnn"), tmp_path / "w.safetensors")
    images = np.random.default_rng(0).random((3, 1, 28, 28)).astype(np.float32)
    arrays = {
        "images": Array(images, ("sample", "channel", "y", "x")),
        "labels": Array(np.array([7, 8, 9]), ("sample",)),
        "source_index": Array(np.arange(3), ("sample",)),
    }
    write_hdf5(tmp_path / "p.h5", arrays, schema="probe/1", params={}, provenance={})
    settings: dict[str, object] = {"layers": ["features.conv1", "features.conv2"], "picture": 1, "count": 4, **changes}
    arguments = {"architecture": "small_cnn", "device": "cpu", "provenance": {}}
    view_activations(tmp_path / "w.safetensors", tmp_path / "p.h5", tmp_path / "v.h5", **arguments, **settings)
    return tmp_path / "v.h5"


def test_filters_stand_above_the_maps_of_the_same_units(tmp_path: Path) -> None:
    product = read_hdf5(view(tmp_path), schema="activation_views/1")
    units = product.scales["unit_0"]
    torch.manual_seed(0)
    weight = build_model("small_cnn").features.conv1.weight.detach().numpy()
    np.testing.assert_array_equal(product.arrays["filters"].values, weight[units])
    strength = product.arrays["strength_0"].values
    np.testing.assert_allclose(product.arrays["maps_0"].values.mean(axis=(1, 2)), strength, rtol=1e-5)
    assert (np.diff(strength) <= 0).all()
    assert product.params["units"] == [10, 20]
    assert product.params["label"] == 8


def test_the_figure_shows_each_map_from_its_smallest_to_its_largest_value(tmp_path: Path) -> None:
    definition = {"kind": "activation_views", "panels": ["v"]}
    assemble("activation_views", {"v": view(tmp_path)}, tmp_path / "f.h5", definition=definition, provenance={})
    found = read_figure(tmp_path / "f.h5")
    assert isinstance(found, Gallery)
    assert [row.name for row in found.rows] == ["filters", "maps_0", "maps_1"]
    assert found.rows[0].limit == np.abs(found.rows[0].pictures).max()
    for row in found.rows[1:]:
        assert (row.pictures.min(axis=(1, 2, 3)) == 0).all()
        assert (row.pictures.max(axis=(1, 2, 3)) == 1).all()


def test_a_picture_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no picture 3: the probe has 3"):
        view(tmp_path, picture=3)
