"""Chunks, seeds and jobs of passes follow from the configuration; mistakes are named."""

from __future__ import annotations

from typing import Any

import pytest

from nn_interpretability.config.passes import (
    FUNCTIONS,
    attribute_jobs,
    chunk_name,
    chunks,
    draw_jobs,
    drawn_files,
    merge_jobs,
    randomness,
    sums_files,
)
from nn_interpretability.config.validate import checked
from nn_interpretability.errors import ConfigError
from nn_interpretability.study import passes as study


def config(**passes: Any) -> dict[str, Any]:
    content = {
        "models": {"cnn": {}, "dropout_cnn": {"architecture": "dropout_cnn"}},
        "passes": {"a": {"passes": 120, "chunk": 50}, "b": {"passes": 50, "chunk": 50, "noise": 0.5}, **passes},
        "pass_attributions": {
            "x": {"passes": "a", "method": "lrp"},
            "y": {"passes": "b", "method": "lrp"},
            "z": {"passes": "a", "method": "gradient", "target": "mutual_information"},
        },
    }
    return checked(content)


def test_chunks_tile_the_passes() -> None:
    assert chunks({"passes": 120, "chunk": 50}) == [(0, 50), (50, 100), (100, 120)]
    assert chunks({"passes": 30, "chunk": 50}) == [(0, 30)]
    assert chunk_name(250, 500) == "00250-00500"


def test_jobs_take_on_what_shares_model_method_and_range() -> None:
    study = config()
    assert draw_jobs(study) == {
        ("dropout_cnn", 0, 50): ["a", "b"],
        ("dropout_cnn", 50, 100): ["a"],
        ("dropout_cnn", 100, 120): ["a"],
    }
    assert attribute_jobs(study)["dropout_cnn", "lrp", 0, 50] == ["x", "y"]
    assert attribute_jobs(study)["dropout_cnn", "lrp", 50, 100] == ["x"]
    assert attribute_jobs(study)["dropout_cnn", "gradient_functions", 50, 100] == ["z"]
    assert merge_jobs(study) == {"dropout_cnn": ["x", "y", "z"]}


def test_more_passes_leave_the_old_jobs_as_they_are() -> None:
    more = config(a={"passes": 200, "chunk": 50})
    old = draw_jobs(config())
    assert {job: names for job, names in draw_jobs(more).items() if job[2] <= 100} == {
        job: names for job, names in old.items() if job[2] <= 100
    }


def test_only_a_function_of_all_passes_reads_all_chunks() -> None:
    assert [file.rpartition("/")[2] for file in drawn_files(config(), "x", 50, 100)] == ["passes_00050-00100.h5"]
    assert drawn_files(config(), "z", 50, 100) == drawn_files(config(), "x") == drawn_files(config(), "z")
    assert len(sums_files(config(), "z")) == 3


def test_seeds() -> None:
    """Noise is the same for all networks, dropout is each network's own; both are other ones for other seeds."""
    both = config(c={"noise": 0.1}, d={"model": "cnn", "noise": 0.2, "dropout": False}, e={"model": "cnn"})
    assert randomness(both, "c")["noise"]["seed"] == randomness(both, "d")["noise"]["seed"]
    assert randomness(both, "d")["dropout"] is None
    assert randomness(both, "a")["noise"] is None
    assert randomness(both, "a")["dropout"] == randomness(both, "b")["dropout"] != randomness(both, "e")["dropout"]
    assert randomness({**both, "seed": 1}, "a") != randomness(both, "a")


def test_the_functions_are_those_of_the_library() -> None:
    assert set(FUNCTIONS) == set(study.FUNCTIONS)


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ({"chunk": 75}, ["passes.c.chunk: 75 is no multiple of the block, 50", "allowed: 50, 100, 150 and so on"]),
        ({"block": 40, "chunk": 500}, ["passes.c.chunk: 500 is no multiple of the block, 40"]),
        ({"dropout": False}, ["passes.c: nothing is random: all passes would be the same"]),
        ({"model": "dropout"}, ["passes.c.model: 'dropout' is not a name under models", "did you mean 'dropout_cnn'?"]),
        ({"passes": 0}, ["passes.c.passes: 0 is not allowed"]),
        ({"noise": -1}, ["passes.c.noise: -1 is not allowed"]),
    ],
)
def test_mistakes_are_named(mistake: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        config(c=mistake)
    for each in words:
        assert each in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"target": "predicted"}, "independent_masks: is for all classes, not for the target predicted"),
        ({"products": ["mean", "by_predicted_class"]}, "independent_masks: leaves no by_predicted_class"),
    ],
)
def test_other_masks_for_each_class_are_for_all_classes_and_leave_no_predicted_one(
    entry: dict[str, Any], words: str
) -> None:
    given: dict[str, Any] = {
        "models": {"cnn": {}, "dropout_cnn": {"architecture": "dropout_cnn"}},
        "passes": {"a": {}},
        "pass_attributions": {"x": {"passes": "a", "method": "lrp", "independent_masks": True}},
    }
    assert checked(given)["pass_attributions"]["x"]["independent_masks"] is True
    given["pass_attributions"]["x"] |= entry
    with pytest.raises(ConfigError, match=words):
        checked(given)


def test_passes_that_are_not_there_are_named() -> None:
    with pytest.raises(ConfigError, match=r"pass_attributions\.x\.passes: 'turning' is not a name under passes"):
        checked({"pass_attributions": {"x": {"passes": "turning", "method": "lrp"}}})
