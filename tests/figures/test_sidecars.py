"""A figure's sidecar holds the numbers that are drawn, and they are those of the arrays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from figures.results import Results, study
from figures.sidecars import check_sidecar

from nn_interpretability.plotting.style import plain, typeset


@pytest.fixture(scope="module")
def results(made_up_results: Path) -> Results:
    return Results(made_up_results)


@pytest.mark.parametrize("figure", sorted(study()["figures"]))
def test_numbers_are_those_of_the_arrays(results: Results, figure: str) -> None:
    data = results.folder / f"figures/data/{figure}.h5"
    assert check_sidecar(data, results.folder / f"figures/{figure}.json") >= 2


def test_titles_with_scores_and_the_ends_of_scales_are_there(results: Results) -> None:
    said = json.loads((results.folder / "figures" / "fig12.json").read_text(encoding="utf-8"))
    assert "f_2 = 3.0" in said["drawn"]["words"]
    limit = said["facts"]["limit"]
    assert [-limit, limit] in said["drawn"]["colour_scales"]
    assert [-limit, limit] in [axes["x"] for axes in said["drawn"]["axes"]]


def test_words_are_read_as_they_were_meant() -> None:
    words = "zᴮ on [−1, 1], α = 2 × β, < 5° of a_b, 10⁻⁹"
    assert plain(typeset(words)) == words
    assert plain(r"$\mathit{f}_{3}$ = $-$1.5") == "f_3 = −1.5"
