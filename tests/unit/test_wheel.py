"""The wheel holds all that the package needs, and works without Snakemake and far from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
HIDDEN = "raise ImportError('Snakemake is hidden')\n"

EVERYTHING = """
import sys
from pathlib import Path

import nn_interpretability

home = Path(nn_interpretability.__file__).resolve().parent
assert home.is_relative_to(sys.argv[1]), home
assert "torch" not in sys.modules

from nn_interpretability.claims.rules import load_rules, rules_file
from nn_interpretability.config.validate import checked
from nn_interpretability.data import sources
from nn_interpretability.plotting.style_sheet import STYLE_SHEET, style_settings
from nn_interpretability.study import published

for file in (rules_file(), published.FILE, STYLE_SHEET, home / "py.typed"):
    assert file.resolve().is_relative_to(home), file
assert len(load_rules()) == 34
assert len(published.load()) > 10
assert sources.load()["mnist"].files
assert len(style_settings()) > 10
assert list(checked({})["models"]) == ["cnn"]

import torch

torch.manual_seed(0)
from nn_interpretability import LRP
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import save_weights

network = build_model("small_cnn")
found = LRP(network, composite="montavon2019", input_bounds=(0, 1)).interpret(torch.rand(1, 1, 28, 28), target=3)
assert found.values.shape == (1, 1, 28, 28) and bool(found.values.abs().sum() > 0)
save_weights(network, Path("cnn.safetensors"))
assert not [name for name in sys.modules if name.split(".")[0] == "snakemake"]
print("all is there")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel with what is installed, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    pip(
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        folder,
        REPOSITORY,
    )
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel alone into an empty folder."""
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--no-index", "--target", folder, wheel)
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path, installed: Path) -> dict[str, str]:
    """The environment of somebody who has the wheel and no Snakemake."""
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "snakemake.py").write_text(HIDDEN, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path / "hidden"), str(installed)])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def pip(*arguments: object) -> None:
    words = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *map(str, arguments)]
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_wheel_holds_every_file_of_the_package_and_what_it_reads(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        for file in ("claims.yaml", "published.yaml", "sources.yaml"):
            assert (
                packed.read(f"nn_interpretability/reference/{file}") == (REPOSITORY / "reference" / file).read_bytes()
            )
    source = REPOSITORY / "src"
    files = (path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    wanted = {path.relative_to(source).as_posix() for path in files if ".egg-info" not in str(path)}
    assert wanted <= names
    assert not [name for name in names if name.split("/")[0] in {"tests", "results", "scripts"}]


def test_everything_works_without_snakemake_and_far_from_the_checkout(
    installed: Path, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    def call(*words: object) -> str:
        told = subprocess.run(
            list(map(str, words)), cwd=tmp_path, env=elsewhere, capture_output=True, text=True, check=False
        )
        assert told.returncode == 0, told.stderr
        return told.stdout

    assert "all is there" in call(sys.executable, "-c", EVERYTHING, installed)
    command = installed / "bin" / "nn-interpretability"
    assert "montavon2019" in call(command, "methods")
    assert '"$schema"' in call(command, "config", "schema")
    Image.fromarray(np.eye(28, dtype=np.uint8) * 255).save(tmp_path / "picture.png")
    words = ("picture.png", "--model", "small_cnn", "--weights", "cnn.safetensors", "--device", "cpu", "-o", "map.png")
    assert call(command, "explain", *words).startswith("lrp: class ")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
