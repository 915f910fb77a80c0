"""The files of a figure: the same bytes always, real text, true size, exact pixels, no torch."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
from figures.groups import two_blocks
from matplotlib.image import imread

from nn_interpretability.plotting.data import write_panel_group
from nn_interpretability.plotting.figures import draw
from nn_interpretability.plotting.panels import COLUMN_HEAD, MARGIN, MAX_CELL, ROW_HEAD, draw_panel_group
from nn_interpretability.plotting.style import FRAME, INK, PNG_DPI, TEXT_WIDTH_CM, figure_style, typeset
from nn_interpretability.plotting.style_sheet import style_settings
from nn_interpretability.storage.product import recorded_digest

FILES = ("f.pdf", "f.png", "f.json")

DRAW = """
import sys
from nn_interpretability.plotting.figures import draw
data, folder = sys.argv[1:]
draw(data, f"{folder}/f.pdf", f"{folder}/f.png", f"{folder}/f.json", provenance={"rule": "draw_figure"})
assert not {"torch", "matplotlib.pyplot"} & set(sys.modules), "drawing must cost neither torch nor pyplot"
"""


def draw_in_new_process(data: Path, folder: Path, **environment: str) -> list[bytes]:
    folder.mkdir()
    source = Path(__file__).resolve().parents[2] / "src"
    settings = {**os.environ, "PYTHONPATH": str(source), **environment}
    subprocess.run([sys.executable, "-c", DRAW, str(data), str(folder)], check=True, env=settings)
    return [(folder / name).read_bytes() for name in FILES]


def test_the_bytes_do_not_depend_on_clock_process_or_the_users_settings(tmp_path: Path) -> None:
    data = tmp_path / "data.h5"
    write_panel_group(data, two_blocks(), provenance={})
    settings = tmp_path / "matplotlibrc"
    settings.write_text(
        "font.size: 30\nfont.family: serif\nsavefig.dpi: 40\nsavefig.facecolor: red\nxtick.direction: in\n"
    )

    first = draw_in_new_process(data, tmp_path / "first", PYTHONHASHSEED="1")
    time.sleep(1.1)  # PDF dates have a resolution of one second
    second = draw_in_new_process(data, tmp_path / "second", PYTHONHASHSEED="2", MATPLOTLIBRC=str(settings))

    assert first == second
    assert b"CreationDate" not in first[0]


def test_sidecar_and_digests(tmp_path: Path) -> None:
    write_panel_group(tmp_path / "data.h5", two_blocks(), provenance={"rule": "figure_data"})
    draw(tmp_path / "data.h5", *(tmp_path / name for name in FILES), provenance={"rule": "draw_figure", "inputs": {}})
    sidecar = json.loads((tmp_path / "f.json").read_text())

    assert sidecar["figure"] == "fig12"
    assert sidecar["provenance"]["rule"] == "draw_figure"
    assert sidecar["data_provenance"] == {"rule": "figure_data"}
    assert sidecar["facts"]["limit"] == 0.8
    assert [block["heading"] for block in sidecar["facts"]["blocks"]] == [
        "Corrected settings",
        "Settings as published",
    ]
    assert all(recorded_digest(tmp_path / name) for name in FILES)


def test_text_is_text_and_the_page_has_the_size_on_paper(tmp_path: Path) -> None:
    group = two_blocks()
    ten = replace(
        group,
        pictures=np.resize(group.pictures, (10, 1, 28, 28)),
        label=np.arange(10),
        blocks=(
            replace(
                group.blocks[0],
                rows=tuple(
                    replace(
                        row,
                        values=np.zeros((10, 28, 28)),
                        score=np.zeros(10),
                        target=np.arange(10),
                        probability=np.zeros(10),
                    )
                    for row in group.blocks[0].rows
                ),
            ),
        ),
    )
    write_panel_group(tmp_path / "data.h5", ten, provenance={})
    draw(tmp_path / "data.h5", *(tmp_path / name for name in FILES), provenance={})
    pdf = (tmp_path / "f.pdf").read_bytes()

    assert b"/FontFile2" in pdf  # TrueType fonts, not outlines
    width = float(re.search(rb"/MediaBox \[ ?0 0 ([\d.]+)", pdf).group(1)) / 72 * 2.54
    assert 15.0 < width <= TEXT_WIDTH_CM + 0.01


def test_each_value_is_a_block_of_equal_dots(tmp_path: Path) -> None:
    group = two_blocks()
    size = 28
    values = np.where(np.indices((3, size, size)).sum(axis=0) % 2, 0.8, -0.8)  # a chessboard of one-value squares
    row = replace(group.rows[0], values=values)
    with figure_style():
        figure = draw_panel_group(replace(group, pictures=np.zeros((3, 1, size, size)), blocks=(
            replace(group.blocks[0], heading="", rows=(row,)),
        )))  # fmt: skip
        figure.savefig(tmp_path / "f.png", dpi=PNG_DPI)
    image = imread(tmp_path / "f.png")[..., :3]
    left, top = (round(100 * length) for length in (MARGIN, MARGIN + COLUMN_HEAD + MAX_CELL + ROW_HEAD))
    cell = image[top : top + 140, left : left + 140].reshape(28, 5, 28, 5, 3)
    inner = cell[1:-1, :, 1:-1]  # the frame covers the outermost dots

    assert np.ptp(inner, axis=(1, 3)).max() == 0
    assert np.ptp(inner.mean(axis=(1, 3)), axis=(0, 1)).max() > 0.3


def test_the_style_leaves_the_users_settings_alone() -> None:
    before = dict(mpl.rcParams)
    with figure_style():
        assert mpl.rcParams["pdf.fonttype"] == 42

    assert dict(mpl.rcParams) == before


def test_the_style_sheet_is_what_figures_are_drawn_with() -> None:
    settings = style_settings()
    with figure_style():
        drawn = {key: mpl.rcParams[key] for key in settings}
    assert float(settings["font.size"]) == drawn["font.size"] == 7.5
    assert drawn["text.color"] == f"#{settings['text.color']}" == INK
    assert drawn["axes.edgecolor"] == f"#{settings['axes.edgecolor']}" == FRAME
    assert float(settings["savefig.dpi"]) == PNG_DPI


def test_every_printable_character_can_be_drawn(tmp_path: Path, caplog) -> None:
    from matplotlib.figure import Figure

    words = "".join(map(chr, range(32, 127))) + "αβγεσ×≤≥−ᴮ⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
    with figure_style():
        figure = Figure((20, 1))
        figure.text(0, 0.5, typeset(words))
        figure.savefig(tmp_path / "f.png")

    assert not [record for record in caplog.records if "glyph" in record.getMessage()]
