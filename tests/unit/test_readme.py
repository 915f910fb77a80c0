"""What README.md shows can be done: the Python runs, the make targets and the files exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text()


@pytest.mark.filterwarnings("error::UserWarning")
def test_the_python_runs(readme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With random instead of downloaded weights, and smaller images."""
    (block,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    block = block.replace('weights="DEFAULT"', "weights=None").replace("224", "64")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(block, names)
    assert tuple(names["heatmap"].values.shape) == (2, 3, 64, 64)
    assert (tmp_path / "maps.h5").is_file()


def test_it_begins_with_the_two_commands(readme: str) -> None:
    blocks = re.findall(r"```\w*\n(.*?)```", readme, re.DOTALL)
    assert blocks[:2] == ["make report\nmake test\n", "snakemake --cores 4 --resources gpu=1\n"]


def test_its_make_targets_exist(readme: str, repository: Path) -> None:
    makefile = (repository / "Makefile").read_text()
    targets = set(re.findall(r"`make ([a-z-]+)", readme)) | set(re.findall(r"^make ([a-z-]+)", readme, re.MULTILINE))
    assert targets
    assert targets <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def test_the_files_it_points_to_exist(readme: str, repository: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", readme)
    assert links
    assert [link for link in links if not (repository / link).exists()] == []
