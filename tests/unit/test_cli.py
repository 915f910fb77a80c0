"""The command line: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from nn_interpretability.attribution import Attribution
from nn_interpretability.cli import main
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import save_weights
from nn_interpretability.registry import METHODS, STUDY_METHODS
from nn_interpretability.storage.product import write_json

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.zeros((28, 28), dtype=np.uint8)
    pixels[4:24, 12:16] = 255
    Image.fromarray(pixels).save(tmp_path / "one.png")
    return tmp_path / "one.png"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_weights(build_model("small_cnn"), tmp_path / "cnn.safetensors")
    return tmp_path / "cnn.safetensors"


def explain(picture: Path, weights: Path, output: Path, *more: str) -> list[str]:
    return [
        *("explain", str(picture), "--model", "small_cnn", "--weights", str(weights), "-o", str(output)),
        *("--device", "cpu", *more),
    ]


@pytest.mark.parametrize(("suffix", "begins"), [(".png", b"\x89PNG"), (".pdf", b"%PDF-"), (".svg", b"<?xml")])
def test_a_picture_is_explained_and_drawn(
    picture: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str, begins: bytes
) -> None:
    output = tmp_path / "out" / f"map{suffix}"
    output.parent.mkdir()
    arguments = explain(picture, weights, output, "--parameter", "rule=gamma", "--parameter", "gamma=0.5")
    assert main([*arguments, "--target", "3"]) == 0
    assert output.read_bytes().startswith(begins)
    assert list(output.parent.iterdir()) == [output]
    assert capsys.readouterr().out.startswith("lrp: class 3, score ")


def test_the_data_of_an_explanation(picture: Path, weights: Path, tmp_path: Path) -> None:
    assert main(explain(picture, weights, tmp_path / "map.h5", "--method", "gradient")) == 0
    loaded = Attribution.load(tmp_path / "map.h5")
    assert loaded.values.shape == (1, 1, 28, 28)
    assert loaded.method == "gradient"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("--parameter", "rule=gama"), "rule: 'gama' is not allowed\n      did you mean 'gamma'?"),
        (("--parameter", "rule"), "--parameter rule is not of the form KEY=VALUE"),
        (("--method", "lpr"), "There is no method 'lpr'"),
        (("-o", "map.tiff"), "-o map.tiff has no suffix that says what to write"),
        (("-o", "nowhere/map.png"), "there is no folder nowhere"),
        (("--model", "torchvision:resnet19"), "torchvision has no classifier 'resnet19'"),
        (("--weights", "none.pt"), "none.pt"),
    ],
)
def test_bad_input_is_one_message_and_nothing_is_written(
    picture: Path,
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    change: tuple[str, str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert main([*explain(picture, weights, tmp_path / "map.png"), *change]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert words in error
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("words", [["methods"], ["--list"], ["explain", "--list"]])
def test_the_list_of_methods(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(words)
    except SystemExit as ended:
        status = ended.code
    assert status == 0
    listed = capsys.readouterr().out
    for name, entry in METHODS.items():
        assert f"{name}\n    {entry.summary}" in listed
        assert entry.paper in " ".join(listed.split())
        assert f"    needs {entry.needs.split()[0]}" in listed
    assert "    gamma: a number (at least 0)" in listed
    assert not [name for name in STUDY_METHODS if f"{name}\n" in listed]


def test_the_list_has_the_methods_of_the_study_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods", "--study"]) == 0
    listed = capsys.readouterr().out
    for name, entry in (METHODS | STUDY_METHODS).items():
        assert f"{name}\n    {entry.summary.split(':')[0]}" in listed


def test_verify_finds_what_is_broken_and_sets_it_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(tmp_path / "good.json", {"a": 1})
    write_json(tmp_path / "bad.json", {"a": 1})
    assert main(["verify", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}: nothing is wrong.\n"

    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    assert main(["verify", str(tmp_path)]) == 1
    assert "bad.json: was damaged or changed" in capsys.readouterr().out
    assert (tmp_path / "bad.json").exists()

    assert main(["verify", "--set-aside", str(tmp_path)]) == 1
    assert "it was renamed to bad.json.broken" in capsys.readouterr().out
    assert not (tmp_path / "bad.json").exists()
    assert main(["verify", str(tmp_path)]) == 0


def test_verify_a_folder_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path / "none")]) == 1
    assert "none is not a folder" in capsys.readouterr().err


def test_config_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, mine = REPOSITORY / "config.yaml", tmp_path / "mine.yaml"
    assert main(["config", "check", str(study)]) == 0
    content = yaml.safe_load(study.read_text(encoding="utf-8"))
    counts = ", ".join(f"{key}: {len(content[key])}" for key in ("models", "probes", "attributions", "figures"))
    assert f"nothing is wrong ({counts})" in capsys.readouterr().out

    mine.write_text("attributions: {mine: {method: gradient}}\n", encoding="utf-8")
    assert main(["config", "check", str(study), str(mine)]) == 0
    assert f"attributions: {len(content['attributions']) + 1}" in capsys.readouterr().out

    mine.write_text("device: gpu\n", encoding="utf-8")
    assert main(["config", "check", str(study), str(mine)]) == 1
    assert "device: 'gpu' is not allowed" in capsys.readouterr().err


def test_config_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Configuration of the study"


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    words = [sys.executable, "-m", "nn_interpretability.cli", "config", "schema"]
    running = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    running.stdout.close()  # as `head` does, when it has its lines
    assert running.stderr.read() == ""
    assert running.wait() == 0


def test_planning_and_checking_import_no_torch() -> None:
    code = (
        "import sys; from nn_interpretability.cli import main; main(['methods']); main(['config', 'check']); "
        "sys.exit('torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, check=False)
    assert told.returncode == 0
