"""Galleries: rows of pictures and maps, at their true size, from a file and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from nn_interpretability.plotting.data import SCHEMA
from nn_interpretability.plotting.figures import draw, read_figure
from nn_interpretability.plotting.gallery import draw_gallery
from nn_interpretability.plotting.gallery_data import Gallery, GalleryRow, write_gallery
from nn_interpretability.plotting.style import TEXT_WIDTH_CM, figure_style
from nn_interpretability.storage.hdf5 import Array, read_hdf5, write_hdf5
from nn_interpretability.storage.product import read_json
from nn_interpretability.study.figures import assemble
from nn_interpretability.study.galleries import CROPS, TWO_ALONE, VARIANTS
from nn_interpretability.study.numbers import numbers_of_figure

RANDOM = np.random.default_rng(0)


def gallery() -> Gallery:
    photographs = RANDOM.random((3, 3, 80, 120)).astype(np.float32)
    filters = RANDOM.normal(size=(10, 1, 5, 5)).astype(np.float32)
    rows = (
        GalleryRow("dreams", "", "", photographs, ("the photograph", "features.8, all channels", "c")),
        GalleryRow("filters", "Filters", "of conv1", filters, limit=2.0),
    )
    return Gallery("fig04", rows, {"network": {"value": "a net"}, "gain": {"value": 12.3456, "digits": 3, "unit": "%"}})


def test_a_gallery_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_gallery(tmp_path / "g.h5", gallery(), provenance={"rule": "figure_data"})
    found, wanted = read_figure(tmp_path / "g.h5"), gallery()
    assert isinstance(found, Gallery)
    assert (found.figure, found.facts, found.provenance) == ("fig04", wanted.facts, {"rule": "figure_data"})
    for row in found.rows:
        assert row.pictures.dtype == np.float32
    assert [row.notes for row in found.rows] == [wanted.rows[0].notes, ()]
    assert [row.limit for row in found.rows] == [None, 2.0]


def test_it_is_as_wide_as_the_text_and_says_its_notes() -> None:
    with figure_style():
        figure = draw_gallery(gallery())
    assert figure.get_figwidth() * 2.54 == pytest.approx(TEXT_WIDTH_CM)
    assert len(figure.axes[0].images) == 13
    words = [text.get_text() for text in figure.texts]
    assert "the photograph" in words
    assert "Filters" in words
    first = figure.axes[0].images[0].get_array()
    assert first is not None
    assert (first.dtype, first.shape) == (np.uint8, (80, 120, 3))


def test_its_files_and_numbers(tmp_path: Path) -> None:
    write_gallery(tmp_path / "g.h5", gallery(), provenance={"rule": "figure_data"})
    draw(tmp_path / "g.h5", tmp_path / "f.pdf", tmp_path / "f.png", tmp_path / "f.json", provenance={"rule": "draw"})
    assert imread(tmp_path / "f.png").shape[1] == round(TEXT_WIDTH_CM * 100)
    facts = read_json(tmp_path / "f.json")["facts"]
    assert facts["pictures"] == 13
    assert [row["name"] for row in facts["blocks"][0]["rows"]] == ["dreams", "filters"]
    numbers_of_figure(tmp_path / "g.h5", tmp_path / "n.json")
    numbers = read_json(tmp_path / "n.json")
    assert numbers["figure.fig04.gain"]["text"] == "12.3"
    assert numbers["figure.fig04.network"]["text"] == "a net"


SOURCES = {
    "photograph": {"source": "embedded", "title": "china.jpg, a photograph", "reason": "why"},
    "model": {"title": "cam_3x3, trained here", "reason": "first"},
}


def dreams(path: Path) -> Path:
    arrays = {
        "photograph": Array(np.full((1, 4, 6), 0.5, np.float32), ("channel", "y", "x")),
        "dream": Array(np.arange(4 * 24, dtype=np.float32).reshape(4, 1, 4, 6) / 96, ("panel", "channel", "y", "x")),
        "activation": Array(np.arange(24.0).reshape(4, 2, 3), ("panel", "octave", "step")),
    }
    panels = [{"layer": layer, "channel": channel} for layer, channel in zip("aabb", (None, None, 3, 4), strict=True)]
    params = {"panels": panels, "original": [40, 60], "sizes": [[2, 3], [4, 6]], "settings": {"steps": 3, "tile": 64}}
    write_hdf5(path, arrays, schema="dreams/1", params={**SOURCES, **params}, provenance={"rule": "dream"})
    return path


def test_layers_and_channels_have_their_own_figures(tmp_path: Path) -> None:
    source = dreams(tmp_path / "dream.h5")
    for kind, notes, pictures, begin in (
        ("dreams_of_layers", ("a, all channels", "a, all channels"), [0, 1], 0.0),
        ("dreams_of_channels", ("b, channel 3", "b, channel 4"), [2, 3], 12.0),
    ):
        definition = {"kind": kind, "panels": ["dream"]}
        assemble("fig04", {"dream": source}, tmp_path / "f.h5", definition=definition, provenance={})
        found = read_figure(tmp_path / "f.h5")
        assert isinstance(found, Gallery)
        (row,) = found.rows
        assert row.notes == ("the photograph", *notes)
        np.testing.assert_array_equal(row.pictures[1:], read_hdf5(source).arrays["dream"].values[pictures])
        assert found.facts["left.begin"]["value"] == begin
        assert found.facts["photograph"]["value"] == "china.jpg (the stand-in for castle.jpg)"
        assert read_hdf5(tmp_path / "f.h5", schema=SCHEMA).provenance["attributions"]["dream"]["rule"] == "dream"


def test_what_is_left_out_stands_side_by_side_with_its_means(tmp_path: Path) -> None:
    crops, measure = 6, np.arange(42.0).reshape(7, 6)
    values = RANDOM.random((7, crops, 3, 8, 8)).astype(np.float32)
    axes = ("variant", "crop")
    arrays = {
        "photograph": Array(values[0], ("crop", "channel", "y", "x")),
        "dream": Array(values, (*axes, "channel", "y", "x")),
        **{name: Array(measure, axes) for name in ("high_frequency", "seams", "brightness", "activation")},
        "photograph_brightness": Array(np.full(crops, 0.5), ("crop",)),
    }
    settings = {"tile": 64, "steps": 2, "penalty": 0.5, "noise": 0.05}
    params = {**SOURCES, "layer": "a", "octaves": [-1, 0], "settings": settings}
    scales = {"variant": [*VARIANTS, TWO_ALONE]}
    write_hdf5(tmp_path / "w.h5", arrays, schema="leave_one_out/1", params=params, provenance={}, scales=scales)
    definition = {"kind": "dreams_without", "panels": ["w"]}
    assemble("dreams_without", {"w": tmp_path / "w.h5"}, tmp_path / "f.h5", definition=definition, provenance={})
    found = read_figure(tmp_path / "f.h5")
    assert isinstance(found, Gallery)
    assert [len(row.pictures) for row in found.rows] == [7] * CROPS + [4]
    assert found.rows[0].notes == ("the photograph", *VARIANTS.values())
    np.testing.assert_array_equal(found.rows[2].pictures[4], values[3, 5])  # the last crop without roll
    np.testing.assert_array_equal(found.rows[-1].pictures[-1], values[6, 5])
    assert found.facts["roll.seams"]["value"] == measure[3].mean()
    assert found.facts["photograph.brightness"]["value"] == 50


def test_notes_of_two_lines_stand_above_each_other() -> None:
    def height(notes: tuple[str, ...]) -> tuple[float, list[str]]:
        with figure_style():
            figure = draw_gallery(Gallery("fig01", (GalleryRow("r", "", "", RANDOM.random((2, 1, 28, 28)), notes),)))
        lines = sorted(figure.texts, key=lambda text: -text.get_position()[1])
        return figure.get_figheight(), [text.get_text() for text in lines if text.get_text()]

    one, two = height(("a", "b")), height(("0: 99 %\n12 steps", "b"))
    assert two[0] > one[0] == pytest.approx(height(("c", "d"))[0])
    assert two[1][0] == "0: 99 %"
    assert set(two[1][1:]) == {"12 steps", "b"}
