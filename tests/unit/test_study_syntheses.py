"""The study's searches: one file each, the probability of the image shown, numbers and figures of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nn_interpretability.config.groups import synthesis_jobs
from nn_interpretability.config.schema import config_schema
from nn_interpretability.config.validate import problems_of, with_defaults
from nn_interpretability.errors import ConfigError
from nn_interpretability.models.build import build_model
from nn_interpretability.models.generators import build_generator
from nn_interpretability.models.rbm import GaussianRBM
from nn_interpretability.models.weights import load_weights, save_weights
from nn_interpretability.plotting.gallery_data import Gallery
from nn_interpretability.storage.hdf5 import Array, read_hdf5, write_hdf5
from nn_interpretability.storage.product import read_json
from nn_interpretability.study.figures import assemble
from nn_interpretability.study.numbers import numbers_of_figure
from nn_interpretability.study.syntheses import SCHEMA, synthesize
from nn_interpretability.study.synthesis_gallery import synthesis_gallery
from tests.nets import randomised

ENTRIES: dict[str, dict[str, Any]] = {
    "image": {"start": "first", "centre": "mean", "squared_distance": 0.01},
    "noise": {"starts": 2, "threshold": 0.3},
    "published": {"published": True, "start": "mean", "distance": 0.1, "rescale": True},
    "unbounded": {"published": True, "distance": 0.1, "learning_rate": 0.3},
    "gan": {"generator": "gan", "code_weight": 0.1},
    "dcgan_published": {
        "published": True,
        "generator": "dcgan",
        "centre": "mean",
        "distance": 0.1,
        "batch_of_one": True,
    },
    "rbm": {"expert": "rbm", "start": "mean", "threshold": None},
    "score": {"objective": "score", "start": "grand_mean", "centre": "grand_mean", "threshold": None},
}


def filled(entries: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    config = with_defaults(
        {"syntheses": {name: {"steps": 3, **entry} for name, entry in entries.items()}}, config_schema()
    )
    found: dict[str, dict[str, Any]] = config["syntheses"]
    return found


def probe(path: Path, seed: int) -> Path:
    images = np.random.default_rng(seed).random((10, 1, 28, 28)).astype(np.float32)
    arrays = {
        "images": Array(images, ("sample", "channel", "y", "x")),
        "labels": Array(np.arange(10), ("sample",)),
        "source_index": Array(np.arange(10), ("sample",)),
    }
    write_hdf5(path, arrays, schema="probe/1", params={}, provenance={})
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("syntheses")
    save_weights(randomised(build_model("small_cnn"), seed=1).float(), folder / "cnn.safetensors")
    save_weights(randomised(build_model("small_cnn"), seed=2).float(), folder / "judge.safetensors")
    torch.manual_seed(0)
    for name in ("gan", "dcgan"):
        save_weights(build_generator(name), folder / f"{name}.safetensors")
    save_weights(GaussianRBM(), folder / "rbm.safetensors")
    synthesize(
        folder / "cnn.safetensors",
        probe(folder / "first.h5", 1),
        {name: folder / f"{name}.safetensors" for name in ("gan", "dcgan", "rbm")},
        {name: folder / f"{name}.h5" for name in ENTRIES},
        entries=filled(ENTRIES),
        architecture="small_cnn",
        means_probe=probe(folder / "means.h5", 2),
        judge=("small_cnn", folder / "judge.safetensors"),
        seed=3,
        device="cpu",
        provenance={},
    )
    return folder


@pytest.mark.parametrize("name", list(ENTRIES))
def test_the_probability_is_that_of_the_image_shown(made: Path, name: str) -> None:
    arrays = {key: array.values for key, array in read_hdf5(made / f"{name}.h5", schema=SCHEMA).arrays.items()}
    assert arrays["images"].min() >= 0
    assert arrays["images"].max() <= 1
    rows = np.arange(len(arrays["target"]))
    for weights, key in (("cnn", "probability"), ("judge", "judge_probability")):
        model = load_weights(build_model("small_cnn"), made / f"{weights}.safetensors").eval()
        with torch.no_grad():
            found = model(torch.from_numpy(arrays["images"])).double().softmax(dim=1).numpy()
        np.testing.assert_allclose(arrays[key], found[rows, arrays["target"]], rtol=1e-5, atol=1e-9)
    starts = 2 if name == "noise" else 1
    assert arrays["target"].tolist() == [c for c in range(10) for _ in range(starts)]
    assert not (made / f"{name}.h5.state").exists()


def test_a_published_picture_is_not_what_was_searched(made: Path) -> None:
    arrays = read_hdf5(made / "unbounded.h5").arrays
    assert not np.allclose(arrays["probability"].values, arrays["searched_probability"].values, atol=1e-3)
    corrected = read_hdf5(made / "noise.h5").arrays
    np.testing.assert_allclose(corrected["probability"].values, corrected["searched_probability"].values, rtol=1e-5)


def test_its_figure_and_numbers(made: Path) -> None:
    definition = {"kind": "syntheses", "panels": ["noise", "gan"], "published": ["published"]}
    files = {name: made / f"{name}.h5" for name in ("noise", "gan", "published")}
    assemble("fig02", files, made / "fig02.h5", definition=definition, provenance={})
    numbers_of_figure(made / "fig02.h5", made / "numbers.json")
    numbers = read_json(made / "numbers.json")
    arrays = {key: array.values for key, array in read_hdf5(made / "noise.h5").arrays.items()}
    first = arrays["start"] == 0
    assert numbers["figure.fig02.noise.p.7"]["value"] == 100 * arrays["probability"][14]
    assert numbers["figure.fig02.noise.steps.most"]["value"] == arrays["steps"][first].max()
    assert numbers["figure.fig02.noise.reached"]["value"] == (arrays["reason"][first] == 0).sum()
    assert numbers["figure.fig02.noise.stuck"]["value"] == pytest.approx(100 * (arrays["reason"] != 0).mean())
    assert numbers["figure.fig02.noise.failed"]["value"] == pytest.approx(
        100 * (arrays["judge_probability"] < 0.5).mean()
    )
    assert 0 < numbers["figure.fig02.noise.reached"]["value"] < 10, "both kinds must be tested"


def test_what_stands_above_the_pictures(made: Path) -> None:
    products = {name: read_hdf5(made / f"{name}.h5") for name in ENTRIES}
    found = synthesis_gallery("fig01", products, {"panels": list(ENTRIES)})
    assert isinstance(found, Gallery)
    words = {row.name: (row.heading, row.detail) for row in found.rows}
    assert words["image"] == ("From a picture towards the class mean", "λ = 0.01, until p ≥ 0.999, at most 3 steps")
    assert words["published"][0] == "From the class mean towards black, as published"
    assert words["gan"] == ("Codes of the GAN", "λ = 0.1, learning rate 0.02, until p ≥ 0.999, at most 3 steps")
    assert words["rbm"] == ("From the class mean, with the density", "to the maximum")
    assert words["score"] == ("Around the mean of all classes", "score, to the maximum")
    noise = next(row for row in found.rows if row.name == "noise")
    arrays = products["noise"].arrays
    assert np.array_equal(noise.pictures, arrays["images"].values[::2])
    steps = int(arrays["steps"].values[8])
    assert noise.notes[4] == f"4: {100 * arrays['probability'].values[8]:.2f} %\n{steps} step{'s' * (steps != 1)}"


def test_pictures_of_other_classes_are_refused(made: Path, tmp_path: Path) -> None:
    arrays = {
        "images": Array(np.zeros((2, 1, 28, 28), np.float32), ("sample", "channel", "y", "x")),
        "labels": Array(np.array([1, 3]), ("sample",)),
        "source_index": Array(np.arange(2), ("sample",)),
    }
    write_hdf5(tmp_path / "two.h5", arrays, schema="probe/1", params={}, provenance={})
    with pytest.raises(ConfigError, match=r"two.h5 has the classes \[1, 3\]"):
        synthesize(
            made / "cnn.safetensors",
            tmp_path / "two.h5",
            {},
            {},
            entries={},
            architecture="small_cnn",
            means_probe=made / "means.h5",
            seed=0,
            device="cpu",
            provenance={},
        )


def test_jobs() -> None:
    entries = filled(ENTRIES)
    assert synthesis_jobs(entries) == {
        ("cnn", ()): ["image", "noise", "published", "unbounded", "score"],
        ("cnn", ("gan", "dcgan", "rbm")): ["gan", "dcgan_published", "rbm"],
    }


_STUDY = {
    "models": {"cnn": {}, "all_conv_cnn": {}},
    "probes": {"digits": {}, "means": {"kind": "class_means"}},
    "generators": {"gan": {}, "dcgan": {}, "rbm": {}},
}


def complaints(entry: dict[str, Any], **study: Any) -> str:
    return "\n".join(map(str, problems_of({**_STUDY, **study, "syntheses": {"mine": entry}})))


@pytest.mark.parametrize("entry", list(ENTRIES.values()))
def test_good_entries(entry: dict[str, Any]) -> None:
    assert complaints(entry) == ""


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"model": "cn"}, "syntheses.mine.model: 'cn' is not a name under models"),
        ({"start": "white"}, "syntheses.mine.start"),
        ({"steps": 0}, "syntheses.mine.steps"),
        ({"threshold": 1}, "syntheses.mine.threshold"),
        ({"distance": 0.1}, "syntheses.mine.distance: has no effect with published: false"),
        ({"published": True, "squared_distance": 0.1}, "squared_distance: has no effect with published: true"),
        ({"generator": "gan", "start": "mean"}, "'mean' is a picture"),
        ({"generator": "gan", "parametrisation": "fourier"}, "syntheses.mine.parametrisation: has no meaning"),
        ({"code_weight": 1}, "syntheses.mine.code_weight: has no meaning without a generator"),
        ({"start": "mean", "starts": 3}, "syntheses.mine.starts: several are the same"),
    ],
)
def test_bad_entries(entry: dict[str, Any], words: str) -> None:
    assert words in complaints(entry)


def test_what_an_entry_needs_must_be_there() -> None:
    assert "syntheses.mine.generator: 'gan' is not a name under generators" in complaints(
        {"generator": "gan"}, generators={}
    )
    assert "samples.judge: 'other' is not a name under models" in complaints({}, samples={"judge": "other"})
