"""Figures hold the attributions they name, on one scale, in the words of their settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from figures.synthetic import LAYERS, covered, pictures, waves, write_attribution, write_filters

from nn_interpretability.errors import ConfigError
from nn_interpretability.plotting.data import read_figure_data
from nn_interpretability.plotting.figures import read_figure
from nn_interpretability.plotting.scale import symmetric_limit
from nn_interpretability.rules.composite import SMALL_CNN
from nn_interpretability.storage.product import read_json
from nn_interpretability.study.describe import describe
from nn_interpretability.study.figures import assemble
from nn_interpretability.study.numbers import numbers_of_figure

Z_BOX = {"input_rule": "z_box", "input_bounds": [0, 1]}


@pytest.fixture
def attributions(tmp_path: Path) -> dict[str, Path]:
    maps = {"a": waves(), "b": 3 * waves(phase=1), "a_published": waves(phase=2)}
    return {
        name: write_attribution(tmp_path / f"{name}.h5", values, parameters={"rule": "gamma", "gamma": 0.5})
        for name, values in maps.items()
    }


def test_a_figure_shows_what_its_definition_names_in_that_order(tmp_path: Path, attributions: dict[str, Path]) -> None:
    definition = {"panels": ["b", "a"], "published": ["a_published"]}
    assemble("fig12", attributions, tmp_path / "f.h5", definition=definition, provenance={"rule": "figure_data"})
    group = read_figure_data(tmp_path / "f.h5")

    assert [[row.name for row in block.rows] for block in group.blocks] == [["b", "a"], ["a_published"]]
    np.testing.assert_array_equal(group.rows[0].values, 3 * waves(phase=1))
    np.testing.assert_array_equal(group.rows[2].values, waves(phase=2))
    np.testing.assert_array_equal(group.pictures, pictures())
    assert group.rows[0].probability == pytest.approx([0.91] * 3)
    assert group.provenance["rule"] == "figure_data"
    assert group.provenance["attributions"]["a"]["code"] == "c0de" * 4


def test_all_rows_share_one_limit(tmp_path: Path, attributions: dict[str, Path]) -> None:
    definition = {"panels": ["b", "a"], "published": ["a_published"]}
    assemble("fig12", attributions, tmp_path / "f.h5", definition=definition, provenance={})
    rows = read_figure_data(tmp_path / "f.h5").rows

    assert {row.limit for row in rows} == {symmetric_limit([row.values for row in rows if row.name != "a_published"])}
    assert rows[0].beyond == np.mean(np.abs(rows[0].values) > rows[0].limit) > 0


def test_without_published_settings_there_is_no_heading(tmp_path: Path, attributions: dict[str, Path]) -> None:
    assemble("fig06", attributions, tmp_path / "f.h5", definition={"panels": ["a"]}, provenance={})

    assert [block.heading for block in read_figure_data(tmp_path / "f.h5").blocks] == [""]


def test_channels_are_summed(tmp_path: Path) -> None:
    values = np.stack([waves(), 2 * waves(), -0.5 * waves()], axis=1)
    path = write_attribution(tmp_path / "rgb.h5", values)
    assemble("fig06", {"rgb": path}, tmp_path / "f.h5", definition={"panels": ["rgb"]}, provenance={})

    np.testing.assert_allclose(read_figure_data(tmp_path / "f.h5").rows[0].values, 2.5 * waves(), rtol=1e-6)


def test_a_name_without_attribution_is_named(tmp_path: Path, attributions: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match="fig12 shows missing, "):
        assemble("fig12", attributions, tmp_path / "f.h5", definition={"panels": ["a", "missing"]}, provenance={})
    assert not (tmp_path / "f.h5").exists()


def test_other_pictures_are_refused(tmp_path: Path, attributions: dict[str, Path]) -> None:
    attributions["c"] = write_attribution(tmp_path / "c.h5", waves(), images=1 - pictures())

    with pytest.raises(ConfigError, match="a and c side by side"):
        assemble("fig12", attributions, tmp_path / "f.h5", definition={"panels": ["a", "c"]}, provenance={})


def test_gradients_and_relevance_are_not_put_on_one_scale(tmp_path: Path, attributions: dict[str, Path]) -> None:
    attributions["g"] = write_attribution(tmp_path / "g.h5", waves(), method="gradient")

    with pytest.raises(ConfigError, match="one colour scale"):
        assemble("fig12", attributions, tmp_path / "f.h5", definition={"panels": ["a", "g"]}, provenance={})


@pytest.mark.parametrize(
    ("parameters", "heading", "settings"),
    [
        ({"rule": "0", **Z_BOX}, "LRP-0", "zᴮ on [0, 1]"),
        ({"rule": "epsilon", "epsilon": {"rms": 0.1}}, "LRP-ε", "ε = 0.1 rms"),
        ({"rule": "epsilon", "epsilon": 0.25}, "LRP-ε", "ε = 0.25"),
        ({}, "LRP-ε", "ε = 0.25 rms"),
        (
            {"rule": "epsilon", "epsilon": {"rms": 0.1, "absolute": 1e-9, "signed": False}},
            "LRP-ε",
            "ε = 0.1 rms + 10⁻⁹, unsigned",
        ),
        ({"rule": "gamma", "gamma": 0.25, "bias": "ignore"}, "LRP-γ", "γ = 0.25, denominators without bias"),
        ({"rule": "alpha_beta", "alpha": 2, "beta": 1, "stabilizer": 2e-12}, "LRP-α2β1", "stabiliser = 2 × 10⁻¹²"),
        ({"rule": "z_plus", "input_bounds": [[-1, -2], [1, 2.5]]}, "LRP-z+", "zᴮ on [−1/−2, 1/2.5]"),
        ({"composite": "small_cnn", "input_bounds": [0, 1]}, "LRP composite", "zᴮ on [0, 1], then α1β0, ε, 0"),
        ({"composite": {"conv2d": "gamma", "linear": "0"}}, "LRP composite", "conv2d: γ, linear: 0"),
        (
            {"rule": "epsilon", "epsilon": 1, "composite": {"max_pool2d": {"rule": "epsilon"}}},
            "LRP-ε",
            "ε = 1, ε at pooling",
        ),
    ],
)
def test_lrp_in_words(parameters: dict, heading: str, settings: str) -> None:
    words = describe("lrp", parameters)

    assert (words.heading, words.settings.replace("\N{NO-BREAK SPACE}", " ")) == (heading, settings)
    assert words.quantity == "relevance (logits)"


def test_a_composite_by_layer_is_told_in_the_order_of_the_layers() -> None:
    shuffled = {name: SMALL_CNN[name] for name in sorted(SMALL_CNN)}
    parameters = {"input_bounds": [0, 1]}

    by_layer = describe("lrp", {**parameters, "composite": shuffled}, layers=LAYERS)
    assert by_layer == describe("lrp", {**parameters, "composite": "small_cnn"})


def test_other_methods_in_words() -> None:
    assert describe("gradient", {}).quantity == "gradient (logits per unit of brightness)"
    assert describe("input_x_gradient", {}).heading == "Input × gradient"
    assert describe("guided_backprop", {}).quantity == "gradient (logits per unit of brightness)"
    assert describe("new_method", {"steps_taken": 3}).heading == "new method"
    assert describe("new_method", {"steps_taken": 3}).settings == "steps taken = 3"


@pytest.mark.parametrize(
    ("method", "parameters", "heading", "settings"),
    [
        ("integrated_gradients", {"steps": 512}, "Integrated gradients", "512 midpoints, from black"),
        (
            "integrated_gradients",
            {"quadrature": "gauss_legendre", "reference": 1},
            "Integrated gradients",
            "64 points, gauss legendre, from white",
        ),
        (
            "integrated_gradients",
            {"multiply_by_inputs": False},
            "Mean gradient on the path",
            "integrated gradients without x − x', 64 midpoints, from black",
        ),
        ("smoothgrad", {}, "SmoothGrad", "σ = 0.15 of the range, 50 copies"),
        (
            "smoothgrad",
            {"sigma": 0.8, "scale": "std", "samples": 100, "of": {"method": "guided_backprop"}},
            "SmoothGrad, guided backpropagation",
            "σ = 0.8 std of the picture, 100 copies",
        ),
        (
            "smoothgrad",
            {"of": {"method": "integrated_gradients", "parameters": {"steps": 20, "multiply_by_inputs": False}}},
            "SmoothGrad, mean gradient on the path",
            "σ = 0.15 of the range, 50 copies, integrated gradients without x − x', 20 midpoints, from black",
        ),
    ],
)
def test_gradients_in_words(method: str, parameters: dict, heading: str, settings: str) -> None:
    words = describe(method, parameters)

    assert (words.heading, words.settings) == (heading, settings)


def test_only_maps_that_distribute_the_score_are_in_logits() -> None:
    assert describe("integrated_gradients", {}).quantity == "relevance (logits)"
    assert describe("smoothgrad", {"of": {"method": "input_x_gradient"}}).quantity == "relevance (logits)"
    for parameters in ({}, {"of": {"method": "integrated_gradients", "parameters": {"multiply_by_inputs": False}}}):
        assert describe("smoothgrad", parameters).quantity == "gradient (logits per unit of brightness)"


def test_a_title_is_the_heading_and_the_method_moves_to_the_settings() -> None:
    words = describe("lrp", {"rule": "alpha_beta", "alpha": 1, "beta": 0, "input_bounds": [0, 1]}, title="Deep Taylor")

    assert (words.heading, words.settings.replace("\N{NO-BREAK SPACE}", " ")) == (
        "Deep Taylor",
        "LRP-α1β0, zᴮ on [0, 1]",
    )


def test_filters_stand_in_rows_of_ten_on_one_scale(tmp_path: Path) -> None:
    path = write_filters(tmp_path / "a.h5", {"mode": "activation", "layer": "features.conv2"})
    definition = {"kind": "filters", "panels": ["a"]}
    assemble("fig08_conv2", {"a": path}, tmp_path / "f.h5", definition=definition, provenance={})
    group = read_figure_data(tmp_path / "f.h5")

    assert [row.target.tolist() for row in group.rows] == [list(range(10)), list(range(10, 20))]
    expected = np.stack([waves(phase=k)[0] * (k + 1) for k in range(20)]).astype(np.float32).astype(np.float64)
    together = np.concatenate([row.values for row in group.rows])
    np.testing.assert_allclose(together, expected / symmetric_limit([expected]), rtol=1e-6)
    assert {row.limit for row in group.rows} == {1.0}
    assert group.pictures.shape == (1, 1, 8, 8)
    assert (group.heads[0], group.heads[9]) == ("0, 10", "9, 19")


def test_filters_need_maps_of_filters(tmp_path: Path, attributions: dict[str, Path]) -> None:
    definition = {"kind": "filters", "panels": ["a"]}
    with pytest.raises(ConfigError, match="a has no maps of filters"):
        assemble("fig08", attributions, tmp_path / "f.h5", definition=definition, provenance={})


def test_reconstructions_have_a_scale_and_pictures_of_their_own(tmp_path: Path) -> None:
    paths = {
        "a": write_attribution(tmp_path / "a.h5", waves(), method="deconvolution"),
        "a_published": write_attribution(
            tmp_path / "b.h5", 50 * waves(phase=1), method="deconvolution", images=1 - pictures()
        ),
    }
    definition = {"kind": "reconstructions", "panels": ["a"], "published": ["a_published"]}
    assemble("fig08", paths, tmp_path / "f.h5", definition=definition, provenance={})
    group = read_figure_data(tmp_path / "f.h5")

    for row in group.rows:
        assert np.quantile(np.abs(row.values), 0.995) == pytest.approx(1.0, rel=1e-6)
    np.testing.assert_array_equal(group.blocks[1].pictures, 1 - pictures())
    assert group.rows[1].detail.endswith(f"scale ends at {50 * np.quantile(np.abs(waves(phase=1)), 0.995):.2g}")


def test_overlays_say_class_and_score_above_each_map_where_rows_differ(tmp_path: Path) -> None:
    paths = {
        "a": write_attribution(tmp_path / "a.h5", waves(), score=[1.0, 2.0, 3.0]),
        "b": write_attribution(tmp_path / "b.h5", waves(phase=1), score=[-1.0, 2.0, 3.0], target=[0, 1, 7]),
    }
    definition = {"kind": "overlay", "panels": ["a", "b"]}
    assemble("fig16", paths, tmp_path / "f.h5", definition=definition, provenance={})
    group = read_figure_data(tmp_path / "f.h5")

    assert group.scale == "overlay"
    assert group.rows[1].notes == ("0: −1.0", "1: 2.0", "7: 3.0")
    assert group.rows[0].limit == symmetric_limit([row.values.clip(min=0) for row in group.rows])
    assert group.rows[0].beyond == np.mean(group.rows[0].values > group.rows[0].limit)


def occlusions(folder: Path) -> dict[str, Path]:
    """Attributions of a covered picture, and an occlusion map of all pictures."""
    values = np.repeat(waves(), 6, axis=0)[:17]
    names = {"seen": [1, 1, 1, 1, 1, 1, 8, *[1] * 10], "label": [1] * 17}
    paths = {
        name: write_attribution(
            folder / f"{name}.h5", values, images=covered(), label=np.ones(17, int), target=target, score=np.ones(17)
        )
        for name, target in names.items()
    }
    return paths | {"map": write_attribution(folder / "map.h5", waves(), method="occlusion")}


def test_an_occlusion_strip_says_what_the_model_sees_and_is_read_back(tmp_path: Path) -> None:
    definition = {"kind": "occlusion", "panels": ["seen", "map"]}
    assemble("fig09", occlusions(tmp_path), tmp_path / "f.h5", definition=definition, provenance={"rule": "r"})
    strip = read_figure(tmp_path / "f.h5")

    np.testing.assert_array_equal(strip.covered, covered()[1:])
    np.testing.assert_array_equal(strip.picture, pictures()[1])
    np.testing.assert_array_equal(strip.maps[0].values, waves()[1])  # the map of that picture, not of the first one
    assert strip.seen.tolist() == [1, 1, 1, 1, 1, 8, *[1] * 10]
    assert strip.probability[5] == pytest.approx(0.01)
    assert strip.seen_share[5] == pytest.approx(0.91)
    assert (strip.label, strip.limit) == (1, symmetric_limit([waves()[1]]))
    numbers_of_figure(tmp_path / "f.h5", tmp_path / "n.json")
    found = {key: value["text"] for key, value in read_json(tmp_path / "n.json").items()}
    assert found["figure.fig09.worst.seen"] == "8"
    assert (found["figure.fig09.wrong"], found["figure.fig09.whole"]) == ("1", "91.0")


def test_a_map_of_another_picture_is_refused(tmp_path: Path) -> None:
    paths = occlusions(tmp_path)
    paths["map"] = write_attribution(tmp_path / "o.h5", waves(), method="occlusion", images=1 - pictures())
    definition = {"kind": "occlusion", "panels": ["seen", "map"]}
    with pytest.raises(ConfigError, match="map does not explain"):
        assemble("fig09", paths, tmp_path / "f.h5", definition=definition, provenance={})


def test_the_worst_occlusions_come_in_their_order(tmp_path: Path) -> None:
    definition = {"kind": "worst_occlusions", "panels": ["seen", "label"]}
    assemble("fig10", occlusions(tmp_path), tmp_path / "f.h5", definition=definition, provenance={})
    group = read_figure_data(tmp_path / "f.h5")

    np.testing.assert_array_equal(group.pictures[1], covered()[6])
    assert group.heads[1] == "Worst\nrow 2, column 2"
    assert group.rows[0].notes[1] == "class 8: 1.0, 91 %"
