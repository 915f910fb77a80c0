"""Drawings of frozen arrays look as they did.

To accept a change: delete the picture in ``baseline/``, run the test (it draws the picture and fails), look at it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from figures.groups import one_row_in_colour, two_blocks, two_panels_of_curves, two_toys
from matplotlib.testing.compare import compare_images

from nn_interpretability.plotting.curves import draw_curves
from nn_interpretability.plotting.data import PanelGroup
from nn_interpretability.plotting.figures import save_png
from nn_interpretability.plotting.panels import draw_panel_group
from nn_interpretability.plotting.style import figure_style
from nn_interpretability.plotting.toys import draw_toy_curves

BASELINE = Path(__file__).parent / "baseline"
TOLERANCE = 0.3  # root mean square of grey levels; a letter more or less gives 1.6


@pytest.mark.parametrize("make", [two_blocks, one_row_in_colour])
def test_panel_group_looks_as_it_did(make: Callable[[], PanelGroup], tmp_path: Path) -> None:
    drawn, expected = tmp_path / f"{make.__name__}.png", BASELINE / f"{make.__name__}.png"
    with figure_style():
        save_png(draw_panel_group(make()), drawn)
    compare(drawn, expected)


def test_curves_look_as_they_did(tmp_path: Path) -> None:
    drawn, expected = tmp_path / "curves.png", BASELINE / "two_panels_of_curves.png"
    with figure_style():
        save_png(draw_curves(two_panels_of_curves()), drawn)
    compare(drawn, expected)


def test_toys_look_as_they_did(tmp_path: Path) -> None:
    drawn, expected = tmp_path / "toys.png", BASELINE / "two_toys.png"
    with figure_style():
        save_png(draw_toy_curves(two_toys()), drawn)
    compare(drawn, expected)


def compare(drawn: Path, expected: Path) -> None:
    """Compare with the picture that was accepted."""
    if not expected.exists():
        shutil.copyfile(drawn, expected)
        pytest.fail(f"{expected} was missing and has been drawn: look at it, and keep it if it is right")

    assert compare_images(str(expected), str(drawn), tol=TOLERANCE) is None
