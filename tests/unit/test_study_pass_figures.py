"""Figures of passes show the merged maps, counts in words, one scale; and can be drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from figures.synthetic import write_attribution
from figures.synthetic_passes import NEVER, PASSES, write_pass_attribution

from nn_interpretability.errors import ConfigError
from nn_interpretability.plotting.data import PanelGroup
from nn_interpretability.plotting.figures import draw, read_figure
from nn_interpretability.plotting.scale import symmetric_limit
from nn_interpretability.plotting.scatter_data import PassScatter
from nn_interpretability.storage.hdf5 import Product, read_hdf5
from nn_interpretability.storage.product import read_json
from nn_interpretability.study.figures import assemble
from nn_interpretability.study.numbers import numbers_of_figure
from nn_interpretability.study.pass_figures import softmax

LRP: dict[str, Any] = {"method": "lrp", "parameters": {"rule": "0"}}
CONFIG: dict[str, Any] = {
    "models": {"cnn": {}, "dropout_cnn": {"architecture": "dropout_cnn"}},
    "probes": {"digits": {}, "turning": {"kind": "rotations", "angles": [0, -7, -21]}},
    "passes": {
        "two": {"probe": "turning", "pictures": [2, 0], "passes": PASSES},
        "turned": {"probe": "turning", "passes": PASSES},
        "three": {"passes": PASSES},
        "noisy": {"pictures": [1], "noise": 0.5, "passes": PASSES},
    },
    "pass_attributions": {
        "every": {"passes": "turned", **LRP, "products": ["mean", "covariance", "by_predicted_class"]},
        "independent": {"passes": "two", **LRP, "independent_masks": True},
        "information": {"passes": "turned", **LRP, "target": "mutual_information"},
        "one": {"passes": "three", **LRP, "target": "predicted", "keep_raw": 1},
        "noise": {"passes": "noisy", **LRP, "target": "predicted", "products": ["mean", "by_predicted_class"]},
    },
}


class Made:
    """Merged passes in a folder, and figures of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = {name: write_pass_attribution(folder, name, CONFIG)[0] for name in CONFIG["pass_attributions"]}

    def product(self, name: str) -> Product:
        return read_hdf5(self.paths[name])

    def values(self, name: str, array: str) -> np.ndarray:
        return self.product(name).arrays[array].values

    def figure(self, kind: str, *panels: str, **definition: Any) -> Any:
        data = self.folder / f"{kind}.h5"
        assemble("fig19", self.paths, data, definition={"kind": kind, "panels": panels, **definition}, provenance={})
        return read_figure(data)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def test_maps_by_class_are_the_merged_ones_at_the_angles_asked_for(made: Made) -> None:
    group: PanelGroup = made.figure("passes_by_class", "every", angles=[-21, 0])
    assert [[row.heading for row in block.rows] for block in group.blocks] == [["Approach 1", "Algorithm 1"]] * 2
    for block, place in zip(group.blocks, (2, 0), strict=True):
        for row, array in zip(block.rows, ("by_predicted_class", "mean"), strict=True):
            np.testing.assert_allclose(row.values, made.values("every", array)[place, :, 0], rtol=1e-6)
        assert block.pictures is not None
        np.testing.assert_array_equal(block.pictures[0], made.values("every", "images")[place])
    assert group.heads == tuple(f"class {k}" for k in range(10))


def test_above_the_maps_stand_counts_and_mean_scores(made: Made) -> None:
    first, every = made.figure("passes_by_class", "every", angles=[-7]).blocks[0].rows
    counts = made.values("every", "counts")[1]
    assert first.notes == tuple(f"{count} ×" if count else "never" for count in counts)
    assert first.notes[NEVER] == "never"
    assert sum(counts) == PASSES
    scores = made.values("every", "score_mean")[1]
    assert every.notes == tuple(f"{score:.1f}".replace("-", "−") for score in scores)


def test_entropies_stand_in_the_heading_and_add_up(made: Made) -> None:
    heading = made.figure("passes_by_class", "every", angles=[-21]).blocks[0].heading
    total, inside, between = (
        made.values("every", name)[2] for name in ("predictive_entropy", "expected_entropy", "mutual_information")
    )
    assert total == pytest.approx(inside + between)
    assert (
        heading == f"Turned by −21°: entropy {total:.2f} nat = {inside:.2f} within passes + {between:.2f} between them"
    )
    noisy = made.figure("passes_by_class", "noise").blocks[0].heading
    assert noisy.startswith("Noise of 0.5, network with dropout on: entropy ")


def test_one_scale_and_classes_that_are_never_predicted_do_not_shrink_it(made: Made) -> None:
    rows = made.figure("passes_by_class", "every", angles=[-21, 0]).rows
    seen = [row.values[row.values.any(axis=(1, 2))] for row in rows]
    assert len({row.limit for row in rows}) == 1
    assert rows[0].limit == pytest.approx(symmetric_limit(seen), rel=1e-6)
    assert len(seen[0]) < len(rows[0].values)
    assert rows[1].beyond == np.mean(np.abs(rows[1].values) > rows[1].limit)


def test_without_a_map_per_class_it_is_approach_1_alone(made: Made) -> None:
    group = made.figure("passes_by_class", "noise")
    assert [row.heading for row in group.rows] == ["Approach 1"]
    with pytest.raises(ConfigError, match="one has no map of each class"):
        made.figure("passes_by_class", "one")


def test_angles_that_are_not_there_are_named(made: Made) -> None:
    with pytest.raises(ConfigError, match=r"fig19 asks for the angles -14; there are 0, -7, -21\."):
        made.figure("passes_by_class", "every", angles=[-14, 0])
    with pytest.raises(ConfigError, match="needs passes of a picture at several angles"):
        made.figure("pass_scatter", "noise")


def test_the_scatter_has_the_true_class_and_those_that_passes_name_most(made: Made) -> None:
    scatter: PassScatter = made.figure("pass_scatter", "every")
    logits = made.values("every", "logits").astype(np.float64)
    share = softmax(logits)
    others = [k for k in np.argsort(-share.mean(axis=0).max(axis=0)) if k != 1][:2]
    assert scatter.classes == (1, *sorted(others))
    np.testing.assert_allclose(scatter.logit, logits[:, :, scatter.classes], rtol=1e-6)
    np.testing.assert_allclose(scatter.probability, share[:, :, scatter.classes], rtol=1e-6)
    assert scatter.angle.tolist() == [0, -7, -21]
    still = made.values("every", "undisturbed")
    assert scatter.top[:, 0].tolist() == still.argmax(axis=1).tolist()
    assert (scatter.top_probability[:, 0] > scatter.top_probability[:, 1]).all()


def test_numbers_of_the_scatter(made: Made) -> None:
    scatter: PassScatter = made.figure("pass_scatter", "every")
    numbers_of_figure(made.folder / "pass_scatter.h5", made.folder / "numbers.json")
    numbers = read_json(made.folder / "numbers.json")
    assert numbers["figure.fig19.passes"]["value"] == PASSES
    assert numbers["figure.fig19.2.angle"]["text"] == "-21"
    assert numbers["figure.fig19.0.first_share"]["text"] == f"{100 * scatter.top_probability[0, 0]:.2f}"


def test_maps_of_uncertainty_are_those_of_the_class_seen(made: Made) -> None:
    rows = made.figure("uncertainty_maps", "every", "information").rows
    assert [row.name for row in rows] == ["every_mean", "every_covariance", "information"]
    seen = made.values("every", "undisturbed").argmax(axis=1)
    covariance = made.values("every", "covariance")[np.arange(3), seen, 0]
    np.testing.assert_allclose(rows[1].values * symmetric_limit([covariance]), covariance, rtol=1e-5)
    variance = made.values("every", "score_variance")[np.arange(3), seen]
    assert rows[1].notes == tuple(f"{value:.1f} of {value:.1f}" for value in variance)  # these maps are complete
    assert rows[2].notes[0].endswith(" nat")


def test_other_masks_for_each_class_stand_below_the_same_picture(made: Made) -> None:
    group = made.figure("passes_by_class", "every", published=["independent"], angles=[-21, 0])
    assert [len(block.rows) for block in group.blocks] == [3, 3]
    for place, block in enumerate(group.blocks):
        row = block.rows[2]
        assert row.heading == "Algorithm 1 with masks as published"
        counts = made.values("independent", "counts")[place]
        assert row.notes == tuple(f"{count} ×" for count in counts)
        assert counts.sum() != PASSES
        assert f"how many of its {PASSES} passes" in row.detail
        np.testing.assert_allclose(row.values, made.values("independent", "mean")[place, :, 0], rtol=1e-6)
    with pytest.raises(ConfigError, match=r"asks for the angles -7; there are -21, 0\."):
        made.figure("passes_by_class", "every", published=["independent"], angles=[-7])


def test_dropout_on_stands_below_dropout_off(made: Made) -> None:
    logits = np.tile(np.arange(10.0), (3, 1))
    for name, model in (("plain", "cnn"), ("off", "dropout_cnn")):
        values = made.values("one", "mean")[:, 0] * 2
        path = made.folder / f"{name}.h5"
        made.paths[name] = write_attribution(path, values, logits=logits, model=model, title=name)
    rows = made.figure("dropout_maps", "plain", "off", "one").rows
    assert [row.heading for row in rows] == [
        "Network without dropout",
        "off",
        "LRP-0, one pass",
        "LRP-0, mean of 40 passes",
    ]
    np.testing.assert_allclose(rows[2].values, made.values("one", "raw")[0, :, 0], rtol=1e-6)
    np.testing.assert_allclose(rows[3].values, made.values("one", "mean")[:, 0], rtol=1e-6)
    assert len({row.limit for row in rows}) == 1
    assert rows[0].notes == ("0: 0.0", "1: 1.0", "2: 2.0")
    numbers_of_figure(made.folder / "dropout_maps.h5", made.folder / "numbers.json")
    assert read_json(made.folder / "numbers.json")["figure.fig19.alike.off.one_mean"]["text"] == "1.00"
    with pytest.raises(ConfigError, match=r"every has no map of a single pass: give it keep_raw: 1\."):
        made.figure("dropout_maps", "every")


def test_published_maps_of_dropout_are_grey_and_lie_between_black_and_white(made: Made) -> None:
    logits = np.tile(np.arange(10.0), (3, 1))
    rng, words = np.random.default_rng(0), {"logits": logits, "model": "dropout_cnn"}
    grey = rng.random((3, *made.values("one", "mean").shape[2:]))
    mode = {"parameters": {"mode": "rescale", "passes": 2}}
    for name, values, method in (
        ("off", grey, "gradient"),
        ("raw_published", 40 * grey - 7, "deeplift_as_published"),
        ("mean_published", 1 - grey / 2, "deeplift_unshared_masks"),
    ):
        more = {"method": method, **({} if name == "off" else mode)}
        made.paths[name] = write_attribution(made.folder / f"{name}.h5", values.astype(np.float32), **words, **more)
    group = made.figure("dropout_maps", "off", "one", published=["raw_published", "mean_published"])
    assert [block.grey for block in group.blocks] == [False, True]
    raw, mean = group.blocks[1].rows
    assert raw.values.min(axis=(1, 2)).tolist() == [0, 0, 0]
    assert raw.values.max(axis=(1, 2)).tolist() == [1, 1, 1]
    np.testing.assert_allclose(mean.values, 1 - grey / 2, rtol=1e-6)
    numbers_of_figure(made.folder / "dropout_maps.h5", made.folder / "numbers.json")
    alike = read_json(made.folder / "numbers.json")["figure.fig19.alike.raw_published.mean_published"]["value"]
    assert alike == pytest.approx(-1)  # a correlation, whatever shift and scale
    draw(
        made.folder / "dropout_maps.h5", *(made.folder / f"f{end}" for end in (".pdf", ".png", ".json")), provenance={}
    )


@pytest.mark.parametrize(
    ("kind", "panels"),
    [
        ("pass_scatter", ["every"]),
        ("passes_by_class", ["every", "noise"]),
        ("uncertainty_maps", ["every", "information"]),
        ("dropout_maps", ["one"]),
    ],
)
def test_they_are_drawn_the_same_each_time(made: Made, kind: str, panels: list[str]) -> None:
    if kind == "dropout_maps":
        values = made.values("one", "mean")[:, 0]
        made.paths["off"] = write_attribution(made.folder / "off.h5", values, logits=np.zeros((3, 10)), model="cnn")
        panels = ["off", *panels]
    made.figure(kind, *panels)
    drawn = []
    for number in range(2):
        files = [made.folder / f"{number}{suffix}" for suffix in (".pdf", ".png", ".json")]
        draw(made.folder / f"{kind}.h5", *files, provenance={})
        drawn.append([file.read_bytes() for file in files])
    assert drawn[0] == drawn[1]
