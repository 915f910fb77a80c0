"""Training gives the same bits for the same seed, is what it says, and reports on pictures that it never saw."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_mnist import FOLDER, tiny_files, tiny_source, write_files

from nn_interpretability.data import digits, embedded
from nn_interpretability.errors import BrokenProductError, ConfigError
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import load_weights
from nn_interpretability.storage.product import read_csv
from nn_interpretability.training.loop import Labelled, Recipe, fit, logits_of, resolve_device, train_classifier
from nn_interpretability.uncertainty.calibration import expected_calibration_error, nll

CPU = torch.device("cpu")
SETTINGS: dict[str, Any] = {
    "architecture": "small_cnn",
    "epochs": 2,
    "batch_size": 32,
    "max_learning_rate": 0.01,
    "weight_decay": 0.0,
    "seed": 5,
    "device": "cpu",
    "provenance": {"rule": "train_model"},
}


@pytest.fixture(scope="module")
def digits_h5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    files = tiny_files()
    write_files(files, folder / "data" / FOLDER)
    digits.prepare(
        folder / "digits.h5",
        folder / "digits.json",
        local=str(folder / "data"),
        download=False,
        validation_share=0.1,
        seed=1,
        limits=None,
        provenance={},
        source=tiny_source(files),
    )
    return folder / "digits.h5"


def train(digits_h5: Path, folder: Path, **changes: Any) -> Path:
    outputs = (folder / "weights.safetensors", folder / "card.json", folder / "history.csv")
    train_classifier(digits_h5, *outputs, **SETTINGS | changes)
    return folder


def test_same_seed_same_bytes(digits_h5: Path, tmp_path: Path):
    one, again, other = (
        train(digits_h5, tmp_path / name, seed=seed) for name, seed in {"one": 5, "again": 5, "other": 6}.items()
    )
    for name in ("weights.safetensors", "card.json", "history.csv"):
        assert (one / name).read_bytes() == (again / name).read_bytes(), name
        assert (one / name).read_bytes() != (other / name).read_bytes(), name


def test_global_random_state_has_no_effect_and_is_left_alone(digits_h5: Path, tmp_path: Path):
    one = train(digits_h5, tmp_path / "one")
    torch.rand(3)
    before = torch.get_rng_state(), torch.backends.cudnn.deterministic
    again = train(digits_h5, tmp_path / "again")
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == torch.backends.cudnn.deterministic
    assert (one / "weights.safetensors").read_bytes() == (again / "weights.safetensors").read_bytes()


def test_card_says_what_the_stored_weights_do(digits_h5: Path, tmp_path: Path):
    train(digits_h5, tmp_path)
    card = json.loads((tmp_path / "card.json").read_text())
    data = digits.load(digits_h5)
    model = load_weights(build_model("small_cnn"), tmp_path / "weights.safetensors").eval()
    for part, images, labels in (
        ("test", data.test_images, data.test_labels),
        ("validation", data.validation_images, data.validation_labels),
    ):
        with torch.no_grad():
            logits = model(torch.from_numpy(images[:, None].astype(np.float32) / 255))
        wanted = torch.from_numpy(labels)
        assert card[part]["accuracy"] == (logits.argmax(1) == wanted).double().mean()
        assert card[part]["nll"] == pytest.approx(nll(logits, wanted), rel=1e-4)
        assert card[part]["ece"] == pytest.approx(expected_calibration_error(logits, wanted), rel=1e-3)
        assert card[part]["n"] == len(labels)
        assert sum(entry["n"] for entry in card[part]["per_class"].values()) == len(labels)
    assert card["architecture"] == "small_cnn"
    assert card["parameters"] == 21_840
    assert (card["seed"], card["device"]) == (5, "cpu")
    assert card["data"] == data.record
    recipe = {"epochs": 2, "batch_size": 32, "max_learning_rate": 0.01, "weight_decay": 0.0, "loss": "cross_entropy"}
    assert card["recipe"] == recipe
    assert card["provenance"] == {"rule": "train_model"}


def test_history_has_a_row_for_each_epoch_and_one_cycle(digits_h5: Path, tmp_path: Path):
    train(digits_h5, tmp_path, epochs=5)
    history = read_csv(tmp_path / "history.csv")
    assert list(history) == ["epoch", "train_loss", "validation_loss", "validation_accuracy", "learning_rate"]
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5]
    rates = history["learning_rate"]
    assert rates.idxmax() == 1  # the top of the cycle is at 30 % of the steps
    assert rates.iloc[-1] < 1e-6
    assert rates.max() <= 0.01
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["validation"]["nll"] == history["validation_loss"].iloc[-1]
    assert card["validation"]["accuracy"] == history["validation_accuracy"].iloc[-1]


def test_it_learns_the_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NN_INTERPRETABILITY_DATA", raising=False)
    monkeypatch.setattr(embedded, "TRAIN_IMAGES", 3000)
    options: dict[str, Any] = {"local": None, "download": False, "validation_share": 0.1, "seed": 1, "limits": None}
    digits.prepare(tmp_path / "digits.h5", tmp_path / "digits.json", provenance={}, **options)
    train(tmp_path / "digits.h5", tmp_path, epochs=3, batch_size=64)
    assert json.loads((tmp_path / "card.json").read_text())["test"]["accuracy"] > 0.93


def test_training_is_what_its_literal_twin_does():
    # double precision, plain Adam with decoupled decay written out, learning rates from the formula of the schedule
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(50, 1, 28, 28, generator=generator, dtype=torch.float64)
    labels = torch.randint(10, (50,), generator=generator)
    data = Labelled(images, labels)
    recipe = Recipe(epochs=2, batch_size=20, max_learning_rate=0.01, weight_decay=0.1)
    model, twin = (build_model("small_cnn").double() for _ in range(2))
    twin.load_state_dict(model.state_dict())
    history = fit(model, data, data, recipe, seed=9)
    assert not model.training

    order = torch.Generator().manual_seed(9)
    steps = 2 * 3
    parameters = list(twin.parameters())
    first, second = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    step = 0
    for epoch in range(2):
        loss_sum = 0.0
        permutation = torch.randperm(50, generator=order)
        for begin in range(0, 50, 20):
            rate, beta1 = one_cycle(step, steps, 0.01)
            batch = permutation[begin : begin + 20]
            loss = F.cross_entropy(twin(images[batch]), labels[batch])
            loss_sum += float(loss.detach()) * len(batch)
            gradients = torch.autograd.grad(loss, parameters)
            step += 1
            with torch.no_grad():
                for p, g, m, v in zip(parameters, gradients, first, second, strict=True):
                    p.mul_(1 - rate * 0.1)
                    m.mul_(beta1).add_(g, alpha=1 - beta1)
                    v.mul_(0.999).add_(g * g, alpha=1 - 0.999)
                    p.sub_(rate / (1 - beta1**step) * m / ((v / (1 - 0.999**step)).sqrt() + 1e-8))
        assert history[epoch]["train_loss"] == pytest.approx(loss_sum / 50, rel=1e-7)
        assert history[epoch]["learning_rate"] == pytest.approx(rate, rel=1e-9)
    for p, q in zip(model.parameters(), parameters, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-7)


def one_cycle(step: int, steps: int, top: float) -> tuple[float, float]:
    """Learning rate and first momentum: up for 30 % of the steps from 1/25, down to 1/250,000, both along a cosine."""
    peak = 0.3 * steps - 1

    def cosine(start: float, end: float, share: float) -> float:
        return end + (start - end) / 2 * (1 + math.cos(math.pi * share))

    if step <= peak:
        return cosine(top / 25, top, step / peak), cosine(0.95, 0.85, step / peak)
    share = (step - peak) / (steps - 1 - peak)
    return cosine(top, top / 25e4, share), cosine(0.85, 0.95, share)


def test_progress_counts_every_step_once(digits_h5: Path, tmp_path: Path):
    seen: list[tuple[int, int]] = []
    train(digits_h5, tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 18) for i in range(1, 19)]  # 270 pictures, batches of 32, two epochs


def test_divergence_is_an_error_and_leaves_nothing(digits_h5: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"diverged in epoch \d.*max_learning_rate below 1e\+30"):
        train(digits_h5, tmp_path, max_learning_rate=1e30)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", -1),
        ("max_learning_rate", 0.0),
        ("max_learning_rate", float("nan")),
        ("weight_decay", -0.1),
        ("weight_decay", float("inf")),
    ],
)
def test_settings_out_of_range(digits_h5: Path, tmp_path: Path, name: str, value: float):
    with pytest.raises(ConfigError, match=f"{name} is {value}"):
        train(digits_h5, tmp_path, **{name: value})
    assert not list(tmp_path.iterdir())


def test_devices(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigError, match="'tpu'; allowed are 'auto', 'cpu' and 'cuda'"):
        resolve_device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == resolve_device("cpu") == CPU
    with pytest.raises(ConfigError, match="finds no GPU"):
        resolve_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto").type == resolve_device("cuda").type == "cuda"
    assert resolve_device("cpu") == CPU


def test_logits_in_blocks_are_logits():
    model = build_model("small_cnn").eval()
    images = torch.rand(620, 1, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(logits_of(model, images), model(images), rtol=1e-5, atol=1e-6)


def test_a_damaged_file_of_digits_is_named(digits_h5: Path, tmp_path: Path):
    copy = tmp_path / "digits.h5"
    copy.write_bytes(digits_h5.read_bytes()[:-10])
    with pytest.raises(BrokenProductError, match=r"digits\.h5"):
        train(copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.gpu
def test_gpu_gives_the_same_bits_twice(digits_h5: Path, tmp_path: Path):
    one, again = (train(digits_h5, tmp_path / name, device="cuda") for name in ("one", "again"))
    assert (one / "weights.safetensors").read_bytes() == (again / "weights.safetensors").read_bytes()
    assert json.loads((one / "card.json").read_text())["device"] == "cuda"
