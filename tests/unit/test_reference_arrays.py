"""The stored arrays: small, found again, and told apart from others; tightly and loosely."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from smoke import reference

from nn_interpretability.storage.hdf5 import Array, read_unverified, write_hdf5

MAPS = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)


def run(results: Path, maps: np.ndarray = MAPS, *, instructions: str = "AVX512", figure: str = "fig12") -> Path:
    arrays = {
        "maps": Array(maps, ("map", "sample", "y", "x")),
        "target": Array(np.array([1, 2, 3]), ("sample",)),
        "score": Array(np.array([0.1, 0.2, 0.3]), ("sample",)),
    }
    provenance = {"commit": "abc", "device": "cpu", "instruction_set": instructions, "versions": {}}
    path = results / f"figures/data/{figure}.h5"
    write_hdf5(
        path, arrays, schema="figure/1", params={"facts": 1}, provenance=provenance, scales={"map": ["lrp", "gradient"]}
    )
    return results


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    folder = tmp_path / "reference"
    folder.mkdir()
    reference.regenerate(run(tmp_path / "made"), folder)
    return folder


def told(results: Path, folder: Path) -> str:
    return reference.told(reference.compare(results, folder))


def test_the_same_run_differs_in_nothing(stored: Path, tmp_path: Path) -> None:
    assert told(tmp_path / "made", stored) == "no array differs"
    assert len(reference.compare(tmp_path / "made", stored)) == 5


def test_a_flipped_sign_is_told_with_its_measures(stored: Path, tmp_path: Path) -> None:
    maps = MAPS.copy()
    maps[0, 1, 2, 4] *= -1
    words = told(run(tmp_path / "other", maps), stored)
    assert words.startswith("fig12: maps[lrp]: relative error ")
    assert "signs 0.97" in words  # 1 of 48
    assert len(words.splitlines()) == 1


def test_other_processors_are_compared_loosely(stored: Path, tmp_path: Path) -> None:
    near = MAPS + 0.01 * np.random.default_rng(1).normal(size=MAPS.shape).astype(np.float32)
    assert told(run(tmp_path / "tight", near), stored).count("maps") == 2
    assert "maps" not in told(run(tmp_path / "loose", near, instructions="AVX2"), stored)
    assert told(run(tmp_path / "wrong", -MAPS, instructions="AVX2"), stored).count("maps") == 2


def test_figures_of_one_side_are_told(stored: Path, tmp_path: Path) -> None:
    run(tmp_path / "made", figure="fig99")
    assert told(tmp_path / "made", stored) == "fig99: all arrays: only in this run (wanted: exact)"
    assert "fig12: all arrays: only in the reference" in told(run(tmp_path / "other", figure="fig99"), stored)


def test_regenerating_replaces_all_of_them(stored: Path, tmp_path: Path) -> None:
    other = run(tmp_path / "other", -MAPS, figure="fig99")
    reference.regenerate(other, stored)
    assert [path.name for path in sorted(stored.iterdir())] == ["fig99.h5"]
    assert told(other, stored) == "no array differs"


def test_what_is_stored_is_small_and_says_what_made_it() -> None:
    files = reference.references()
    assert sum(path.stat().st_size for path in files.values()) < 3e6
    for path in files.values():
        record = read_unverified(path).provenance
        assert {"commit", "processors", "versions"} == record.keys()
        assert {words.split()[0] for words in record["processors"]} == {"cpu"}


def test_every_figure_of_the_study_has_a_reference(repository: Path) -> None:
    import yaml

    wanted = yaml.safe_load((repository / "config.yaml").read_text(encoding="utf-8"))["figures"]
    assert reference.references().keys() == wanted.keys()
