"""Samples are what the stored weights draw, and what is said of them can be counted."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_mnist import FOLDER, tiny_files, tiny_source, write_files

from nn_interpretability.data import digits
from nn_interpretability.errors import BrokenProductError, ConfigError
from nn_interpretability.models.build import build_model
from nn_interpretability.models.generators import build_generator
from nn_interpretability.models.rbm import GaussianRBM
from nn_interpretability.models.weights import save_weights
from nn_interpretability.storage.hdf5 import Array, Product, read_hdf5
from nn_interpretability.storage.product import read_csv
from nn_interpretability.study.sample_gallery import sample_gallery
from nn_interpretability.study.samples import (
    CHAIN_STEPS,
    accepted,
    chains_from_noise,
    not_digits,
    quality,
    sample_generative_models,
)

NAMES = ("gan", "dcgan", "rbm")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    files = tiny_files()
    write_files(files, folder / "data" / FOLDER)
    options: dict[str, Any] = {"local": str(folder / "data"), "download": False, "validation_share": 0.1, "seed": 1}
    outputs = (folder / "digits.h5", folder / "digits.json")
    digits.prepare(*outputs, **options, limits=None, provenance={}, source=tiny_source(files))
    torch.manual_seed(0)
    save_weights(build_model("all_conv_cnn"), folder / "judge.safetensors")
    for name in ("gan", "dcgan"):
        save_weights(build_generator(name), folder / f"{name}.safetensors")
    save_weights(GaussianRBM(), folder / "rbm.safetensors")
    return folder


def sample(inputs: Path, folder: Path, **changes: Any) -> Path:
    settings: dict[str, Any] = {
        "judge": "all_conv_cnn",
        "architecture": "all_conv_cnn",
        "count": 30,
        "chains": 4,
        "confidence": 0.3,
        "seeds": dict.fromkeys(NAMES, 3),
        "device": "cpu",
        "provenance": {},
    }
    sample_generative_models(
        inputs / "digits.h5",
        inputs / "judge.safetensors",
        {name: inputs / f"{name}.safetensors" for name in NAMES},
        {name: folder / f"{name}.h5" for name in NAMES},
        folder / "metrics.csv",
        folder / "numbers.json",
        **settings | changes,
    )
    return folder


@pytest.fixture(scope="module")
def sampled(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample(inputs, tmp_path_factory.mktemp("sampled"))


def test_same_seed_same_bytes(inputs: Path, sampled: Path, tmp_path: Path):
    again, other = sample(inputs, tmp_path / "again"), sample(inputs, tmp_path / "o", seeds=dict.fromkeys(NAMES, 4))
    for name in [*(f"{name}.h5" for name in NAMES), "metrics.csv", "numbers.json"]:
        assert (sampled / name).read_bytes() == (again / name).read_bytes(), name
    for name in NAMES:
        assert (sampled / f"{name}.h5").read_bytes() != (other / f"{name}.h5").read_bytes(), name


def test_files_hold_what_the_models_draw_and_the_judge_says(inputs: Path, sampled: Path):
    product = read_hdf5(sampled / "gan.h5", schema="samples/1")
    from nn_interpretability.models.weights import load_weights

    generator = load_weights(build_generator("gan"), inputs / "gan.safetensors").eval()
    judge = load_weights(build_model("all_conv_cnn"), inputs / "judge.safetensors").eval()
    codes = torch.randn(30, 100, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        images = generator(codes)
        probabilities = judge(images).double().softmax(1)
    np.testing.assert_allclose(product.arrays["images"].values, images, atol=1e-6)
    np.testing.assert_allclose(product.arrays["probabilities"].values, probabilities, atol=1e-6)
    assert product.params["model"] == "gan"


def test_the_chain_of_the_rbm_is_stored_step_by_step(sampled: Path):
    product = read_hdf5(sampled / "rbm.h5", schema="samples/1")
    assert product.scales["step"].tolist() == list(CHAIN_STEPS)
    assert product.arrays["images"].values.shape == (4, 1, 28, 28)
    chain = product.arrays["chain"].values
    assert chain.shape == (len(CHAIN_STEPS), 1, 28, 28)
    np.testing.assert_array_equal(chain[-1], product.arrays["images"].values[0])
    assert 0 <= chain.min() <= chain.max() <= 1
    assert chain[0].std() == pytest.approx(1 / math.sqrt(12), rel=0.1)  # uniform noise


def test_chains_start_at_noise_and_follow_the_machine():
    # A machine without weights draws around its visible biases, wherever a chain starts.
    rbm = GaussianRBM(visible=784, hidden=3)
    with torch.no_grad():
        rbm.weight.zero_()
        rbm.visible_bias.copy_(torch.linspace(0.1, 0.9, 784))
    shown, images = chains_from_noise(rbm, 5, torch.Generator().manual_seed(0))
    expected = rbm.visible_bias.detach().view(1, 28, 28)
    assert all(torch.equal(picture, expected) for picture in [*shown[1:], *images])
    assert not torch.equal(shown[0], expected)


def test_table_and_numbers_say_the_same(sampled: Path):
    table, numbers = read_csv(sampled / "metrics.csv"), json.loads((sampled / "numbers.json").read_text())
    assert set(table["model"]) == set(NAMES)
    for name in NAMES:
        rows = table[table["model"] == name].set_index("metric")["value"]
        product = read_hdf5(sampled / f"{name}.h5", schema="samples/1")
        share = (product.arrays["probabilities"].values.max(1) > 0.3).mean()
        assert rows["samples.accepted"] == share
        assert numbers[f"generator.{name}.accepted"]["value"] == pytest.approx(100 * share)
        assert len(rows["samples.share"]) == len(rows["samples.accepted_of_class"]) == 10
        assert rows["samples.share"].sum() == pytest.approx(1)
    rbm = table[table["model"] == "rbm"].set_index("metric")["value"]
    assert rbm["auroc.noise"] == numbers["generator.rbm.auroc.noise"]["value"]
    assert "generator.gan.auroc.noise" not in numbers


def test_quality_of_known_samples():
    generator = torch.Generator().manual_seed(0)
    test = torch.rand(40, 1, 28, 28, generator=generator)
    labels = np.arange(40) % 10
    probabilities = np.full((40, 10), 0.01)
    probabilities[np.arange(40), labels] = np.where(np.arange(40) < 20, 0.95, 0.85)
    found = quality(test, probabilities, test, labels, 0.9)
    assert found["accepted"] == 0.5
    assert found["share"] == [0.1] * 10
    assert found["accepted_of_class"] == [0.5] * 10
    assert found["spread"] == pytest.approx(1)

    half = quality(test / 2, probabilities, test, labels, 0.9)
    assert half["spread"] == pytest.approx(0.5)
    alone = quality(test[:1].expand(40, 1, 28, 28), np.eye(10)[np.full(40, 3)], test, labels, 0.9)
    assert alone["spread"] == pytest.approx(0, abs=1e-9)
    assert alone["share"] == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert alone["accepted_of_class"] == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]


def test_nothing_is_accepted_of_nothing():
    assert accepted(np.zeros((0, 10)), 0.9) == 0
    assert accepted(np.array([[0.9, 0.1]]), 0.9) == 0  # more than, not as much as


def test_not_digits_keep_what_they_should():
    test = torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    found = not_digits(test, torch.Generator().manual_seed(1))
    assert all(images.shape == test.shape for images in found.values())
    assert torch.equal(found["shuffled"].flatten(1).sort(1).values, test.flatten(1).sort(1).values)
    assert not torch.equal(found["shuffled"], test)
    orders = found["shuffled"].flatten(1).argsort(1), test.flatten(1).argsort(1)
    assert not torch.equal(*orders)
    assert torch.equal(found["mirrored"][:, :, 0], test[:, :, -1])
    assert torch.equal(found["turned"].rot90(3, (2, 3)), test)


def test_bad_input(inputs: Path, tmp_path: Path):
    for changes in ({"count": 1}, {"chains": 0}, {"confidence": 1.0}):
        (name, value), *_ = changes.items()
        with pytest.raises(ConfigError, match=f"{name} is {value}"):
            sample(inputs, tmp_path, **changes)
    assert not list(tmp_path.iterdir())


def test_damaged_weights_are_named(inputs: Path, tmp_path: Path):
    results = tmp_path / "results"
    (results / "generators").mkdir(parents=True)
    for file in inputs.iterdir():
        if file.is_file():
            (results / file.name).write_bytes(file.read_bytes())
    content = bytearray((results / "dcgan.safetensors").read_bytes())
    content[-1] ^= 1
    (results / "dcgan.safetensors").write_bytes(content)
    with pytest.raises(Exception, match=r"dcgan\.safetensors") as caught:
        sample(results, tmp_path / "out")
    assert type(caught.value).__name__ in {"DataError", BrokenProductError.__name__}
    assert not (tmp_path / "out" / "dcgan.h5").exists()


def test_the_figure_sorts_samples_by_class():
    images = np.arange(60, dtype=np.float32)[:, None, None, None] / 60 * np.ones((1, 1, 28, 28), np.float32)
    seen = np.array([0, 1, 2] * 20)
    probabilities = np.full((60, 10), 0.005)
    probabilities[np.arange(60), seen] = np.where(np.arange(60) % 6 < 3, 0.955, 0.5)
    params = {"model": "gan", "confidence": 0.9}
    arrays = {
        "images": Array(images, ("sample", "channel", "y", "x")),
        "probabilities": Array(probabilities, ("sample", "class")),
    }
    chain = {"chain": Array(images[:3], ("step", "channel", "y", "x"))}
    products = {
        "gan": Product("samples/1", params, {}, arrays, {}),
        "rbm": Product("samples/1", params, {}, arrays | chain, {"step": np.array([0, 1, 20])}),
    }
    gallery = sample_gallery("samples", products, {"panels": ["gan", "rbm"]})
    assert [row.name for row in gallery.rows] == ["gan", "rbm", "rbm_chain"]
    row = gallery.rows[0]
    assert row.notes == ("0: 50 %", "1: 50 %", "2: 50 %", *(f"{c}: none" for c in range(3, 10)))
    assert row.detail == "50 % of 60 samples accepted"
    assert row.pictures.shape == (10, 1, 56, 56)
    # the first four of class 1 are samples 1, 4, 7 and 10, in reading order
    corners = [row.pictures[1, 0, y, x] for y in (0, 55) for x in (0, 55)]
    np.testing.assert_allclose(corners, np.array([1, 4, 7, 10]) / 60, rtol=1e-6)
    assert not row.pictures[5].any()
    assert gallery.rows[2].notes == ("noise", "1 step", "20 steps")
    np.testing.assert_array_equal(gallery.rows[2].pictures, images[:3])
