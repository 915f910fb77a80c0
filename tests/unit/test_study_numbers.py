"""The numbers that the report states, against values known in closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from figures.synthetic import (
    LAYERS,
    PROVENANCE,
    exact_trace,
    pictures,
    waves,
    write_attribution,
    write_card,
    write_record,
)
from scipy.stats import spearmanr

from nn_interpretability.errors import DataError
from nn_interpretability.storage.product import read_json, write_json
from nn_interpretability.study import numbers
from nn_interpretability.study.figures import assemble


@pytest.mark.parametrize(
    ("value", "options", "text"),
    [
        (99.123, {"decimals": 2}, "99.12"),
        (-0.0001, {"decimals": 2}, "0.00"),
        (-0.126, {"decimals": 2}, "-0.13"),
        (21840, {}, "21840"),
        (0.0, {}, "0"),
        (0.012345, {"digits": 3}, "0.0123"),
        (9.996, {"digits": 3}, "10.0"),
        (123456.0, {"digits": 3}, "123456"),
        (1.26e-9, {"digits": 2}, "1.3e-9"),
        (-4.0e12, {"digits": 1}, "-4e12"),
    ],
)
def test_numbers_are_printed_as_siunitx_reads_them(value: float, options: dict, text: str) -> None:
    assert numbers.printed(value, **options) == text


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_not_stated(value: float) -> None:
    with pytest.raises(ValueError, match="cannot be stated"):
        numbers.printed(value)


def test_conservation_is_the_relative_gap_of_the_sum(tmp_path: Path) -> None:
    values = np.zeros((3, 8, 8))
    values[:, 0, 0] = [9.0, 20.0, -6.0]
    path = write_attribution(tmp_path / "a.h5", values, score=[10.0, 20.0, -5.0])
    numbers.numbers_of_attributions({"a": path}, tmp_path / "n.json")
    found = read_json(tmp_path / "n.json")

    assert found["attribution.a.conservation.median"]["value"] == pytest.approx(10.0)
    assert found["attribution.a.conservation.max"]["value"] == pytest.approx(20.0)
    assert found["attribution.a.conservation.max"]["unit"] == "%"
    assert found["attribution.a.pictures"]["value"] == 3


def test_a_plain_gradient_states_no_conservation(tmp_path: Path) -> None:
    path = write_attribution(tmp_path / "g.h5", waves(), method="gradient")
    numbers.numbers_of_attributions({"g": path}, tmp_path / "n.json")

    assert not [key for key in read_json(tmp_path / "n.json") if "conservation" in key or "layers" in key]


def test_background_is_the_share_on_black_pixels(tmp_path: Path) -> None:
    values = np.zeros((3, 8, 8))
    values[:, 1, 0] = [1.0, -1.0, 1.0]  # the left half of the pictures is black
    values[:, 0, 7] = [-3.0, 3.0, 3.0]
    images = np.zeros((3, 1, 8, 8), dtype=np.float32)
    images[..., 4:] = 0.5
    path = write_attribution(tmp_path / "a.h5", values, images=images)
    numbers.numbers_of_attributions({"a": path}, tmp_path / "n.json")

    assert read_json(tmp_path / "n.json")["attribution.a.background"]["value"] == pytest.approx(25.0)


def test_layers_are_told_from_output_to_input_and_add_up(tmp_path: Path) -> None:
    score = np.array([10.0, -4.0, 2.0])
    path = write_attribution(tmp_path / "a.h5", waves(), score=score, trace=exact_trace(score))
    numbers.numbers_of_attributions({"a": path}, tmp_path / "n.json")
    found = read_json(tmp_path / "n.json")

    assert found["attribution.a.layers"]["text"].split() == list(reversed(LAYERS))
    share = {part: found[f"attribution.a.layers.features.conv2.{part}"]["value"] for part in numbers.TRACE_PARTS}
    assert share == pytest.approx({"received": 90.0, "sent": 70.0, "bias": 0.0, "stabilizer": 20.0, "blocked": 0.0})
    assert share["received"] == pytest.approx(sum(share.values()) - share["received"])


def figure(tmp_path: Path, one: np.ndarray, other: np.ndarray) -> dict:
    paths = {name: write_attribution(tmp_path / f"{name}.h5", m) for name, m in (("a", one), ("a_published", other))}
    definition = {"panels": ["a"], "published": ["a_published"]}
    assemble("fig12", paths, tmp_path / "f.h5", definition=definition, provenance={})
    numbers.numbers_of_figure(tmp_path / "f.h5", tmp_path / "n.json")
    return read_json(tmp_path / "n.json")


@pytest.mark.parametrize(
    ("other", "cosine", "rank"),
    [(2 * waves(), 1.0, 1.0), (-waves(), -1.0, -1.0), (waves().astype(float) ** 3, None, 1.0)],
)
def test_agreement_of_figures(tmp_path: Path, other: np.ndarray, cosine: float | None, rank: float) -> None:
    found = figure(tmp_path, waves(), other)

    assert found["figure.fig12.agreement.a.rank"]["value"] == pytest.approx(rank, abs=1e-6)
    if cosine is not None:
        assert found["figure.fig12.agreement.a.cosine"]["value"] == pytest.approx(cosine)


def test_agreement_is_that_of_the_worst_picture(tmp_path: Path) -> None:
    other = waves()
    other[1] *= -1

    assert figure(tmp_path, waves(), other)["figure.fig12.agreement.a.cosine"]["value"] == pytest.approx(-1.0)


def test_facts_of_the_colour_scale(tmp_path: Path) -> None:
    found = figure(tmp_path, waves(), 100 * waves())

    assert found["figure.fig12.quantile"]["text"] == "99.5"
    assert found["figure.fig12.limit"]["value"] == pytest.approx(np.quantile(np.abs(waves()), 0.995), rel=1e-3)
    assert found["figure.fig12.beyond.max"]["value"] == 100 * np.mean(
        100 * np.abs(waves()).astype(float) > found["figure.fig12.limit"]["value"]
    )


def test_rank_correlation_is_spearmans(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    one, other = random.integers(0, 5, (2, 200)).astype(float)  # many ties

    assert numbers.rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert numbers.rank_correlation(one, np.ones(200)) == 0.0


def test_a_model_card_becomes_percentages(tmp_path: Path) -> None:
    numbers.numbers_of_models({"cnn": write_card(tmp_path / "card.json")}, tmp_path / "n.json")
    found = read_json(tmp_path / "n.json")

    assert found["model.cnn.test.accuracy"] == {
        "value": pytest.approx(99.12),
        "text": "99.12",
        "unit": "%",
        "source": "models/cnn/card.json",
    }
    assert found["model.cnn.test.nll"]["text"] == "0.0321"
    assert found["model.cnn.parameters"]["text"] == "21840"
    assert found["model.cnn.seed"]["value"] == "1519062249"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("mnist-local", "MNIST handwritten digits"),
        ("embedded", "UCI hand-written digits (the embedded stand-in for MNIST)"),
    ],
)
def test_a_stand_in_is_called_one(tmp_path: Path, source: str, name: str) -> None:
    numbers.numbers_of_data(write_record(tmp_path / "digits.json", source), tmp_path / "n.json")

    assert read_json(tmp_path / "n.json")["data.name"]["text"] == name


def test_a_commit_with_local_changes_says_so(tmp_path: Path) -> None:
    provenance = {**PROVENANCE, "commit": "1234567890abcdef-dirty"}
    numbers.numbers_of_run(tmp_path / "n.json", provenance=provenance)

    found = read_json(tmp_path / "n.json")
    assert found["run.commit"]["text"] == "1234567890ab with local changes"
    assert found["run.seed"]["text"] == "7"


def test_parts_are_merged_and_a_key_has_one_source(tmp_path: Path) -> None:
    for name, keys in {"a": ["x"], "b": ["y"], "c": ["x"]}.items():
        write_json(tmp_path / f"{name}.json", {key: numbers.entry(1.0, source=name) for key in keys})
    numbers.merge_numbers([tmp_path / "a.json", tmp_path / "b.json"], tmp_path / "all.json")

    assert read_json(tmp_path / "all.json").keys() == {"x", "y"}
    with pytest.raises(DataError, match=r"'x' is in .*a\.json and in .*c\.json"):
        numbers.merge_numbers([tmp_path / "a.json", tmp_path / "c.json"], tmp_path / "all.json")


def test_maps_of_other_pictures_are_not_compared(tmp_path: Path) -> None:
    paths = {
        "a": write_attribution(tmp_path / "a.h5", waves(), method="deconvolution"),
        "a_published": write_attribution(tmp_path / "p.h5", waves(), method="deconvolution", images=1 - pictures()),
    }
    definition = {"kind": "reconstructions", "panels": ["a"], "published": ["a_published"]}
    assemble("fig08", paths, tmp_path / "f.h5", definition=definition, provenance={})
    numbers.numbers_of_figure(tmp_path / "f.h5", tmp_path / "n.json")
    assert not [key for key in read_json(tmp_path / "n.json") if "agreement" in key]


def test_empty_maps_have_no_size_to_compare_with(tmp_path: Path) -> None:
    nothing, something = np.zeros((3, 8, 8)), waves()
    logits = np.full((3, 10), -1.0)
    settings = {"logits": logits, "model": "cnn", "score": [1e-12] * 3}
    files = {
        "a": write_attribution(tmp_path / "a.h5", nothing, explained="evidence", **settings),
        "a_published": write_attribution(tmp_path / "b.h5", something, explained="predicted", **settings),
    }
    definition = {"kind": "turned_maps", "panels": ["a"], "published": ["a_published"]}
    assemble("fig21", files, tmp_path / "f.h5", definition=definition, provenance={})
    numbers.numbers_of_figure(tmp_path / "f.h5", tmp_path / "n.json")
    found = read_json(tmp_path / "n.json")
    assert found["figure.fig21.agreement.a.cosine"]["value"] == 0
    assert "figure.fig21.agreement.a.size" not in found
