"""Two results folders side by side: planted differences are found, named and measured, and nothing else is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import chromium
from PIL import Image
from scipy.stats import spearmanr

from nn_interpretability.cli import main
from nn_interpretability.comparison import Comparison, compare_results
from nn_interpretability.comparison.measures import likeness
from nn_interpretability.comparison.page import page, write_page
from nn_interpretability.comparison.tolerances import FLOAT, TOLERANCES
from nn_interpretability.storage.hdf5 import Array, write_hdf5
from nn_interpretability.storage.product import write_json

MAPS = np.random.default_rng(0).normal(size=(2, 3, 6, 5)).astype(np.float32)
NUMBERS = {"data.source": "embedded", "model.cnn.accuracy": 91.25, "model.cnn.wrong": 7, "run.commit": "abc"}
CLAIM = {"id": "c01", "verdict": "supported", "value": 0.25, "interval": [0.125, 0.5], "rule_commit": "abc"}


@pytest.fixture
def a(tmp_path: Path) -> Path:
    """A small results folder of two figures."""
    results = tmp_path / "a"
    figure(results, "fig06")
    figure(results, "fig12")
    numbers(results, NUMBERS)
    write_json(results / "claims.json", [CLAIM])
    return results


@pytest.fixture
def b(a: Path, tmp_path: Path) -> Path:
    """The same results."""
    return shutil.copytree(a, tmp_path / "b")


def figure(results: Path, name: str, maps: np.ndarray = MAPS, methods: tuple[str, ...] = ("lrp", "gradient")) -> None:
    write_hdf5(
        results / f"figures/data/{name}.h5",
        {
            "maps": Array(maps, ("map", "sample", "y", "x")),
            "label": Array(np.array([4, 7, 2]), ("sample",)),
        },
        schema="figure/1",
        params={"figure": name, "quantity": "relevance"},
        provenance={},
        scales={"map": list(methods)},
    )
    grey = np.uint8(np.clip(128 + 60 * np.repeat(np.repeat(maps[0, 0], 20, 0), 20, 1), 0, 255))
    Image.fromarray(grey).save(results / f"figures/{name}.png")


def numbers(results: Path, values: dict[str, Any]) -> None:
    write_json(results / "numbers.json", {key: {"value": value, "text": str(value)} for key, value in values.items()})


def differing(a: Path, b: Path) -> list[str]:
    return [outcome.title for outcome in compare_results(a, b).outcomes if outcome.differs]


# Measures ---------------------------------------------------------------------------------------------------------


def test_measures_of_a_few_values() -> None:
    found = likeness(np.array([4.0, -2.0, 1.0, 1e-6]), np.array([4.0, 2.0, 1.0, -1e-6]))
    assert found.relative_error == 1.0  # 4 of 4
    assert found.sign_agreement == pytest.approx(2 / 3)  # the last is a rounding error on both sides
    assert found.rank_correlation == pytest.approx(spearmanr([4, -2, 1, 0], [4, 2, 1, 0]).statistic)


def test_a_bright_picture_does_not_hide_a_faint_one() -> None:
    bright = np.stack([np.full((2, 2), 100.0), np.full((2, 2), 1.0)])
    other = bright.copy()
    other[1, 0, 0] = 0.5
    assert likeness(bright, other).relative_error == 0.005
    assert likeness(bright, other, pictures=True).relative_error == 0.5


def test_nothing_and_constants_have_no_order() -> None:
    assert likeness(np.zeros(0), np.zeros(0)).relative_error == 0
    assert likeness(np.zeros(3), np.zeros(3)).rank_correlation is None
    assert likeness(np.zeros(3), np.ones(3)).relative_error == 1


def test_every_tolerance_has_a_reason() -> None:
    assert all(len(tolerance.reason) > 20 and tolerance.words for tolerance in TOLERANCES)


# Planted differences ----------------------------------------------------------------------------------------------


def test_the_same_results_are_the_same(a: Path, b: Path) -> None:
    assert differing(a, b) == []


def test_a_rounding_error_is_none_and_its_size_is_told(a: Path, b: Path) -> None:
    figure(b, "fig12", MAPS * np.float32(1 + 2e-6))
    compared = compare_results(a, b)
    assert compared.same
    errors = [outcome.relative_error for outcome in compared.outcomes if outcome.title == "fig12: maps[lrp]"]
    assert errors == [pytest.approx(2e-6, rel=0.1)]


def test_a_flipped_sign_of_one_faint_value(a: Path, b: Path) -> None:
    flipped = MAPS.copy()
    flipped[1, 2, 3, 4] = 3e-4 * np.abs(flipped[1, 2]).max()
    figure(a, "fig12", flipped)
    flipped = flipped.copy()
    flipped[1, 2, 3, 4] *= -1
    figure(b, "fig12", flipped)
    compared = compare_results(a, b)
    (found,) = [outcome for outcome in compared.outcomes if outcome.differs]
    assert found.title == "fig12: maps[gradient]"
    assert found.relative_error == pytest.approx(6e-4, rel=1e-5)
    assert found.sign_agreement == 89 / 90
    assert compared.figures()[0] == "fig12"


def test_rows_are_compared_by_name_not_by_place(a: Path, b: Path) -> None:
    figure(b, "fig12", MAPS[::-1], ("gradient", "lrp"))
    found = [title for title in differing(a, b) if "maps" in title]
    assert found == []


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"model.cnn.accuracy": 91.35}, ["model.cnn.accuracy"]),
        ({"model.cnn.accuracy": 91.25 * (1 + 1e-6)}, []),
        ({"model.cnn.wrong": 8}, ["model.cnn.wrong"]),
        ({"model.cnn.accuracy": None}, ["model.cnn.accuracy"]),
        ({"data.source": "mnist"}, ["data.source"]),
        ({"run.commit": "another"}, []),
        ({"model.new": 1}, ["model.new"]),
    ],
)
def test_one_changed_number(a: Path, b: Path, change: dict[str, Any], names: list[str]) -> None:
    numbers(b, NUMBERS | change)
    assert differing(a, b) == names


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"verdict": "undecided"}, ["c01.verdict"]),
        ({"interval": [0.125, 0.75]}, ["c01.interval[1]"]),
        ({"rule_commit": "another"}, []),
    ],
)
def test_one_changed_claim(a: Path, b: Path, change: dict[str, Any], names: list[str]) -> None:
    write_json(b / "claims.json", [CLAIM | change])
    assert differing(a, b) == names


def test_what_one_side_lacks_is_listed(a: Path, b: Path) -> None:
    (b / "figures/data/fig06.h5").unlink()
    (b / "figures/fig06.png").unlink()
    (a / "claims.json").unlink()
    found = {o.title: o.words for o in compare_results(a, b).outcomes if o.differs}
    assert found == {
        "fig06: all arrays": "only in A", "fig06: fig06.png": "only in A", "claims.json, the whole file": "only in B",
    }  # fmt: skip


def test_another_shape_another_word_another_drawing(a: Path, b: Path) -> None:
    figure(b, "fig06", MAPS[..., :4])
    figure(b, "fig12", MAPS, ("lrp", "another"))
    found = {outcome.title: outcome.words for outcome in compare_results(a, b).outcomes if outcome.differs}
    assert found["fig06: maps[lrp]"] == "shape (3, 6, 5) against (3, 6, 4)"
    assert found["fig06: fig06.png"] == "100 × 120 dots against 80 × 120 dots"
    assert found["fig12: maps[gradient]"] == "only in A"
    assert found["fig12: maps[another]"] == "only in B"


def test_a_line_on_a_picture(a: Path, b: Path) -> None:
    with Image.open(a / "figures/fig12.png") as opened:
        pixels = np.array(opened)
    pixels[60] = 0
    Image.fromarray(pixels).save(b / "figures/fig12.png")
    assert differing(a, b) == ["fig12: fig12.png"]


# The command ------------------------------------------------------------------------------------------------------


def test_exit_status(a: Path, b: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(a), str(b)]) == 0
    out = capsys.readouterr().out
    assert "The same within tolerance" in out
    assert FLOAT.name in out

    numbers(b, NUMBERS | {"model.cnn.accuracy": 50.0})
    assert main(["compare", str(a), str(b)]) == 1
    out = capsys.readouterr().out
    assert "model.cnn.accuracy" in out
    assert "91.25 against 50" in out
    assert "They differ: " in out


def nothing(results: Path) -> None:
    shutil.rmtree(results)


def no_results(results: Path) -> None:
    nothing(results)
    results.mkdir()


def half_a_file(results: Path) -> None:
    file = results / "figures/data/fig12.h5"
    file.write_bytes(file.read_bytes()[:500])


def no_json(results: Path) -> None:
    (results / "numbers.json").write_text("[1]", encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (nothing, "b is not a folder"),
        (no_results, "b holds no results"),
        (half_a_file, "fig12.h5 cannot be read"),
        (no_json, "numbers.json is damaged or not what a run writes"),
    ],
)
def test_what_cannot_be_compared_is_one_message(
    a: Path, b: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], None], words: str
) -> None:
    damage(b)
    before = sorted(b.rglob("*"))
    assert main(["compare", str(a), str(b)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert words in error
    assert len(error.splitlines()) == 1
    assert sorted(b.rglob("*")) == before  # a damaged file is left where it is


# The page ---------------------------------------------------------------------------------------------------------


def different(a: Path, b: Path) -> Comparison:
    figure(b, "fig12", -MAPS)
    write_json(b / "claims.json", [CLAIM | {"verdict": "<undecided>"}])
    return compare_results(a, b)


def test_the_page_refers_to_nothing_outside(a: Path, b: Path) -> None:
    html = page(different(a, b))
    assert "http:" not in html
    assert "https:" not in html
    assert "<script" not in html
    assert html.index('id="fig12"') < html.index('id="fig06"')  # what differs most first
    assert "&lt;undecided&gt;" in html


def test_the_page_in_a_browser(a: Path, b: Path, tmp_path: Path) -> None:
    write_page(different(a, b), tmp_path / "page.html")
    with chromium(tmp_path / "profile") as tab:
        tab.open(tmp_path / "page.html")
        assert tab.value("document.querySelector('h1').innerText") == "Comparison of two runs"
        assert tab.value("document.images.length") == 4  # A, B and where they differ; and what is the same, once
        assert tab.value("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        assert tab.value("document.querySelector('#fig12 img').getBoundingClientRect().width") > 200
        assert tab.value("document.documentElement.scrollWidth <= window.innerWidth")  # nothing hangs over the edge
        asked = [url for url in tab.requests() if not url.startswith("data:")]
        assert asked == [(tmp_path / "page.html").as_uri()]
        assert tab.complaints() == []
        tab.screenshot(tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as opened:
        assert np.ptp(np.asarray(opened.convert("L"))) > 200


def test_comparing_costs_no_torch() -> None:
    words = "import sys, nn_interpretability.comparison.page; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", words], check=True)
