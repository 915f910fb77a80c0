"""One picture from the command line's library call."""

from __future__ import annotations

import nets
import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from nn_interpretability.data import imagenet
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import save_weights
from nn_interpretability.study.explain import class_names, explain_picture


@pytest.fixture
def digit(tmp_path):
    pixels = np.zeros((28, 28), dtype=np.uint8)
    pixels[6:22, 13:16] = 255
    Image.fromarray(pixels).save(tmp_path / "one.png")
    return tmp_path / "one.png"


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "results" / "cnn.safetensors"
    path.parent.mkdir()
    save_weights(build_model("small_cnn"), path)
    return path


def explain(picture, **changes):
    given = {"model": "small_cnn", "method": "gradient", "parameters": {}, "target": None, "weights": None}
    return explain_picture(picture, **{**given, **changes})


def test_a_digit_is_seen_as_it_is(digit, weights):
    explained, pixels = explain(digit, weights=weights, method="lrp", parameters={"rule": "0"}, target=3)
    assert pixels.shape == (1, 1, 28, 28)
    assert pixels[0, 0, 10, 14] == 1
    assert pixels[0, 0, 0, 0] == 0
    assert explained.values.shape == (1, 1, 28, 28)
    assert explained.target.tolist() == [3]


def test_a_photograph_is_cropped_and_normalised(tmp_path, study_data):
    explained, pixels = explain(
        study_data / "images" / "castle.jpg",
        model="torchvision:squeezenet1_0",
        weights=study_data / "weights" / "squeezenet1_0.pth",
        method="lrp",
        parameters={"composite": "montavon2019"},
    )
    assert pixels.shape == (1, 3, 224, 224)
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    assert explained.target.tolist() == [483]  # castle
    explained.plot(pixels).savefig(tmp_path / "castle.png")
    with Image.open(tmp_path / "castle.png") as drawn:
        assert drawn.width > 100


def test_words_of_the_shell_mean_what_they_mean_in_a_configuration(digit, tmp_path):
    """Black is a black pixel before the normalisation, which is not zero behind it."""
    save_weights(build_model("torchvision:squeezenet1_0"), tmp_path / "w.safetensors")
    given = {"model": "torchvision:squeezenet1_0", "weights": tmp_path / "w.safetensors", "target": 3}
    found, _ = explain(digit, method="deeplift", **given)
    assert found.reference[0, :, 0, 0].tolist() == pytest.approx(imagenet.black())
    settings = {"window": 112, "stride": 112}
    filled, _ = explain(digit, method="occlusion", parameters={**settings, "fill": "black"}, **given)
    expected, _ = explain(digit, method="occlusion", parameters={**settings, "fill": list(imagenet.black())}, **given)
    assert nets.relative(filled.values, expected.values) < 1e-3


def test_pixel_bounds_are_followed_through_a_network_that_shifts_pictures_itself(digit, tmp_path):
    save_weights(build_model("torchvision:googlenet"), tmp_path / "w.safetensors")
    settings = {"model": "torchvision:googlenet", "method": "lrp", "parameters": {"composite": "montavon2019"}}
    explained, _ = explain(digit, weights=tmp_path / "w.safetensors", **settings)
    assert explained.values.abs().max() > 0


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"weights": None}, DataError, "--weights"),
        ({"method": "lpr"}, ConfigError, "'lpr'"),
        ({"model": "smal_cnn"}, ConfigError, "'smal_cnn'"),
        ({"model": "torchvision:resnet19"}, ConfigError, "'resnet19'"),
        ({"target": 10}, ConfigError, "target=10"),
    ],
)
def test_bad_input_is_named(digit, weights, changes, error, words):
    with pytest.raises(error, match=words):
        explain(digit, **{"weights": weights, **changes})


def test_a_picture_that_is_none_is_named(tmp_path, weights):
    with pytest.raises(DataError, match="no picture"):
        explain(tmp_path / "absent.png", weights=weights)
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(DataError, match=r"text\.png"):
        explain(tmp_path / "text.png", weights=weights)


def test_a_picture_of_too_many_pixels_is_named(digit, weights, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 28 * 28 // 2 - 1)
    with pytest.raises(DataError, match=r"one\.png has too many pixels: .* Make it smaller"):
        explain(digit, weights=weights)


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 1), (8, -1)])
def test_a_picture_stands_upright_however_the_camera_was_held(tmp_path, weights, orientation, turns):
    """Orientation 6: what was stored is to be turned clockwise by a quarter."""
    upright = np.zeros((28, 28), dtype=np.uint8)
    upright[6:22, 4:8], upright[4:6, 4:16] = 255, 128
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(np.rot90(upright, turns)).save(tmp_path / "held.png", exif=exif)
    _, seen = explain(tmp_path / "held.png", weights=weights)
    assert torch.equal((255 * seen[0, 0]).round().byte(), torch.from_numpy(upright))


def test_a_picture_with_damaged_exif_data_is_seen_as_it_is_stored(tmp_path, weights):
    stored = Image.fromarray(np.arange(784, dtype=np.uint8).reshape(28, 28))
    stored.save(tmp_path / "cut.png", exif=b"Exif\x00\x00XX\x2a\x00")
    _, seen = explain(tmp_path / "cut.png", weights=weights)
    assert torch.equal((255 * seen[0, 0]).round().byte(), torch.from_numpy(np.array(stored)))


def test_random_numbers_of_the_caller_are_left_alone(digit, weights):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    explain(digit, weights=weights)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_classes_of_imagenet_have_names():
    names = class_names("torchvision:squeezenet1_0", 1000)
    assert (names[483], names[880]) == ("castle", "unicycle")
    assert class_names("torchvision:squeezenet1_0", 10) is None  # trained for something else
    assert class_names("small_cnn", 10) is None


def test_a_drawing_is_labelled_with_the_name_of_the_class(digit, weights):
    explained, pixels = explain(digit, weights=weights, target=3)
    first = explained.plot(pixels, ["none", "one", "two", "three"]).axes[0]
    assert first.get_title().startswith("three\nscore ")
    assert explained.plot(pixels).axes[0].get_title().startswith("class 3, score ")
