"""Jobs of evidence and calibration: their areas, their tables, and what they do where there is nothing to fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from tiny_mnist import FOLDER, tiny_files, tiny_source, write_files

from nn_interpretability.data import digits, foreign, imagenet, probes
from nn_interpretability.data.digits import load
from nn_interpretability.errors import DataError
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import load_weights, save_weights
from nn_interpretability.plotting.data import write_panel_group
from nn_interpretability.plotting.figures import draw, read_figure
from nn_interpretability.plotting.style import figure_style
from nn_interpretability.plotting.uncertainty import draw_curve, draw_reliability
from nn_interpretability.stochastic.passes import draw_passes
from nn_interpretability.stochastic.sampler import Dropout, Randomness
from nn_interpretability.storage.hdf5 import Array, read_hdf5
from nn_interpretability.storage.product import read_csv, read_json
from nn_interpretability.study.calibrate import calibrate, scalings
from nn_interpretability.study.evidence import QUESTIONS, Network, measure_evidence
from nn_interpretability.study.figures import assemble
from nn_interpretability.study.numbers import numbers_of_figure
from nn_interpretability.study.temperature import TEMPERATURE, Maps, identity_of, maps_of, summed_to
from nn_interpretability.study.uncertainty_figures import before_and_after
from nn_interpretability.uncertainty.calibration import reliability


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with digits, probes and the weights of two networks."""
    folder = tmp_path_factory.mktemp("made")
    files = tiny_files()
    write_files(files, folder / "data" / FOLDER)
    settings = {"local": str(folder / "data"), "download": False, "validation_share": 0.3, "seed": 3, "limits": None}
    digits.prepare(folder / "digits.h5", folder / "digits.json", provenance={}, source=tiny_source(files), **settings)
    probes.select_first_of_class(folder / "digits.h5", folder / "digits_probe.h5", {})
    probes.select_rotations(folder / "digits.h5", folder / "rotated.h5", {}, angles=[0, -20, -40])
    for seed, name in enumerate(["ordinary", "evidential", "dropped"]):
        torch.manual_seed(seed)
        model = build_model("dropout_cnn" if name == "dropped" else "small_cnn")
        with torch.no_grad():
            model.classifier.fc2.weight.mul_(40)  # so that it is sure of something
        save_weights(model, folder / f"{name}.safetensors")
    return folder


@pytest.fixture(scope="module")
def evidence(made: Path) -> Path:
    networks = {
        "evidential": Network(made / "evidential.safetensors", "small_cnn", evidential=True),
        "ordinary": Network(made / "ordinary.safetensors", "small_cnn", evidential=False),
        "dropped": Network(made / "dropped.safetensors", "dropout_cnn", evidential=False),
    }
    measure_evidence(
        made / "digits.h5",
        made / "rotated.h5",
        networks,
        made / "evidence.h5",
        made / "evidence.json",
        made / "evidence.csv",
        name="mine",
        pictures=30,
        passes=7,
        pass_pictures=20,
        seed=1,
        provenance={"rule": "measure_evidence"},
    )
    return made


@pytest.fixture(scope="module")
def calibration(made: Path) -> Path:
    calibrate(
        made / "digits.h5",
        made / "digits_probe.h5",
        {"ordinary": (made / "ordinary.safetensors", "small_cnn")},
        made / "calibration.h5",
        made / "calibration.json",
        made / "calibration.csv",
        name="mine",
        bins=5,
        found=None,
        photograph_settings={"network": "squeezenet1_0", "limit": 20, "shown": 2},
        provenance={"rule": "calibrate"},
    )
    return made


def test_evidence_of_a_turning_digit(evidence: Path):
    product = read_hdf5(evidence / "evidence.h5", schema="evidence/1")
    probability, uncertainty = product.arrays["probability"].values, product.arrays["uncertainty"].values
    logit = product.arrays["logit"].values
    assert list(product.scales["model"]) == ["evidential", "ordinary", "dropped"]
    assert product.params["evidential"] == ["evidential"]
    assert product.arrays["angle"].values.tolist() == [0, -20, -40]
    alpha = logit[0].clip(min=0) + 1
    np.testing.assert_allclose(uncertainty[0], 10 / alpha.sum(1), rtol=1e-12)
    np.testing.assert_allclose(probability[0], alpha / alpha.sum(1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(uncertainty[1], 1 - probability[1].max(1), rtol=1e-12)
    numbers = read_json(evidence / "evidence.json")
    assert numbers["evidence.mine.n"]["value"] == 30
    for network in ("evidential", "ordinary", "dropped", "dropped.entropy", "dropped.mutual_information"):
        for question in QUESTIONS:
            start = f"evidence.mine.{network}.auroc.{question}"
            low, value, high = (numbers[start + end]["value"] for end in (".low", "", ".high"))
            assert low is value is high is None or 0 <= low <= value <= high <= 1
    assert not any(key.startswith("evidence.mine.ordinary.entropy") for key in numbers)
    assert numbers["evidence.mine.passes"]["value"] == 7
    assert numbers["evidence.mine.passes.n"]["value"] == 20


def test_areas_compare_foreign_pictures_with_digits(evidence: Path):
    loaded = load(evidence / "digits.h5")
    model = load_weights(build_model("small_cnn"), evidence / "ordinary.safetensors").eval()
    foreign_ones = foreign.foreign_pictures(loaded, 30, seed=1)["shuffled"]

    def doubt(images: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return 1 - model(torch.from_numpy(images)[:, None].float() / 255).double().softmax(1).amax(1).numpy()

    home, abroad = doubt(loaded.test_images[:30]), doubt(foreign_ones)
    pairs = (abroad[:, None] > home).mean() + 0.5 * (abroad[:, None] == home).mean()
    found = read_json(evidence / "evidence.json")["evidence.mine.ordinary.auroc.shuffled"]["value"]
    assert found == pytest.approx(pairs, abs=1e-3)
    assert abs(pairs - 0.5) > 0.01


def test_areas_of_passes_are_those_of_passes_one_by_one(evidence: Path):
    loaded = load(evidence / "digits.h5")
    model = load_weights(build_model("dropout_cnn"), evidence / "dropped.safetensors").eval()
    foreign_ones = foreign.foreign_pictures(loaded, 30, seed=1)["shuffled"][:20]
    pictures = torch.from_numpy(np.concatenate([loaded.test_images[:20], foreign_ones]))[:, None].float() / 255
    dropout = Randomness(dropout=Dropout(1))
    scores = [draw_passes(model, pictures, dropout, i, i + 1, block=1, late=False).logits[0] for i in range(7)]
    p = np.stack([np.exp(z - z.max(1, keepdims=True)) for z in (each.double().numpy() for each in scores)])
    p /= p.sum(2, keepdims=True)
    entropy = -(p.mean(0) * np.log(p.mean(0))).sum(1)
    between = entropy + (p * np.log(p.clip(1e-300))).sum(2).mean(0)
    numbers = read_json(evidence / "evidence.json")
    for name, doubt in (("entropy", entropy), ("mutual_information", between)):
        area = (doubt[20:, None] > doubt[:20]).mean()
        assert numbers[f"evidence.mine.dropped.{name}.auroc.shuffled"]["value"] == pytest.approx(area, abs=1e-3)
        wrong = (p.mean(0)[:20].argmax(1) != loaded.test_labels[:20]).sum()
        assert numbers[f"evidence.mine.dropped.{name}.errors"]["value"] == wrong


def test_measures_are_rows_of_the_table(evidence: Path, calibration: Path):
    table = read_csv(evidence / "evidence.csv")
    numbers = read_json(evidence / "evidence.json")
    for row in table.itertuples():
        assert numbers[f"evidence.mine.{row.model}.{row.metric}"]["value"] == pytest.approx(row.value)
    assert set(table["model"]) == {"evidential", "ordinary", "dropped"}
    assert "entropy.auroc.shuffled.low" in set(table["metric"])
    rows = read_csv(calibration / "calibration.csv").set_index("metric")["value"]
    numbers = read_json(calibration / "calibration.json")
    for metric, unit in (("ece", 100), ("brier", 1)):
        stated = numbers[f"calibration.mine.ordinary.vector.{metric}"]["value"]
        assert stated == pytest.approx(unit * rows[f"calibration.vector.{metric}"])


def test_foreign_pictures_are_what_they_are_called(made: Path):
    loaded = load(made / "digits.h5")
    found = foreign.foreign_pictures(loaded, 30, seed=1)
    kept = ~np.isin(loaded.test_labels[:30], [0, 8])
    np.testing.assert_array_equal(found["turned"], [np.rot90(p) for p in loaded.test_images[:30][kept]])
    shuffled = found["shuffled"]
    np.testing.assert_array_equal(np.sort(shuffled.reshape(30, -1)), np.sort(loaded.test_images[:30].reshape(30, -1)))
    assert (shuffled != loaded.test_images[:30]).any(axis=(1, 2)).all()
    assert len({tuple(np.argsort(p.ravel(), kind="stable")) for p in shuffled}) > 20
    np.testing.assert_array_equal(shuffled, foreign.foreign_pictures(loaded, 30, seed=1)["shuffled"])
    assert len(found["other_source"]) == 30
    digits_of_scikit_learn = type(loaded)(**{**vars(loaded), "record": {**loaded.record, "source": "embedded"}})
    assert "other_source" not in foreign.foreign_pictures(digits_of_scikit_learn, 30, seed=1)


def test_calibration_tables_are_those_of_the_test_part(calibration: Path):
    product = read_hdf5(calibration / "calibration.h5", schema="calibration/1")
    loaded = load(calibration / "digits.h5")
    assert product.arrays["count"].values.shape == (1, 4, 5)
    assert (product.arrays["count"].values.sum(2) == len(loaded.test_labels)).all()
    numbers = read_json(calibration / "calibration.json")
    gaps = np.abs(product.arrays["accuracy"].values - product.arrays["confidence"].values)
    ece = (gaps * product.arrays["count"].values).sum(2)[0] / len(loaded.test_labels)
    for row, scaling in enumerate(["none", "temperature", "vector", "isotonic"]):
        assert numbers[f"calibration.mine.ordinary.{scaling}.ece"]["value"] == pytest.approx(100 * ece[row])
    plain, scaled = (numbers[f"calibration.mine.ordinary.{s}.accuracy"]["value"] for s in ("none", "temperature"))
    assert plain == scaled
    assert numbers["calibration.mine.photographs.shown"]["text"] == "no"


def test_maps_before_and_after_differ_by_the_temperature():
    torch.manual_seed(1)
    found = maps_of(build_model("small_cnn"), torch.rand(3, 1, 28, 28), 1.3)
    before, after = found.values
    np.testing.assert_allclose(1.3 * after, before, rtol=1e-4, atol=1e-5 * np.abs(before).max())
    assert found.ratio == pytest.approx(1.3, rel=1e-5)
    np.testing.assert_allclose(found.score[0], 1.3 * found.score[1], rtol=1e-5)


def test_where_all_held_out_pictures_are_right_the_logits_are_kept(caplog: pytest.LogCaptureFixture):
    labels = torch.arange(40) % 4
    held_out = torch.nn.functional.one_hot(labels, 4).double()
    scores = torch.randn(5, 4, dtype=torch.float64)
    temperature, scaled = scalings(held_out, labels, scores, what="mine")
    assert temperature is None
    assert torch.equal(scaled["temperature"], scores)
    assert torch.equal(scaled["vector"], scores)
    assert "mine keeps its logits: All 40 held-out pictures" in caplog.text


def test_the_identity_holds_and_fails_where_it_should():
    torch.manual_seed(1)
    found = identity_of(build_model("small_cnn"), torch.rand(3, 1, 28, 28))
    for case in ("deeplift", "lrp"):
        assert found[case]["gap"] < 1e-12
        assert found[case]["ratio"] == pytest.approx(TEMPERATURE, rel=1e-12)
    assert found["unit_start"]["ratio"] == pytest.approx(1, rel=1e-12)
    assert found["folded"]["gap"] > 1e-3
    assert abs(found["probability"]["ratio"] - TEMPERATURE) > 0.01


def test_summed_maps_keep_their_sum():
    values = np.random.default_rng(0).normal(size=(2, 3, 8, 8))
    maps = Maps(values, np.zeros((2, 3)), np.zeros((2, 3)), np.zeros(3, dtype=np.int64))
    summed = summed_to(maps, 2).values
    assert summed.shape == (2, 3, 2, 2)
    np.testing.assert_allclose(summed[1, 2, 0, 1], values[1, 2, :4, 4:].sum())


@pytest.mark.parametrize(
    ("figure", "kind", "source"),
    [
        ("fig20", "evidence_curve", "evidence"),
        ("fig24", "before_and_after", "calibration"),
        ("reliability", "reliability", "calibration"),
    ],
)
def test_figures_hold_what_they_show_and_can_be_drawn(
    evidence: Path, calibration: Path, tmp_path: Path, figure: str, kind: str, source: str
):
    del calibration
    definition = {"kind": kind, "panels": ["mine"], "published": []}
    data = tmp_path / f"{figure}.h5"
    assemble(figure, {"mine": evidence / f"{source}.h5"}, data, definition=definition, provenance={})
    content = read_figure(data)
    assert content.figure == figure
    numbers_of_figure(data, tmp_path / "numbers.json")
    draw(data, tmp_path / "f.pdf", tmp_path / "f.png", tmp_path / "f.json", provenance={})
    assert (tmp_path / "f.pdf").stat().st_size > 1000
    if kind == "reliability":
        product = read_hdf5(evidence / "calibration.h5")
        shown = reliability(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64), 5)
        assert content.count.shape[2] == len(shown.count) == 5
        np.testing.assert_array_equal(content.accuracy, product.arrays["accuracy"].values)
    if kind == "evidence_curve":
        assert content.evidential == (True, False)
        numbers = read_json(tmp_path / "numbers.json")
        largest = 100 * float(content.uncertainty[0].max())
        assert numbers["figure.fig20.most.u"]["value"] == pytest.approx(largest)


def test_no_words_stand_over_curves_and_bars(evidence: Path, calibration: Path, tmp_path: Path):
    del calibration
    for kind, source in (("evidence_curve", "evidence"), ("reliability", "calibration")):
        definition = {"kind": kind, "panels": ["mine"], "published": []}
        data = tmp_path / f"{kind}.h5"
        assemble("fig20", {"mine": evidence / f"{source}.h5"}, data, definition=definition, provenance={})
        content = read_figure(data)
        with figure_style():
            figure = draw_curve(content) if kind == "evidence_curve" else draw_reliability(content)
            canvas = FigureCanvasAgg(figure)
            canvas.draw()
        boxes = [each.get_window_extent() for each in figure.axes if each.axison]
        boxes += [image.get_window_extent() for each in figure.axes for image in each.images]
        words = [each.get_window_extent() for each in figure.texts]
        words += [each.get_legend().get_window_extent() for each in figure.axes if each.get_legend()]
        assert len(words) > 4
        assert not any(box.overlaps(word) for box in boxes for word in words)
        assert not any(each.texts for each in figure.axes)


def test_photographs_stand_below_digits_with_their_own_size(calibration: Path, tmp_path: Path):
    product = read_hdf5(calibration / "calibration.h5")
    rng = np.random.default_rng(0)
    more = {
        "photograph_images": Array(rng.random((4, 3, 112, 112), dtype=np.float32), ("p", "c", "v", "w")),
        "photograph_maps": Array(rng.normal(size=(2, 4, 28, 28)).astype(np.float32), ("when", "p", "y", "x")),
        "photograph_probability": Array(rng.random((2, 4)), ("when", "p")),
        "photograph_score": Array(rng.random((2, 4)), ("when", "p")),
        "photograph_class": Array(np.arange(4), ("p",)),
        "photograph_temperature": Array(np.array([1.5]), ("one",)),
    }
    params = {**product.params, "photographs": "squeezenet1_0"}
    both = replace(product, arrays={**product.arrays, **more}, params=params)
    group = before_and_after("fig24", {"mine": both}, {"panels": ["mine"]})
    write_panel_group(tmp_path / "f.h5", group, provenance={})
    again = read_figure(tmp_path / "f.h5")
    assert [block.heading for block in again.blocks] == [
        "ordinary, temperature 1.000",
        "squeezenet1_0, temperature 1.500",
    ]
    assert again.blocks[1].pictures.shape == (4, 3, 112, 112)
    maps = more["photograph_maps"].values
    quantile = np.quantile(np.abs(maps[0].astype(np.float64)), 0.995)
    np.testing.assert_allclose(again.blocks[1].rows[1].values, maps[1] / quantile, rtol=1e-5)


def test_photographs_are_found_and_spread_over_the_classes(study_data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(imagenet.ENVIRONMENT_VARIABLE, str(study_data))
    found = imagenet.look_up(None, "weights/squeezenet1_0.pth", "imagenet_sample")
    assert found is not None
    pixels, labels = imagenet.load(found.pictures, 4)
    assert labels.tolist() == [0, 250, 500, 750]
    assert pixels.shape == (4, 3, 224, 224)
    assert imagenet.look_up(None, "weights/none.pth", "imagenet_sample") is None


def test_a_folder_without_photographs_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="has no subfolders with photographs"):
        imagenet.load(tmp_path, 4)
    (tmp_path / "n01").mkdir()
    with pytest.raises(DataError, match="has no subfolders with photographs"):
        imagenet.load(tmp_path, 4)
