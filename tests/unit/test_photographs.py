"""The photograph and the networks of the DeepDream figures: the first that can be had, and why."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from nn_interpretability.data import photographs, pretrained, sources
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import load_weights, save_weights
from nn_interpretability.storage.hdf5 import read_hdf5
from nn_interpretability.study import dream_inputs
from nn_interpretability.study.dreams import dream
from nn_interpretability.study.leave_one_out import cropped, leave_one_out
from nn_interpretability.synthesis.activation_maps import ActivationMaps

ENTRY = {"layers": ["relu2", "relu3"], "channel_layer": "relu3", "channels": [0, 5]}
SETTINGS = {
    "size": 96,
    "octaves": 2,
    "octave_scale": 1.5,
    "steps": 2,
    "learning_rate": 0.05,
    "roll": True,
    "tile": 64,
    "overlap": 16,
    "noise": 0.0,
    "penalty": 0.0,
}


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(sources.ENVIRONMENT_VARIABLE, raising=False)


def known(monkeypatch: pytest.MonkeyPatch, **contents: bytes) -> None:
    """Pretend that these files are the published ones."""
    listed = {
        key: sources.Source(
            title=f"title of {key}",
            authors="",
            licence="free",
            folder="folder",
            files=(sources.SourceFile(f"{key}.bin", len(content), hashlib.sha256(content).hexdigest(), 0, ()),),
        )
        for key, content in contents.items()
    }
    monkeypatch.setattr(sources, "load", lambda: listed)


def put(folder: Path, **contents: bytes) -> str:
    (folder / "folder").mkdir()
    for key, content in contents.items():
        (folder / "folder" / f"{key}.bin").write_bytes(content)
    return str(folder)


def as_jpeg(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def test_without_the_studys_photograph_the_stand_in_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        pixels, record = photographs.read(None)
    assert pixels.shape == (427, 640, 3)
    assert record["source"] == photographs.look_up(None)["source"] == "embedded"
    assert "castle.jpg of the study is not on this machine" in record["reason"]
    assert "stand-in" in caplog.text
    assert len(record["files"]["china.jpg"]) == 64


def test_the_studys_photograph_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
    content = as_jpeg(pixels)
    known(monkeypatch, castle=content)
    local = put(tmp_path, castle=content)
    found, record = photographs.read(local)
    assert (found == pixels).all()
    assert record["source"] == "castle"
    assert photographs.look_up(local) == {"source": "castle", "size": len(content)}


def test_another_photograph_of_that_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, castle=b"right")
    with pytest.raises(DataError, match=r"not the published castle\.bin"):
        photographs.read(put(tmp_path, castle=b"wrong"))


def test_a_photograph_is_shrunk_never_enlarged() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    assert photographs.shrunk(pixels, 30).shape == (20, 30, 3)
    assert photographs.shrunk(pixels, 60) is pixels
    assert photographs.grey(pixels).shape == (40, 60)


def entries(*names: str) -> list[dict[str, object]]:
    return [{"name": name, **ENTRY} for name in names]


def test_the_first_network_with_weights_is_taken_and_the_others_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, first=b"first", second=b"second")
    local = put(tmp_path, second=b"second")
    found = pretrained.obtain(entries("first", "second"), local, {}, download=False)
    assert (found.entry["name"], found.source, found.content) == ("second", "local", b"second")
    assert "first: the folder of data.local has no folder/first.bin" in found.reason
    assert pretrained.look_up(entries("first", "second"), local, [], download=False) == [
        {"name": "second", "source": "local", "size": 6}
    ]


def test_a_file_of_ones_own_and_a_trained_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch)
    path = tmp_path / "mine.pth"
    mine = [{"name": "mine", "weights": str(path), **ENTRY}, *entries("trained")]
    assert pretrained.obtain(mine, None, {"trained": tmp_path}, download=False).source == "trained"
    assert pretrained.look_up(mine, None, ["trained"], download=False) == [{"name": "trained", "source": "trained"}]
    path.write_bytes(b"weights")
    assert pretrained.obtain(mine, None, {"trained": tmp_path}, download=False).path == path
    assert pretrained.look_up(mine, None, ["trained"], download=False)[0]["source"] == "file"


def test_a_download_that_may_be_tried_is_part_of_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    first = pretrained.look_up(entries("vgg16", "cam"), None, ["cam"], download=True)
    assert [(found["name"], found["source"]) for found in first] == [("vgg16", "download"), ("cam", "trained")]
    only = pretrained.look_up(entries("vgg16", "cam"), None, ["cam"], download=False)
    assert [found["name"] for found in only] == ["cam"]

    def refused(source: sources.Source, **_: object) -> dict[str, bytes]:
        raise sources.DownloadError("no network")

    monkeypatch.setattr(sources, "download", refused)
    found = pretrained.obtain(entries("vgg16", "cam"), None, {"cam": Path("x")}, download=True)
    assert found.entry["name"] == "cam"
    assert "could not be downloaded (no network)" in found.reason


def test_no_network_at_all_is_an_error_that_names_each_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch)
    with pytest.raises(DataError, match="first: no source of its weights is known; second: no source"):
        pretrained.obtain(entries("first", "second"), None, {}, download=False)


def test_what_has_gone_away_still_holds_when_a_run_is_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    known(monkeypatch, castle=b"castle", first=b"first")
    local, list_ = put(tmp_path, castle=b"castle", first=b"first"), entries("first", "cam")
    photograph = photographs.look_up(local)
    (network,) = pretrained.look_up(list_, local, ["cam"], download=False)
    stored = json.loads(json.dumps({"photograph": photograph, "network": network}, sort_keys=True))
    assert repr(photographs.look_up(None, stored["photograph"])) == repr(photograph)
    assert repr(pretrained.look_up(list_, None, ["cam"], download=False, earlier=stored["network"])) == repr([network])
    assert "castle.jpg is no longer there" in caplog.text
    assert "weights of first are no longer there" in caplog.text
    # A better one that turns up later does count, and so does another list.
    cam = {"name": "cam", "source": "trained"}
    assert pretrained.look_up(list_, local, ["cam"], download=False, earlier=cam) == [network]
    assert pretrained.look_up(entries("cam"), None, ["cam"], download=False, earlier=network) == [cam]


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ({"photograph": {"source": "castle", "size": 1}}, "castle.jpg, which cannot be had"),
        (
            {"network": {"name": "squeezenet1_0", "source": "local", "size": 1}},
            "the network squeezenet1_0, which cannot",
        ),
    ],
)
def test_what_was_better_is_not_replaced(prepared: Path, tmp_path: Path, before: dict[str, object], words: str) -> None:
    record = tmp_path / "record.json"
    record.write_text(json.dumps(before))
    with pytest.raises(DataError, match=words):
        dream_inputs.prepare(
            tmp_path / "photograph.h5",
            tmp_path / "weights.safetensors",
            record,
            local=None,
            download=False,
            models=entries("squeezenet1_0", "cam_3x3"),
            trained={"cam_3x3": ("cam_3x3", prepared / "cam.safetensors")},
            provenance={},
        )
    assert list(tmp_path.iterdir()) == [record]


def test_the_record_is_what_a_look_up_says(prepared: Path) -> None:
    found = json.loads((prepared / "record.json").read_text())
    assert found == {
        "photograph": photographs.look_up(None),
        "network": pretrained.look_up(entries("cam_3x3"), None, ["cam_3x3"], download=False)[0],
    }


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dreams")
    torch.manual_seed(0)
    save_weights(build_model("cam_3x3"), folder / "cam.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(sources.ENVIRONMENT_VARIABLE, raising=False)  # this comes before what each test takes away
        dream_inputs.prepare(
            folder / "photograph.h5",
            folder / "weights.safetensors",
            folder / "record.json",
            local=None,
            download=False,
            models=entries("cam_3x3"),
            trained={"cam_3x3": ("cam_3x3", folder / "cam.safetensors")},
            provenance={},
        )
    return folder


def test_only_weights_that_run_are_kept(prepared: Path) -> None:
    kept = load_file(prepared / "weights.safetensors")
    assert {name.partition(".")[0] for name in kept} == {"conv1", "conv2", "conv3"}
    original = load_file(prepared / "cam.safetensors")
    assert all(torch.equal(value, original[name]) for name, value in kept.items())


def make(prepared: Path, output: Path, progress: Callable[[int, int], None] | None = None, **changes: object) -> None:
    dream(
        prepared / "photograph.h5",
        prepared / "weights.safetensors",
        output,
        settings={**SETTINGS, **changes},
        seed=3,
        device="cpu",
        provenance={},
        progress=progress,
    )


def test_a_stopped_job_goes_on_behind_the_last_octave(prepared: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        assert total == 16
        if done == 8:  # 4 panels of 2 octaves of 2 steps: in the last octave of the second panel
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(prepared, tmp_path / "dream.h5", progress=stop)
    told: list[int] = []
    make(prepared, tmp_path / "dream.h5", progress=lambda done, _: told.append(done))
    assert told == list(range(7, 17))
    make(prepared, tmp_path / "whole.h5")
    assert (tmp_path / "dream.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert not list(tmp_path.glob("*state*"))


def test_dreams_of_two_layers_and_two_channels_in_grey(prepared: Path, tmp_path: Path) -> None:
    make(prepared, tmp_path / "dream.h5")
    found = read_hdf5(tmp_path / "dream.h5", schema="dreams/1")
    assert found.arrays["photograph"].values.shape == (1, 64, 96)
    assert found.arrays["dream"].values.shape == (4, 1, 64, 96)
    assert found.arrays["dream"].values.min() >= 0
    assert found.arrays["dream"].values.max() <= 1
    assert [panel["channel"] for panel in found.params["panels"]] == [None, None, 0, 5]
    assert found.params["original"] == [427, 640]
    activation = found.arrays["activation"].values
    assert (activation[:2, -1, -1] > activation[:2, 0, 0]).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dream.h5", "dream.h5.sha256"]
    make(prepared, tmp_path / "again.h5")
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "dream.h5").read_bytes()


def test_the_strongest_channels_are_those_that_the_photograph_excites_most(prepared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    dream_inputs.prepare(
        folder / "photograph.h5",
        folder / "weights.safetensors",
        folder / "record.json",
        local=None,
        download=False,
        models=[{"name": "cam_3x3", **ENTRY, "channels": "strongest"}],
        trained={"cam_3x3": ("cam_3x3", prepared / "cam.safetensors")},
        provenance={},
    )
    make(folder, tmp_path / "dream.h5", steps=1, octaves=1)
    found = read_hdf5(tmp_path / "dream.h5")
    model = load_weights(build_model("cam_3x3"), prepared / "cam.safetensors")
    seen = torch.from_numpy(found.arrays["photograph"].values)[None]
    order = ActivationMaps(model, layer="relu3").interpret(seen).order[0]
    assert [panel["channel"] for panel in found.params["panels"][2:]] == order[:2].tolist()


def test_each_technique_left_out_changes_the_dreams_and_the_measures(prepared: Path, tmp_path: Path) -> None:
    settings = {**SETTINGS, "size": 160, "noise": 0.05, "penalty": 0.5, "crops": 2, "crop": 96}
    arguments = {"settings": settings, "seed": 3, "device": "cpu", "provenance": {}}
    leave_one_out(prepared / "photograph.h5", prepared / "weights.safetensors", tmp_path / "without.h5", **arguments)
    found = read_hdf5(tmp_path / "without.h5", schema="leave_one_out/1")
    assert list(found.scales["variant"]) == ["all", "penalty", "scales", "roll", "tiles", "noise", "first_two"]
    dreams = found.arrays["dream"].values
    assert dreams.shape == (7, 2, 1, 96, 96)
    assert all(np.abs(dreams[0] - other).max() > 1e-3 for other in dreams[1:])
    for measure in ("high_frequency", "seams", "brightness", "activation"):
        assert found.arrays[measure].values.shape == (7, 2)
    arguments["settings"] = {**settings, "crop": 64}
    with pytest.raises(ConfigError, match="leaves no edges"):
        leave_one_out(prepared / "photograph.h5", prepared / "weights.safetensors", tmp_path / "x.h5", **arguments)


def test_crops_are_spread_over_the_picture() -> None:
    picture = torch.arange(40 * 60.0).reshape(1, 40, 60)
    found = cropped(picture, 6, 20)
    assert found.shape == (6, 1, 20, 20)
    assert found[0, 0, 0, 0] == 0
    assert found[-1, 0, -1, -1] == 40 * 60 - 1
    with pytest.raises(ConfigError, match="larger than the photograph"):
        cropped(picture, 1, 41)


def test_a_layer_that_is_not_there_is_said_before_anything_is_written(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no layer 'relu9'"):
        dream_inputs.prepare(
            tmp_path / "photograph.h5",
            tmp_path / "weights.safetensors",
            tmp_path / "record.json",
            local=None,
            download=False,
            models=[{"name": "cam_3x3", **ENTRY, "layers": ["relu2", "relu9"]}],
            trained={"cam_3x3": ("cam_3x3", prepared / "cam.safetensors")},
            provenance={},
        )
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_network_of_torchvision_names_those_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"no classifier 'resnet19'; did you mean"):
        dream_inputs.prepare(
            tmp_path / "photograph.h5",
            tmp_path / "weights.safetensors",
            tmp_path / "record.json",
            local=None,
            download=False,
            models=[{"name": "resnet19", "weights": str(tmp_path / "w.pth"), **ENTRY}],
            trained={},
            provenance={},
        )
