"""The mistakes that make wrong results and no error: each is planted, and a check of the pipeline finds it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from nn_interpretability import LRP, Gradient
from nn_interpretability.data import digits as digits_file
from nn_interpretability.data import sources
from nn_interpretability.data.digits import Digits, check_parts, load, prepare
from nn_interpretability.errors import BrokenProductError, ConfigError, DataError
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import load_weights
from nn_interpretability.storage.hdf5 import Array, write_hdf5
from nn_interpretability.storage.lock import RunLock
from nn_interpretability.storage.product import read_json, sidecar_of
from nn_interpretability.storage.verify import verify
from nn_interpretability.training.loop import Labelled, logits_of, train_classifier

SMALL = {"train_limit": 1500, "test_limit": 300}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file of the embedded digits."""
    folder = tmp_path_factory.mktemp("digits")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(sources.ENVIRONMENT_VARIABLE, raising=False)
        prepare(
            folder / "digits.h5", folder / "digits.json", local=None, download=False, validation_share=0.1, seed=1,
            limits=SMALL, provenance={},
        )  # fmt: skip
    return folder / "digits.h5"


def planted(good: Path, output: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A digits file that somebody's code has made, with a mistake in it and digests that fit."""
    digits = load(good)
    content = {name: getattr(digits, name).copy() for name in vars(digits) if name != "record"}
    change(content)
    dims = {3: ("y", "x"), 1: ()}
    arrays = {
        name: Array(values, (f"{name.split('_')[0]}_sample", *dims[values.ndim])) for name, values in content.items()
    }
    write_hdf5(output, arrays, schema=digits_file.SCHEMA, params={"data": digits.record}, provenance={})
    return output


def train(digits_h5: Path, folder: Path, epochs: int = 3) -> dict[str, Any]:
    train_classifier(
        digits_h5, folder / "weights.safetensors", folder / "card.json", folder / "history.csv",
        architecture="small_cnn", epochs=epochs, batch_size=64, max_learning_rate=0.01, weight_decay=0.0, seed=3,
        device="cpu", provenance={},
    )  # fmt: skip
    card: dict[str, Any] = read_json(folder / "card.json")
    return card


# Leaked pictures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["test", "validation"])
def test_pictures_that_leaked_into_training_are_found_by_their_content(good: Path, tmp_path: Path, part: str) -> None:
    def leak(content: dict[str, Any]) -> None:  # under another index of the source, so that only pixels tell
        content["train_images"][7:9] = content[f"{part}_images"][3:5]
        content["train_labels"][7:9] = content[f"{part}_labels"][3:5]

    spoilt = planted(good, tmp_path / "digits.h5", leak)
    with pytest.raises(
        DataError, match=rf"2 pictures are in the train part and in the {part} part \(first: row 7 and row 3"
    ):
        train(spoilt, tmp_path)
    assert not (tmp_path / "weights.safetensors").exists()


def test_a_source_with_the_same_picture_in_both_files_is_refused_when_it_is_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, record = digits_file._embedded("planted", 1)
    raw.test_images[0] = raw.train_images[5]
    monkeypatch.setattr(digits_file, "_obtain", lambda *_: (raw, record))
    with pytest.raises(DataError, match="so that what is measured"):
        prepare(
            tmp_path / "a.h5", tmp_path / "a.json", local=None, download=False, validation_share=0.1, seed=1,
            limits=None, provenance={},
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_the_digits_of_the_project_have_no_such_picture(good: Path) -> None:
    check_parts(load(good))


# Labels and pixels -------------------------------------------------------------------------------------------------


def swap(content: dict[str, Any], part: str) -> None:
    labels = content[f"{part}_labels"]
    content[f"{part}_labels"] = np.select([labels == 1, labels == 7], [7, 1], labels)


def test_a_sound_training_raises_no_doubts(good: Path, tmp_path: Path) -> None:
    card = train(good, tmp_path)
    assert card["test"]["accuracy"] > 0.85
    assert card["doubts"] == []


@pytest.mark.parametrize("part", ["train", "test"])
def test_swapped_labels_of_two_classes_are_doubted(
    good: Path, tmp_path: Path, part: str, caplog: pytest.LogCaptureFixture
) -> None:
    spoilt = planted(good, tmp_path / "digits.h5", lambda content: swap(content, part))
    with caplog.at_level(logging.WARNING):
        card = train(spoilt, tmp_path)
    for label in (1, 7):
        assert any(f"of the test pictures of class {label} are right" in doubt for doubt in card["doubts"])
    assert all(doubt in caplog.text for doubt in card["doubts"])


def test_other_pixels_in_one_part_are_doubted(good: Path, tmp_path: Path) -> None:
    """The test part inverted: black on white."""

    def invert(content: dict[str, Any]) -> None:
        content["test_images"] = 255 - content["test_images"]

    card = train(planted(good, tmp_path / "digits.h5", invert), tmp_path)
    assert "one part may have other labels, other pixels" in card["doubts"][0]


def test_labels_that_are_no_class_and_pictures_that_are_scaled_already_are_refused(good: Path) -> None:
    digits: Digits = load(good)
    with pytest.raises(DataError, match="expected 0 to 9"):
        check_parts(replace(digits, test_labels=digits.test_labels + 1))
    with pytest.raises(DataError, match="expected uint8"):
        check_parts(replace(digits, train_images=digits.train_images / 255))
    with pytest.raises(DataError, match="divided by 255 here"):
        Labelled.of(digits.train_images.astype(np.float32) / 255, digits.train_labels, torch.device("cpu"))


@pytest.mark.parametrize("wrong", [lambda x: x * 255, lambda x: (x - 0.1307) / 0.3081, lambda x: x * 2 - 1])
def test_a_wrong_normalisation_leaves_the_bounds_that_are_stated(wrong: Callable[[Any], Any]) -> None:
    method = LRP(build_model("small_cnn"), composite="montavon2019", input_bounds=(0, 1))
    with pytest.raises(ConfigError, match="outside its input_bounds 0 to 1"):
        method.interpret(wrong(torch.rand(2, 1, 28, 28)), 1)


# Training mode -----------------------------------------------------------------------------------------------------


def test_a_model_in_training_mode_is_explained_in_evaluation_mode_and_left_as_it_was() -> None:
    torch.manual_seed(0)
    model = build_model("dropout_cnn")
    images = torch.rand(2, 1, 28, 28)
    expected = Gradient(model.eval()).interpret(images, 1).values
    found = Gradient(model.train()).interpret(images, 1).values
    assert torch.equal(found, expected)
    assert all(module.training for module in model.modules())


def test_scores_are_not_measured_in_training_mode() -> None:
    model = build_model("dropout_cnn").train()
    with pytest.raises(ValueError, match="is in training mode"):
        logits_of(model, torch.rand(2, 1, 28, 28))


# Stale weights -----------------------------------------------------------------------------------------------------


def test_weights_of_an_older_run_are_not_taken_for_those_of_the_card(good: Path, tmp_path: Path) -> None:
    results, older = tmp_path / "results", tmp_path / "older"
    with RunLock().acquire(results):
        train(good, older, epochs=1) if False else None
    with RunLock().acquire(older):
        train(good, older / "models/cnn", epochs=1)
    with RunLock().acquire(results):
        train(good, results / "models/cnn", epochs=2)
        place = results / "models/cnn/weights.safetensors"
        load_weights(build_model("small_cnn"), place)
        for name in (place.name, sidecar_of(place).name):
            shutil.copy(older / "models/cnn" / name, place.with_name(name))
        (problem,) = verify(results)
        assert problem.path.name == "card.json"
        assert "describes other weights" in problem.what
        with pytest.raises(BrokenProductError, match=r"does not hold the weights that card\.json beside it describes"):
            load_weights(build_model("small_cnn"), place)
        assert not (results / "models/cnn/card.json").exists()


def test_weights_of_another_architecture_are_refused(good: Path, tmp_path: Path) -> None:
    train(good, tmp_path, epochs=1)
    with pytest.raises(DataError, match="does not fit"):
        load_weights(build_model("cam_3x3"), tmp_path / "weights.safetensors")


# Sources -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("file", "../train"), ("file", "/etc/passwd"), ("file", "a/b"), ("file", ".."), ("file", ""), ("file", "a\\b"),
        ("folder", "../elsewhere"), ("folder", "/etc"), ("folder", "a/../../b"), ("folder", ""),
    ],
)  # fmt: skip
def test_a_source_that_leads_out_of_the_data_folder_is_refused(tmp_path: Path, key: str, name: str) -> None:
    file = {"name": "a", "size": 1, "download_size": 1, "sha256": "0" * 64} | ({"name": name} if key == "file" else {})
    entry = {"title": "t", "authors": "a", "licence": "l", "folder": "x", "mirrors": ["https://x/"], "suffix": ""}
    entry |= {"folder": name} if key == "folder" else {}
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump({"s": {**entry, "files": [file]}}))
    with pytest.raises(DataError, match="must not lead anywhere else"):
        sources.load(tmp_path / "sources.yaml")


def test_a_link_out_of_the_data_folder_is_not_followed_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(sources.ENVIRONMENT_VARIABLE, raising=False)
    source = sources.load()["mnist"]
    data = tmp_path / "data"
    (data / source.folder).mkdir(parents=True)
    for file in source.files:
        (tmp_path / file.name).write_bytes(b"x")
        (data / source.folder / file.name).symlink_to(tmp_path / file.name)
    copy, reasons = sources.find_local(source, data)
    assert copy is None
    assert "is a link to somewhere else" in reasons[0]
    (tmp_path / "way").symlink_to(tmp_path)  # the folder itself may be reached by a link
    for file in source.files:
        (data / source.folder / file.name).unlink()
        (data / source.folder / file.name).write_bytes(b"x")
    assert sources.find_local(source, tmp_path / "way" / "data")[0] is not None
