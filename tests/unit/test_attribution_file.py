"""Attributions survive the way to a file and back."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import xarray
from torch import nn

from nn_interpretability import (
    CAM,
    LRP,
    Attribution,
    DeepLIFT,
    GradCAM,
    Gradient,
    IntegratedGradients,
    Occlusion,
    Saliency,
    SimpleTaylor,
    SmoothGrad,
)
from nn_interpretability.errors import BrokenProductError
from nn_interpretability.models import build_model
from nn_interpretability.storage.attribution_file import save_attribution


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_model("small_cnn")


@pytest.mark.parametrize("target", [None, 3, [1, 2, 3], "all"])
def test_everything_comes_back(tmp_path, model, images, target):
    saved = LRP(model, composite="small_cnn", input_bounds=(0, 1), trace=True).interpret(images, target)
    saved.save(tmp_path / "a.h5")
    loaded = Attribution.load(tmp_path / "a.h5")
    assert torch.equal(loaded.values, saved.values)
    assert torch.equal(loaded.score, saved.score)
    assert torch.equal(loaded.logits, saved.logits)
    assert (loaded.target is None) == (saved.target is None)
    assert loaded.method == "lrp"
    assert loaded.parameters["composite"] == "small_cnn"
    assert loaded.trace.layers == saved.trace.layers
    assert loaded.trace.rules == saved.trace.rules == ("z_box", "alpha_beta", "epsilon", "0")
    for part in ("received", "sent", "bias", "stabilizer", "blocked", "unaccounted"):
        assert torch.equal(getattr(loaded.trace, part), getattr(saved.trace, part)), part
    assert torch.equal(loaded.completeness_error, saved.completeness_error)


@pytest.mark.parametrize("reference", [0.5, [torch.zeros(1, 28, 28), torch.ones(1, 28, 28)]])
@pytest.mark.parametrize("target", [3, "all"])
def test_multipliers_and_references_come_back(tmp_path, model, images, target, reference):
    saved = DeepLIFT(model, rule="reveal_cancel", reference=reference).interpret(images, target)
    saved.save(tmp_path / "a.h5")
    loaded = Attribution.load(tmp_path / "a.h5")
    for name in ("values", "multipliers", "reference", "score", "completeness_error"):
        assert torch.equal(getattr(loaded, name), getattr(saved, name)), name
    assert loaded.parameters == saved.parameters


def test_a_gradient_has_neither_trace_nor_completeness(tmp_path, model, images):
    Gradient(model).interpret(images).save(tmp_path / "a.h5")
    loaded = Attribution.load(tmp_path / "a.h5")
    assert loaded.trace is None
    assert loaded.multipliers is None
    assert loaded.reference is None
    assert loaded.completeness_error is None


def test_xarray_opens_it_with_names(tmp_path, model, images):
    explained = LRP(model, trace=True).interpret(images)
    save_attribution(explained, tmp_path / "a.h5", images=images, label=torch.tensor([1, 2, 3]))
    with xarray.open_dataset(tmp_path / "a.h5", engine="h5netcdf") as data:
        assert data["values"].dims == ("sample", "channel", "y", "x")
        assert np.array_equal(data["images"].values, images.numpy())
        absorbed = data["trace_bias"].sel(layer="features.conv1").values
    assert np.array_equal(absorbed, explained.trace.bias[0].numpy())


def test_a_flipped_byte_is_found(tmp_path, model, images):
    path = tmp_path / "a.h5"
    Gradient(model).interpret(images).save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BrokenProductError, match=r"a\.h5"):
        Attribution.load(path)


def test_a_reference_and_a_variance_come_back(tmp_path, model, images):
    smoothed = SmoothGrad(IntegratedGradients(model, reference=images / 2, steps=2), samples=2).interpret(images, "all")
    smoothed.save(tmp_path / "a.h5")
    loaded = Attribution.load(tmp_path / "a.h5")
    assert torch.equal(loaded.reference, images / 2)
    assert torch.equal(loaded.variance, smoothed.variance)
    assert loaded.parameters["of"]["method"] == "integrated_gradients"


def test_one_value_per_pixel_of_images_in_colour(tmp_path):
    colour = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(60, 3))
    saved = Saliency(model).interpret(colour)
    save_attribution(saved, tmp_path / "a.h5", images=colour)
    assert torch.equal(Attribution.load(tmp_path / "a.h5").values, saved.values)
    with xarray.open_dataset(tmp_path / "a.h5", engine="h5netcdf") as opened:
        assert opened["values"].dims == ("sample", "map_channel", "y", "x")
        assert opened["images"].dims == ("sample", "channel", "y", "x")


@pytest.mark.parametrize("target", [1, "all"])
def test_details_come_back(tmp_path, model, images, target):
    methods = [
        GradCAM(model, layer="features.relu2"),
        Occlusion(model, window=14),
        SimpleTaylor(model),
        LRP(model, layer="features.conv2"),
        LRP(model, layer="classifier.fc1"),
    ]
    for number, method in enumerate(methods):
        found = method.interpret(images, target)
        save_attribution(found, tmp_path / f"{number}.h5", images=images)
        loaded = Attribution.load(tmp_path / f"{number}.h5")
        assert torch.equal(loaded.values, found.values)
        assert loaded.details.keys() == found.details.keys()
        for name, detail in found.details.items():
            assert torch.equal(loaded.details[name], detail)
            assert loaded.details[name].dtype == detail.dtype


@pytest.mark.parametrize("target", [1, "all"])
def test_volumes_have_a_depth(tmp_path, target):
    model = nn.Sequential(nn.Conv3d(2, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 2 * 3 * 4, 2))
    volumes = torch.rand(2, 2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    found = LRP(model, rule="0").interpret(volumes, target)
    save_attribution(found, tmp_path / "a.h5", images=volumes)
    assert torch.equal(Attribution.load(tmp_path / "a.h5").values, found.values)
    with xarray.open_dataset(tmp_path / "a.h5", engine="h5netcdf") as data:
        assert data["images"].dims == ("sample", "channel", "z", "y", "x")
        assert data["values"].dims[-4:] == ("channel", "z", "y", "x")


def test_bfloat16_comes_back_as_float32(tmp_path, model, images):
    found = DeepLIFT(copy.deepcopy(model).bfloat16()).interpret(images.bfloat16())
    save_attribution(found, tmp_path / "a.h5", images=images.bfloat16())
    assert torch.equal(Attribution.load(tmp_path / "a.h5").values, found.values.float())
    found.plot(images.bfloat16())


def test_a_map_of_places_beside_a_picture_in_colour(tmp_path):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    pictures = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    save_attribution(CAM(model).interpret(pictures), tmp_path / "a.h5", images=pictures)
    with xarray.open_dataset(tmp_path / "a.h5", engine="h5netcdf") as data:
        assert data["values"].dims == ("sample", "map_channel", "y", "x")
        assert data["images"].dims == ("sample", "channel", "y", "x")
