"""The long table of measurements."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from nn_interpretability import LRP, Gradient
from nn_interpretability.models import build_model
from nn_interpretability.storage.attribution_file import save_attribution
from nn_interpretability.storage.product import read_csv, write_json
from nn_interpretability.study.measurements import COLUMNS, collect, gini, measure_attributions, measure_models


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 1, 1, 1], 0.0), ([0, 0, 0, 1], 0.75), ([0, 0, 0, 0], 0.0), ([1, 2, 3, 4], 0.25), ([4, 1, 3, 2], 0.25)],
)
def test_gini_of_known_rows(values, expected):
    assert gini(np.array([values], dtype=float))[0] == pytest.approx(expected, abs=1e-15)


def test_gini_is_the_mean_difference_over_twice_the_mean():
    values = np.random.default_rng(0).random((5, 40))
    literal = [np.abs(np.subtract.outer(v, v)).mean() / (2 * v.mean()) for v in values]
    assert gini(values) == pytest.approx(literal, rel=1e-12)


@pytest.fixture
def files(tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_model("small_cnn")
        images = torch.rand(4, 1, 28, 28)
    images[:, :, :14] = 0
    labels = torch.tensor([3, 1, 4, 1])
    paths = {}
    for name, explained in {
        "lrp": LRP(model, rule="gamma", trace=True).interpret(images, labels),
        "gradient": Gradient(model).interpret(images, labels),
        "all": Gradient(model).interpret(images, "all"),
    }.items():
        paths[name] = tmp_path / f"{name}.h5"
        save_attribution(explained, paths[name], images=images, label=labels)
    return tmp_path, paths


def test_each_map_gets_one_row_per_metric(files):
    folder, paths = files
    measure_attributions({"lrp_gamma": paths["lrp"]}, folder / "lrp.csv", models={"lrp_gamma": "cnn"}, seeds={"cnn": 7})
    table = read_csv(folder / "lrp.csv")
    assert tuple(table.columns) == COLUMNS
    assert set(table["method"]) == {"lrp_gamma"}
    assert set(table["seed"]) == {7}
    assert not table["value"].isna().any()
    assert (table.groupby("metric").size() == 4).all()
    assert table[table["metric"] == "score"]["class"].tolist() == [3, 1, 4, 1]
    wide = table.pivot_table(index="image", columns="metric", values="value")
    layers = ("features.conv1", "features.conv2", "classifier.fc1", "classifier.fc2")
    absorbed = sum(wide[f"trace.{n}.{p}"] for n in layers for p in ("bias", "stabilizer", "blocked"))
    assert (wide["sum"] + absorbed).to_numpy() == pytest.approx(wide["score"].to_numpy(), rel=1e-4)


def test_relevance_on_black_pixels_is_not_on_ink(files):
    folder, paths = files
    measure_attributions({"lrp": paths["lrp"]}, folder / "lrp.csv", models={"lrp": "cnn"}, seeds={"cnn": 7})
    measure_attributions(
        {"gradient": paths["gradient"]}, folder / "g.csv", models={"gradient": "cnn"}, seeds={"cnn": 7}
    )
    ink = {
        name: pd.read_csv(folder / f"{name}.csv").query("metric == 'ink_share'")["value"].to_numpy()
        for name in ("lrp", "g")
    }
    assert ink["lrp"] == pytest.approx(np.ones(4))  # input times something: black pixels get nothing
    assert (ink["g"] < 0.9).all()
    assert "completeness_error" not in set(pd.read_csv(folder / "g.csv")["metric"])


def test_all_classes_give_a_row_for_each_class(files):
    folder, paths = files
    measure_attributions({"gradient": paths["all"]}, folder / "all.csv", models={"gradient": "cnn"}, seeds={"cnn": 7})
    scores = read_csv(folder / "all.csv").query("metric == 'score'")
    assert scores["image"].tolist() == np.repeat(np.arange(4), 10).tolist()
    assert scores["class"].tolist() == np.tile(np.arange(10), 4).tolist()


def test_parts_are_concatenated(files):
    folder, paths = files
    measure_attributions({"lrp": paths["lrp"]}, folder / "a.csv", models={"lrp": "cnn"}, seeds={"cnn": 7})
    part = {"accuracy": 0.99, "nll": 0.03, "ece": 0.002}
    write_json(folder / "card.json", {"seed": 7, "test": part, "validation": part})
    measure_models({"cnn": folder / "card.json"}, folder / "b.csv")
    collect([folder / "a.csv", folder / "b.csv"], folder / "all.csv")
    table = read_csv(folder / "all.csv")
    assert len(table) == len(read_csv(folder / "a.csv")) + 6
    row = table[table["metric"] == "test.accuracy"].iloc[0]
    assert row["value"] == 0.99
    assert row["model"] == "cnn"
    assert pd.isna(row["method"])
