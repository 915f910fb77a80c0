"""What the 2020 study printed, from its own weights: every number that needs no search from a random start."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from nn_interpretability.data.digits import Digits
from nn_interpretability.data.mnist import read_mnist
from nn_interpretability.data.sources import find_local, load, read_local
from nn_interpretability.data.study_weights import obtain
from nn_interpretability.study import published
from nn_interpretability.study.reproduce import Material, Settings, incomplete, material_of, measure
from nn_interpretability.study.verdicts import NOT_REPRODUCED, found, judged

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("NN_INTERPRETABILITY_DATA") or REPOSITORY.parent / "shared" / "data")
KNOWN = published.load()
SETTINGS = Settings(seed=1, passes=5000, pictures=300)

pytestmark = pytest.mark.skipif(
    not all(find_local(load()[source], FOLDER)[0] for source in ("mnist", "study2020")),
    reason=f"the study's weights and MNIST are not in {FOLDER}; NN_INTERPRETABILITY_DATA names another folder",
)


@pytest.fixture(scope="module")
def digits() -> Digits:
    """All of MNIST, split and shuffled as in a run."""
    source = load()["mnist"]
    copy, _ = find_local(source, FOLDER)
    assert copy is not None
    raw = read_mnist({file.name: read_local(file, copy.files[file.name]) for file in source.files})
    order = np.random.default_rng(0).permutation(60_000)
    train, held = order[:54_000], order[54_000:]
    return Digits(
        raw.train_images[train], raw.train_labels[train], train,
        raw.train_images[held], raw.train_labels[held], held,
        raw.test_images, raw.test_labels, np.arange(10_000),
        {"source": "mnist-local"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def material(digits: Digits) -> Material:
    files, reason = obtain(str(FOLDER))
    assert files is not None, reason
    assert not incomplete(digits)
    return material_of(files, digits)


@pytest.mark.parametrize("job", published.JOBS)
def test_every_number_is_reproduced(material: Material, job: str) -> None:
    measured = measure(job, material, SETTINGS)
    numbers = {value.name: value for table in KNOWN.values() if table.job == job for value in table.values()}
    searched = {name for name in numbers if name.startswith(("fig02_left.", "fig03_left."))}
    assert measured.keys() == numbers.keys() - searched
    results = {name: found(numbers[name], each) for name, each in measured.items()}
    assert not {name: each for name, each in results.items() if judged(numbers[name], each) == NOT_REPRODUCED}


def test_pictures_stand_in_the_order_of_their_source(material: Material) -> None:
    assert material.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


def test_searches_from_random_starts(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many results as seeds, of each class; the number of steps is cut here."""
    from nn_interpretability.study import reproduce

    def brief(*args: object, **settings: object) -> object:
        return original(*args, **{**settings, "steps": 2})

    original = reproduce.PublishedMaximization
    monkeypatch.setattr(reproduce, "PublishedMaximization", brief)
    measured = measure("searches", material, Settings(seed=1, seeds=3))
    found_samples = [
        measured[f"{table}.digit.{k}"]["samples"] for table in ("fig02_left", "fig03_left") for k in range(10)
    ]
    assert {len(samples) for samples in found_samples} == {3}
    assert all(len(set(samples)) == 3 for samples in found_samples)
