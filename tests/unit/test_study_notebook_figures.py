"""Figures of what is in the study's notebooks only: differences of twins, curves along noise, other quantities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nets
import numpy as np
import pytest
import torch
from figures.synthetic import PROVENANCE, pictures, waves, write_attribution

from nn_interpretability import Gradient
from nn_interpretability.data import digits, probes
from nn_interpretability.models import build_model
from nn_interpretability.plotting.curves_data import Curves
from nn_interpretability.plotting.data import PanelGroup, read_figure_data
from nn_interpretability.plotting.figures import draw, read_figure, sidecar
from nn_interpretability.plotting.scale import symmetric_limit
from nn_interpretability.storage.product import read_json
from nn_interpretability.study.describe import describe
from nn_interpretability.study.figures import assemble
from nn_interpretability.study.fluctuation import change, facts_of, largest_entry
from nn_interpretability.study.numbers import numbers_of_figure


def group_of(tmp_path: Path, files: dict[str, Path], **definition: Any) -> tuple[PanelGroup, dict[str, Any]]:
    assemble("transposed", files, tmp_path / "f.h5", definition=definition, provenance={})
    numbers_of_figure(tmp_path / "f.h5", tmp_path / "f.json")
    return read_figure_data(tmp_path / "f.h5"), read_json(tmp_path / "f.json")


# rows of differences -----------------------------------------------------------------------------------------------


def test_a_difference_is_that_of_the_files_on_its_own_scale(tmp_path: Path) -> None:
    other = waves().copy()
    other[1, 2, 3] += 0.25
    files = {name: write_attribution(tmp_path / f"{name}.h5", v) for name, v in {"a": waves(), "b": other}.items()}
    group, numbers = group_of(tmp_path, files, kind="difference", panels=["a", "b"])

    assert [row.name for row in group.rows] == ["a", "b", "difference"]
    row = group.rows[2]
    assert (row.values != 0).sum() == 1
    assert row.values[1, 2, 3] == pytest.approx(0.25)
    assert row.limit == pytest.approx(0.25)
    assert row.detail == "of the two rows above, scale ends at 0.25"
    assert numbers["figure.transposed.difference.max"]["value"] == pytest.approx(0.25)
    assert numbers["figure.transposed.difference.relative"]["value"] == pytest.approx(0.25 / np.abs(waves()).max())


def test_no_difference_is_drawn_as_none(tmp_path: Path) -> None:
    files = {name: write_attribution(tmp_path / f"{name}.h5", waves()) for name in "ab"}
    group, numbers = group_of(tmp_path, files, kind="difference", panels=["a", "b"])

    assert not group.rows[2].values.any()
    assert group.rows[2].limit == 1
    assert numbers["figure.transposed.difference.max"]["text"] == "0"


def test_further_rows_have_scales_of_their_own_and_sizes_are_compared(tmp_path: Path) -> None:
    maps = {"a": waves(), "b": waves(), "c": 5 * waves(), "b_published": 2 * waves(), "c_published": 80 * waves()}
    files = {name: write_attribution(tmp_path / f"{name}.h5", values) for name, values in maps.items()}
    published = ["b_published", "c_published"]
    group, numbers = group_of(tmp_path, files, kind="difference", panels=["a", "b", "c"], published=published)

    limit = symmetric_limit([waves()])
    assert {row.name: row.limit / limit for row in group.rows if row.name != "difference"} == pytest.approx(
        {"a": 1, "b": 1, "c": 5, "b_published": 1, "c_published": 80}
    )
    assert numbers["figure.transposed.agreement.b.size"]["value"] == pytest.approx(2)
    assert numbers["figure.transposed.agreement.c.size"]["value"] == pytest.approx(16)
    assert numbers["figure.transposed.limit"]["value"] == pytest.approx(limit)
    assert numbers["figure.transposed.apart.b"]["value"] == 0
    assert numbers["figure.transposed.apart.c"]["value"] == pytest.approx(4)


# published maps of another quantity -----------------------------------------------------------------------------------


def test_published_multipliers_have_a_scale_of_their_own(tmp_path: Path) -> None:
    files = {
        "a": write_attribution(tmp_path / "a.h5", waves(), method="deeplift"),
        "a_published": write_attribution(
            tmp_path / "p.h5", 1000 * waves(), method="deeplift_as_published", parameters={"mode": "linear"}
        ),
    }
    group, numbers = group_of(tmp_path, files, panels=["a"], published=["a_published"])

    right, published = group.rows
    assert published.limit == pytest.approx(1000 * right.limit)
    assert published.detail.startswith("multipliers from black, scale ends at ")
    assert published.beyond == right.beyond
    assert group.quantity == "relevance (logits)"
    assert numbers["figure.transposed.agreement.a.cosine"]["value"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("method", "parameters", "heading", "settings"),
    [
        ("deeplift_mode", {"mode": "linear_reveal_cancel"}, "DeepLIFT, LinearRevealCancel", "from black"),
        ("deeplift_as_published", {"mode": "no_rule"}, "DeepLIFT, NoRule", "multipliers from black"),
        ("lrp_transposed", {}, "LRP-0 by transposed layers", ""),
        ("lrp_transposed", {"pooling": "average"}, "LRP-0 by transposed layers", "pooling as average"),
        ("lrp_transposed_as_published", {}, "LRP-0 by transposed layers", "random biases"),
        (
            "lrp_transposed_as_published",
            {"pooling": "average", "random_biases": False},
            "LRP-0 by transposed layers",
            "pooling as average, not divided",
        ),
    ],
)
def test_methods_of_the_study_in_words(method: str, parameters: dict[str, Any], heading: str, settings: str) -> None:
    words = describe(method, parameters)
    assert (words.heading, words.settings) == (heading, settings)


# curves along noise ---------------------------------------------------------------------------------------------------


def test_curves_of_known_gradients() -> None:
    gradients = np.array([[3.0, -4.0], [3.0, -4.0], [3.0, -2.0], [-6.0, -2.0], [-6.0, -2.0]])
    assert largest_entry(gradients).tolist() == [1, 1, 0.75, 1.5, 1.5]
    assert change(gradients) == pytest.approx([0, 0, 0.4, np.sqrt(85) / 5, np.sqrt(85) / 5])
    facts = facts_of(gradients)
    assert facts["pieces"] == 3
    assert facts["first"] == 0.5
    assert (facts["largest.min"], facts["largest.max"], facts["largest.end"]) == (0.75, 1.5, 1.5)
    assert facts_of(gradients[:2])["pieces"] == facts_of(gradients[:2])["first"] == 1


def path_files(tmp_path: Path) -> dict[str, Path]:
    steps = np.linspace(0, 1, 5)[:, None, None, None]
    whole = pictures()[1:2]
    files = {}
    for name, size in {"g": 0.5, "g_published": 0.01}.items():
        images = (whole + size * steps * np.cos(np.arange(64).reshape(1, 1, 8, 8))).astype(np.float32)
        values = waves(samples=1) * (1 + np.round(size * steps[:, 0] * 4))
        files[name] = write_attribution(
            tmp_path / f"{name}.h5",
            values,
            method="gradient",
            images=images,
            target=[1] * 5,
            label=np.ones(5, int),
        )
    return files


def test_a_figure_of_curves_holds_them_and_states_their_facts(tmp_path: Path) -> None:
    definition = {"kind": "gradient_path", "panels": ["g"], "published": ["g_published"]}
    assemble("fluctuation", path_files(tmp_path), tmp_path / "f.h5", definition=definition, provenance={"rule": "r"})
    curves = read_figure(tmp_path / "f.h5")

    assert isinstance(curves, Curves)
    assert curves.x.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert [(panel.name, panel.heading) for panel in curves.panels] == [
        ("g_published", "Settings as published"),
        ("g", "Corrected settings"),
    ]
    lines = {line.label: line.values for line in curves.panels[1].lines}
    # numpy rounds halves to even, so the steps of 2 * t are 0, 0, 1, 2, 2
    assert lines["largest entry"] == pytest.approx([1, 1, 2, 3, 3])
    assert lines["change of the map"] == pytest.approx([0, 0, 1, 2, 2])
    np.testing.assert_array_equal(curves.panels[0].ends[0], pictures()[1])
    assert curves.provenance["rule"] == "r"

    numbers_of_figure(tmp_path / "f.h5", tmp_path / "f.json")
    numbers = read_json(tmp_path / "f.json")
    assert numbers["figure.fluctuation.g.pieces"]["text"] == "3"
    assert numbers["figure.fluctuation.g.largest.max"]["text"] == "3.00"
    assert numbers["figure.fluctuation.g_published.pieces"]["value"] == 1


def test_a_figure_of_curves_is_drawn_with_a_sidecar(tmp_path: Path) -> None:
    definition = {"kind": "gradient_path", "panels": ["g"], "published": ["g_published"]}
    assemble("fluctuation", path_files(tmp_path), tmp_path / "f.h5", definition=definition, provenance=PROVENANCE)
    files = [tmp_path / f"f{suffix}" for suffix in (".pdf", ".png", ".json")]
    draw(tmp_path / "f.h5", *files, provenance=PROVENANCE)

    assert files[0].read_bytes().startswith(b"%PDF")
    facts = read_json(files[2])["facts"]
    assert facts == sidecar(read_figure(tmp_path / "f.h5"), PROVENANCE)["facts"]
    assert [row["name"] for row in facts["blocks"][0]["rows"]] == ["g_published", "g"]
    assert facts["facts"]["g"]["pieces"] == 3


def test_noise_grows_along_one_direction(tmp_path: Path) -> None:
    digits_file = tmp_path / "digits.h5"
    settings = {"local": None, "download": False, "validation_share": 0.3, "seed": 3, "limits": None}
    digits.prepare(digits_file, tmp_path / "digits.json", provenance={}, **settings)
    paths = [tmp_path / f"{name}.h5" for name in ("a", "b", "other")]
    for path, seed in zip(paths, (3, 3, 4), strict=True):
        probes.select_noise_path(digits_file, path, {}, label=1, mean=0.5, deviation=0.1, steps=4, seed=seed)
    probe, same, other = map(probes.load, paths)
    probes.select_first_of_class(digits_file, tmp_path / "first.h5", {})

    np.testing.assert_array_equal(probe.images[0], probes.load(tmp_path / "first.h5").images[1])
    noise = probe.images.astype(np.float64) - probe.images[0]
    np.testing.assert_allclose(noise, np.arange(5)[:, None, None, None] / 4 * noise[4], atol=1e-6)
    assert abs(noise[4].mean() - 0.5) < 0.02
    assert abs(noise[4].std() - 0.1) < 0.02
    assert probe.labels.tolist() == [1] * 5
    np.testing.assert_array_equal(probe.images, same.images)
    assert not np.array_equal(probe.images, other.images)


def test_black_windows_of_max_pooling_are_ties_that_any_noise_decides() -> None:
    pooled, strided = (nets.randomised(build_model(name)) for name in ("small_cnn", "all_conv_cnn"))
    images = torch.zeros(1, 1, 28, 28, dtype=torch.float64)
    images[:, :, 10:18, 10:18] = nets.uniform(1, 1, 8, 8)
    noisy = images + 1e-9 * nets.uniform(1, 1, 28, 28, low=-1, seed=1)

    def moved(model: torch.nn.Module) -> float:
        one, other = (Gradient(model).interpret(x, 3).values for x in (images, noisy))
        return nets.relative(other, one)

    assert moved(pooled) > 0.01
    assert moved(strided) < 1e-12
