"""Drawings of frozen arrays look as they did.

To accept a change: delete the picture in ``baseline/``, run the test (it draws the picture and fails), look at it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from figures.frozen import DRAWINGS
from PIL import Image

from nn_interpretability.comparison import Comparison
from nn_interpretability.comparison.page import write_page
from nn_interpretability.comparison.pictures import compare_pictures
from nn_interpretability.plotting.figures import drawn_figure, save_png
from nn_interpretability.plotting.sidecar import Content
from nn_interpretability.plotting.style import figure_style

BASELINE = Path(__file__).parent / "baseline"


@pytest.fixture(scope="session")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for accepted and drawn pictures, and for the page about those that differ."""
    return tmp_path_factory.mktemp("drawings")


@pytest.mark.parametrize("name", list(DRAWINGS))
def test_drawings_look_as_they_did(name: str, drawings: Path) -> None:
    drawn, expected = place(drawings, "drawn", name), BASELINE / f"{name}.png"
    with figure_style():
        save_png(drawn_figure(DRAWINGS[name]), drawn)
    if not expected.exists():
        shutil.copyfile(drawn, expected)
        pytest.fail(f"{expected} was missing and has been drawn: look at it, and keep it if it is right")
    shutil.copyfile(expected, place(drawings, "accepted", name))
    assert compared(drawings, name) == ""


def test_there_is_a_drawing_of_each_kind() -> None:
    assert {type(content) for content in DRAWINGS.values()} == set(get_args(Content))


def test_what_differs_is_shown_side_by_side(tmp_path: Path) -> None:
    accepted = BASELINE / "two_toys.png"
    shutil.copyfile(accepted, place(tmp_path, "accepted", "two_toys"))
    shutil.copyfile(accepted, place(tmp_path, "drawn", "two_toys"))
    assert compared(tmp_path, "two_toys") == ""

    with Image.open(accepted) as opened:
        pixels = np.array(opened.convert("RGB"))
    pixels[200:220, 300:310] = 0  # as large as a letter
    Image.fromarray(pixels).save(place(tmp_path, "drawn", "two_toys"))
    words = compared(tmp_path, "two_toys")
    assert words.startswith("two_toys differs by a root mean square of ")
    html = Path(words.rpartition(" ")[2]).read_text(encoding="utf-8")
    assert html.count("data:image/png;base64,") == 3


def place(folder: Path, side: str, name: str) -> Path:
    """Where a picture lies, as in two results folders."""
    path = folder / side / "figures" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def compared(folder: Path, name: str) -> str:
    """Say how a picture differs from the accepted one, and where a page shows the folder; nothing if it does not."""
    sides = folder / "accepted", folder / "drawn"
    there = [path.stem for path in sorted((sides[0] / "figures").glob("*.png"))]
    outcomes = {each: compare_pictures(each, *(place(folder, side.name, each) for side in sides)) for each in there}
    found = outcomes[name]
    if found.same:
        return ""
    page = folder / "drawings.html"
    write_page(Comparison(*sides, tuple(sorted(outcomes.values(), key=lambda each: -each.size))), page)
    grey = found.words or f"a root mean square of {255 * (found.relative_error or 0):.2f} grey levels"
    return f"{name} differs by {grey}; side by side: {page}"
