"""Networks and pictures of one's own: what is read, and what is said of what cannot be."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import own_model
import pytest
import torch
from PIL import Image

from nn_interpretability.code_digest import code_digest
from nn_interpretability.config.problems import Problem
from nn_interpretability.config.validate import checked, problems_of
from nn_interpretability.data import folder, imagenet, probes
from nn_interpretability.data.imagenet import IMAGENET_MEAN, IMAGENET_STD
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.models.build import build_model
from nn_interpretability.models.outside import from_file
from nn_interpretability.models.weights import load_weights
from nn_interpretability.stochastic.sampler import Noise
from nn_interpretability.storage.hdf5 import read_hdf5
from nn_interpretability.study.attribute import attribute, options_for
from nn_interpretability.study.import_model import import_model
from nn_interpretability.study.passes import randomness_of
from nn_interpretability.study.rows import class_heads, description_of

SETTINGS: dict[str, Any] = {"size": 32, "resize": None, "channels": 3, "normalisation": "imagenet", "count": 8}


class Evil:
    """What runs code where it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('ran')",)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return own_model.make(tmp_path)


def select(home: Path, **changes: Any) -> Path:
    output = home / "probe.h5"
    settings = {**SETTINGS, "pictures": home / "pictures", "classes": home / "classes.txt", **changes}
    folder.select(output=output, provenance={}, **settings)
    return output


def imported(home: Path, code: str | None = None, factory: str = "build", **changes: Any) -> dict[str, Any]:
    path = home / "my model.py"
    if code is not None:
        path.write_text(code, encoding="utf-8")
    given = {"probe": home / "probe.h5", "source": home / "weights of it.pt", **changes}
    try:
        import_model(
            weights=home / "out.safetensors",
            card=home / "card.json",
            architecture=f"python:{path}:{factory}",
            local=None,
            device="cpu",
            provenance={},
            **given,
        )
    finally:
        assert (home / "card.json").exists() == (home / "out.safetensors").exists()
    return dict(json.loads((home / "card.json").read_text(encoding="utf-8")))


# Pictures -----------------------------------------------------------------------------------------------------------


def test_pictures_come_by_name_with_labels_by_subfolder_and_are_shown_as_they_were(home: Path) -> None:
    found = probes.load(select(home))
    assert found.labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert found.view.classes == tuple(own_model.CLASSES)
    mean, std = (np.array(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    with Image.open(home / "pictures" / own_model.CLASSES[0] / "picture 0.png") as picture:
        red = np.array(picture.getpixel((16, 10))) / 255
    shown = found.view.shown(found.images)
    np.testing.assert_allclose(shown, found.images * std + mean, atol=1e-6)
    np.testing.assert_allclose(shown[0, :, 8, 14], red, atol=0.02)
    low, high = found.view.bounds() or ([], [])
    np.testing.assert_allclose(low, -mean.ravel() / std.ravel(), rtol=1e-6)
    np.testing.assert_allclose(high, (1 - mean.ravel()) / std.ravel(), rtol=1e-6)


def test_few_pictures_are_of_all_classes_in_turn(home: Path) -> None:
    files = probes.load(select(home, count=3)).record["files"]
    first, second = own_model.CLASSES[:2]
    assert files == [f"{first}/picture 0.png", f"{first}/picture 1.png", f"{second}/picture 0.png"]


def test_without_subfolders_nobody_has_said_the_classes(home: Path) -> None:
    pictures = home / "pictures" / own_model.CLASSES[0]
    found = probes.load(select(home, pictures=pictures, classes=own_model.CLASSES))
    assert found.labels.tolist() == [-1] * 4
    grey = probes.load(select(home, pictures=pictures, classes=["a"], channels=1, normalisation=None))
    assert grey.images.shape == (4, 1, 32, 32)
    assert 0 <= grey.images.min() <= grey.images.max() <= 1


def test_classes_come_from_yaml_too_or_are_the_subfolders(home: Path) -> None:
    names = home / "names.yaml"
    names.write_text(json.dumps(own_model.CLASSES), encoding="utf-8")
    assert probes.load(select(home, classes=names)).view.classes == tuple(own_model.CLASSES)
    assert probes.load(select(home, classes=None)).view.classes == tuple(sorted(own_model.CLASSES[:2]))
    assert probes.load(select(home, classes=["one", "two"])).labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"pictures": "nowhere"}, DataError, "There is no folder of pictures nowhere"),
        ({"classes": "nowhere.txt"}, DataError, "There is no file of class names nowhere.txt"),
        ({"classes": ["50% cat_&_dogs", "b", "c"]}, ConfigError, "subfolder '50% cat_&_dog' .* did you mean '50%"),
        ({"normalisation": {"mean": [0.5], "std": [1]}}, ConfigError, "1 means .* 3 channels"),
    ],
)
def test_pictures_that_cannot_be_are_refused(home: Path, changes: dict[str, Any], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        select(home, **changes)
    assert not (home / "probe.h5").exists()


def test_an_empty_folder_and_a_picture_that_is_none_are_named(home: Path) -> None:
    (home / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty has no pictures"):
        select(home, pictures=home / "empty")
    (home / "empty" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"broken\.png is not a picture that can be read"):
        select(home, pictures=home / "empty", classes=["a"])


# Networks -----------------------------------------------------------------------------------------------------------


def test_an_imported_network_is_the_one_of_the_file(home: Path) -> None:
    card = imported(home, probe=select(home))
    architecture = f"python:{home / 'my model.py'}:build"
    model = load_weights(build_model(architecture), home / "out.safetensors")
    expected = torch.load(home / "weights of it.pt", weights_only=True)
    assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())
    images = torch.from_numpy(probes.load(home / "probe.h5").images)
    right = (model.eval()(images).argmax(1) == torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])).double().mean()
    assert card["test"]["accuracy"] == float(right)
    assert card["architecture"] == architecture
    imported(home, factory="Net", probe=home / "probe.h5")  # a class serves as well


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def built():\n    pass\n", "no function or class 'build'; did you mean 'built'"),
        ("import torch\ndef build():\n    return torch.zeros(1)\n", "returned Tensor, not a torch.nn.Module"),
        ("x = 1 / 0\n", "cannot be imported: line 1: ZeroDivisionError"),
        ("def build():\n    raise ValueError('no')\n", "failed: line 2: ValueError: no"),
        (own_model.CODE.replace("nn.Conv2d(3, 6", "nn.Conv2d(1, 6"), "does not fit Net: conv1.weight has the shape"),
        (
            own_model.CODE.replace("mean(dim=(2, 3))))", "mean(dim=(2, 3)))).sum()"),
            r"returns shape \(\) for pictures .*: scores \(N, K\)",
        ),
    ],
)
def test_networks_that_cannot_be_are_refused(home: Path, code: str, words: str) -> None:
    select(home)
    with pytest.raises((ConfigError, DataError), match=words):
        imported(home, code)
    assert not (home / "card.json").exists()


def test_scores_channels_and_names_must_fit(home: Path) -> None:
    select(home, classes=own_model.CLASSES[:2])
    with pytest.raises(ConfigError, match="3 classes, but the probe probe names 2"):
        imported(home)
    select(home, channels=1, normalisation=None)
    with pytest.raises(ConfigError, match="takes 3 channels, not the 1"):
        imported(home)
    select(home)
    with pytest.raises(ConfigError, match=r"returns shape \(8, 3, 1\)"):
        imported(home, own_model.CODE.replace("mean(dim=(2, 3))))", "mean(dim=(2, 3))))[:, :, None]"))


def test_weights_that_cannot_be_are_refused(home: Path) -> None:
    select(home)
    with pytest.raises(DataError, match="There is no weights file"):
        imported(home, source=home / "nothing.pt")
    (home / "evil.pt").write_bytes(pickle.dumps({"weight": Evil()}, protocol=2))
    with pytest.raises(DataError, match=r"evil\.pt was refused: it is a pickle that"):
        imported(home, source=home / "evil.pt")
    torch.save(torch.nn.Linear(2, 2).state_dict(), home / "other.pt")
    with pytest.raises(DataError, match=r"conv1.bias is missing.*; and \d+ more"):
        imported(home, source=home / "other.pt")


def test_torchvision_has_networks_and_says_which_it_has_not() -> None:
    assert type(build_model("torchvision:squeezenet1_0")).__name__ == "SqueezeNet"
    with pytest.raises(ConfigError, match="no classifier 'resnet19'; did you mean 'resnet1"):
        build_model("torchvision:resnet19")


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_networks_that_shift_pictures_themselves_are_built_for_pictures_normalised_as_for_imagenet(name: str) -> None:
    pixels = torch.linspace(0, 1, 12).reshape(1, 3, 2, 2)
    shifted = build_model(f"torchvision:{name}")._transform_input(imagenet.normalised(pixels))
    torch.testing.assert_close(shifted, 2 * pixels - 1)


def test_the_digest_follows_the_file_and_not_its_comments(home: Path) -> None:
    code = home / "my model.py"
    before = code_digest("nn_interpretability.errors", str(code))
    code.write_text(own_model.CODE + "\n# a comment\n", encoding="utf-8")
    assert code_digest("nn_interpretability.errors", str(code)) == before
    code.write_text(own_model.CODE.replace("0.5", "0.4"), encoding="utf-8")
    assert code_digest("nn_interpretability.errors", str(code)) != before


# Explanations -------------------------------------------------------------------------------------------------------


def test_what_is_black_follows_the_normalisation(home: Path) -> None:
    view = probes.load(select(home)).view
    low, high = view.bounds() or ([], [])
    assert options_for("lrp", {"rule": "0"}, view) == {"rule": "0", "input_bounds": [low, high]}
    assert options_for("deeplift", {}, view)["reference"] == low
    assert options_for("deeplift", {"reference": 0.5}, view)["reference"] == 0.5
    assert options_for("occlusion", {"fill": "white"}, view)["fill"] == high
    assert options_for("gradient", {}, view) == {}
    noise = randomness_of({"dropout": None, "noise": {"sigma": 0.1, "seed": 1}}, view).noise
    assert isinstance(noise, Noise)
    assert noise.sigma == pytest.approx([0.1 / std for std in IMAGENET_STD])


def test_unknown_classes_are_marked_and_cannot_be_the_target(home: Path) -> None:
    pictures = home / "pictures" / own_model.CLASSES[0]
    probe = select(home, pictures=pictures, classes=own_model.CLASSES)
    imported(home)
    settings: dict[str, Any] = {
        "architecture": f"python:{home / 'my model.py'}:build",
        "method": "deeplift",
        "parameters": {},
        "description": {},
        "device": "cpu",
        "provenance": {},
    }
    given = (home / "out.safetensors", probe, home / "map.h5")
    with pytest.raises(ConfigError, match="target: label is not allowed"):
        attribute(*given, target="label", **settings)
    attribute(*given, target="predicted", **settings)
    product = read_hdf5(home / "map.h5")
    assert all(head.endswith("(predicted)") for head in class_heads(product))
    assert description_of(product).settings == "from black"


# Configuration ------------------------------------------------------------------------------------------------------


def problems(home: Path, **changes: Any) -> list[Problem]:
    return problems_of({**own_model.configuration(home), **changes})


def test_the_configuration_is_right_and_checking_it_twice_changes_nothing(home: Path) -> None:
    assert problems(home) == []
    once = checked(own_model.configuration(home))
    assert once["models"]["mine"]["factory"] == "build"
    assert "epochs" not in once["models"]["mine"]
    assert checked(once) == once


def test_what_is_wrong_is_said_before_anything_runs(home: Path) -> None:
    right = own_model.configuration(home)["models"]["mine"]

    def said(**changes: Any) -> str:
        (problem,) = problems(home, models={"mine": {**right, **changes}})
        return str(problem)

    assert "there is no Python file" in said(python="nowhere.py")
    assert "is not a name under probes" in said(probe="others")
    assert "is not a known key" in said(epochs=3)
    assert "one of them" in said(torchvision="resnet18")
    (home / "my model.py").write_text("def build(:\n", encoding="utf-8")
    assert "is not Python" in said()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"syntheses": {"mine_am": {"model": "mine", "start": "mean"}}}, "'mean' is made of digits"),
        ({"evidence": {"e": {"models": ["mine"], "probe": "mine"}}}, "'mine' is not trained on the digits"),
    ],
)
def test_what_needs_digits_is_not_for_an_imported_network(home: Path, changes: dict[str, Any], words: str) -> None:
    (problem,) = problems(home, **changes, figures={})
    assert words in str(problem)


def test_an_edit_within_a_second_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    for channels in (3, 1):
        file.write_text(own_model.CODE.replace("nn.Conv2d(3, 6", f"nn.Conv2d({channels}, 6"), encoding="utf-8")
        os.utime(file, (10**9, 10**9))
        assert from_file(file).conv1.in_channels == channels
    assert [path.name for path in tmp_path.iterdir()] == ["net.py"]
