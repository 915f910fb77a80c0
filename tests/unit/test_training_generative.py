"""Generative training: same seed, same bits; losses are what they are said to be; what was learnt can be told."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_mnist import FOLDER, tiny_files, tiny_source, write_files
from torch import Tensor, nn

from nn_interpretability.data import digits
from nn_interpretability.errors import BrokenProductError, ConfigError, DataError
from nn_interpretability.models.discriminators import GANDiscriminator, build_discriminator
from nn_interpretability.models.generators import GANGenerator, build_generator
from nn_interpretability.models.rbm import GaussianRBM
from nn_interpretability.storage.product import read_csv
from nn_interpretability.training.adversarial import (
    AVERAGING,
    PENALTY_EVERY,
    AdversarialRecipe,
    discriminator_loss,
    fit_adversarially,
    generator_loss,
    gradient_penalty,
    mutual_information,
)
from nn_interpretability.training.contrastive_divergence import (
    ContrastiveDivergenceRecipe,
    fit_by_contrastive_divergence,
    reconstruction_error,
)
from nn_interpretability.training.generative import MODELS, load_generative_model, train_generative_model
from nn_interpretability.training.loop import Labelled

ADVERSARIAL: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 50,
    "generator_learning_rate": 0.002,
    "discriminator_learning_rate": 0.001,
    "gradient_penalty": 3.0,
    "class_information": 0.5,
}
RBM: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 50,
    "learning_rate": 0.003,
    "weight_decay": 0.0001,
    "gibbs_steps": 1,
    "sigma": 0.3,
}
SETTINGS = {"gan": ADVERSARIAL, "dcgan": ADVERSARIAL | {"epochs": 1}, "rbm": RBM}
FILES = ("weights.safetensors", "card.json", "history.csv")


@pytest.fixture(scope="module")
def digits_h5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    files = tiny_files()
    write_files(files, folder / "data" / FOLDER)
    options: dict[str, Any] = {"local": str(folder / "data"), "download": False, "validation_share": 0.1, "seed": 1}
    outputs = (folder / "digits.h5", folder / "digits.json")
    digits.prepare(*outputs, **options, limits=None, provenance={}, source=tiny_source(files))
    return folder / "digits.h5"


def train(digits_h5: Path, folder: Path, model: str, *, seed: int = 5, **changes: Any) -> Path:
    progress = changes.pop("progress", None)
    train_generative_model(
        digits_h5,
        *(folder / name for name in FILES),
        model=model,
        settings=SETTINGS[model] | changes,
        seed=seed,
        device="cpu",
        provenance={"rule": "train_generator"},
        progress=progress,
    )
    return folder


@pytest.mark.parametrize("model", MODELS)
def test_same_seed_same_bytes(digits_h5: Path, tmp_path: Path, model: str):
    before = torch.get_rng_state()
    one = train(digits_h5, tmp_path / "one", model)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(3)
    again, other = train(digits_h5, tmp_path / "again", model), train(digits_h5, tmp_path / "other", model, seed=6)
    for name in FILES:
        assert (one / name).read_bytes() == (again / name).read_bytes(), name
        assert (one / name).read_bytes() != (other / name).read_bytes(), name


@pytest.mark.parametrize("model", MODELS)
def test_products_belong_together(digits_h5: Path, tmp_path: Path, model: str):
    seen: list[tuple[int, int]] = []
    train(digits_h5, tmp_path, model, progress=lambda done, total: seen.append((done, total)))
    epochs = SETTINGS[model]["epochs"]
    assert seen == [(i, 5 * epochs) for i in range(1, 5 * epochs + 1)]  # 270 pictures: five batches of 50
    card, history = json.loads((tmp_path / "card.json").read_text()), read_csv(tmp_path / "history.csv")
    assert history["epoch"].tolist() == list(range(1, epochs + 1))
    assert card["last_epoch"] == history.iloc[-1].to_dict()
    assert (card["model"], card["seed"], card["device"]) == (model, 5, "cpu")
    assert card["recipe"] == SETTINGS[model]
    assert card["provenance"] == {"rule": "train_generator"}
    trained = load_generative_model(model, tmp_path / "weights.safetensors")
    assert not trained.training
    assert card["parameters"] == sum(p.numel() for p in trained.parameters())


def test_the_history_of_an_rbm_is_what_its_stored_weights_do(digits_h5: Path, tmp_path: Path):
    train(digits_h5, tmp_path, "rbm")
    rbm = load_generative_model("rbm", tmp_path / "weights.safetensors")
    assert isinstance(rbm, GaussianRBM)
    data = digits.load(digits_h5)
    validation = torch.from_numpy(data.validation_images[:, None].astype(np.float32) / 255)
    train_images = torch.from_numpy(data.train_images[:, None].astype(np.float32) / 255)[: len(validation)]
    last = json.loads((tmp_path / "card.json").read_text())["last_epoch"]
    with torch.no_grad():
        assert last["reconstruction_error"] == pytest.approx(float(reconstruction_error(rbm, validation).mean()), 1e-5)
        assert last["validation_free_energy"] == pytest.approx(float(rbm.free_energy(validation).mean()), 1e-4)
        assert last["train_free_energy"] == pytest.approx(float(rbm.free_energy(train_images).mean()), 1e-4)


def test_losses_are_those_of_the_formulas():
    generator = torch.Generator().manual_seed(0)
    real, fake = (3 * torch.randn(6, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    labels = torch.tensor([0, 1, 2, 3, 0, 1])

    def real_share(logits: Tensor) -> Tensor:
        """Probability of being real: the mean of exponentials against one."""
        total = logits.exp().mean(1)
        return total / (1 + total)

    p = real.exp() / real.exp().sum(1, keepdim=True)
    expected = (
        -real_share(real).log().mean()
        - (1 - real_share(fake)).log().mean()
        - torch.stack([p[i, c] for i, c in enumerate(labels)]).log().mean()
    )
    torch.testing.assert_close(discriminator_loss(real, labels, fake), expected, rtol=1e-12, atol=0)

    q = fake.exp() / fake.exp().sum(1, keepdim=True)
    information = -(q.mean(0) * q.mean(0).log()).sum() + (q * q.log()).sum(1).mean()
    torch.testing.assert_close(mutual_information(fake), information, rtol=1e-12, atol=0)
    expected = -real_share(fake).log().mean() - 0.7 * information
    torch.testing.assert_close(generator_loss(fake, 0.7), expected, rtol=1e-12, atol=0)


def test_information_is_largest_for_clear_and_equally_frequent_classes():
    clear = 200.0 * torch.eye(4, dtype=torch.float64)
    assert float(mutual_information(clear)) == pytest.approx(math.log(4))
    assert float(mutual_information(clear[[0, 0, 1, 1]])) == pytest.approx(math.log(2))
    assert float(mutual_information(clear[[2, 2, 2]])) == pytest.approx(0, abs=1e-12)
    assert float(mutual_information(torch.zeros(5, 4))) == pytest.approx(0, abs=1e-6)


def test_the_penalty_is_the_squared_gradient():
    # D = log(e^{a.x} + e^{b.x}) has the gradient p_a a + p_b b
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(2, 6, generator=generator, dtype=torch.float64)
    images = torch.randn(3, 1, 2, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    logits = images.flatten(1) @ weight.T
    expected = (logits.softmax(1) @ weight).square().sum(1).mean()
    penalty = gradient_penalty(images, logits)
    torch.testing.assert_close(penalty, expected, rtol=1e-12, atol=0)
    assert penalty.requires_grad


def test_adversarial_training_is_what_its_literal_twin_does():
    random = torch.Generator().manual_seed(0)
    images = torch.rand(20, 1, 28, 28, generator=random, dtype=torch.float64)
    labels = torch.randint(10, (20,), generator=random)
    torch.manual_seed(1)
    generator, discriminator = GANGenerator(hidden=8).double(), GANDiscriminator(hidden=8, outputs=10).double()
    twin, judge = copy.deepcopy(generator), copy.deepcopy(discriminator)
    recipe = AdversarialRecipe(**ADVERSARIAL | {"epochs": 3, "batch_size": 8})
    with _codes_in_double():
        history = fit_adversarially(generator, discriminator, Labelled(images, labels), recipe, seed=9)
    assert not generator.training

    random = torch.Generator().manual_seed(9)
    adams = [Adam(list(twin.parameters())), Adam(list(judge.parameters()))]
    average = [p.detach().clone() for p in twin.parameters()]
    steps, step = 6, 0
    for epoch in range(3):
        order = torch.randperm(20, generator=random)
        losses = []
        for rows in (order[:8], order[8:16]):
            share = min(1.0, 2 * (1 - step / steps))
            fake = twin(torch.randn(8, 100, generator=random).double())
            loss = generator_loss(judge(fake), 0.5)
            adams[0].step(torch.autograd.grad(loss, adams[0].parameters, retain_graph=True), 0.002 * share)
            real = images[rows].clone().requires_grad_()
            logits = judge(real)
            judged = discriminator_loss(logits, labels[rows], judge(fake.detach()))
            penalty = gradient_penalty(real, logits) if step % PENALTY_EVERY == 0 else 0.0
            total = judged + PENALTY_EVERY * 3.0 / 2 * penalty
            adams[1].step(torch.autograd.grad(total, adams[1].parameters), 0.001 * share)
            step += 1
            keep = min(AVERAGING, step / (step + 10))
            average = [keep * a + (1 - keep) * p.detach() for a, p in zip(average, twin.parameters(), strict=True)]
            losses.append((float(loss.detach()), float(judged.detach())))
        assert history[epoch]["generator_loss"] == pytest.approx(np.mean([a for a, _ in losses]), rel=1e-7)
        assert history[epoch]["discriminator_loss"] == pytest.approx(np.mean([b for _, b in losses]), rel=1e-7)
    for found, expected in zip(generator.parameters(), average, strict=True):
        torch.testing.assert_close(found.detach(), expected, rtol=1e-6, atol=1e-9)


class Adam:
    """Kingma and Ba 2014, Algorithm 1, with betas of 0.5 and 0.99."""

    def __init__(self, parameters: list[Tensor]) -> None:
        self.parameters, self.done = parameters, 0
        self.first, self.second = ([torch.zeros_like(p) for p in parameters] for _ in range(2))

    @torch.no_grad()
    def step(self, gradients: tuple[Tensor, ...], rate: float) -> None:
        self.done += 1
        for p, g, m, v in zip(self.parameters, gradients, self.first, self.second, strict=True):
            m.mul_(0.5).add_(g, alpha=0.5)
            v.mul_(0.99).add_(g * g, alpha=0.01)
            p.sub_(rate * (m / (1 - 0.5**self.done)) / ((v / (1 - 0.99**self.done)).sqrt() + 1e-8))


def test_batch_norm_ends_with_statistics_of_the_averaged_weights(digits_h5: Path, tmp_path: Path):
    train(digits_h5, tmp_path, "dcgan")
    generator = load_generative_model("dcgan", tmp_path / "weights.safetensors")
    codes = torch.randn(5000, 100, generator=torch.Generator().manual_seed(0))
    first = generator.blocks[0]
    with torch.no_grad():
        features = first[0](codes[:, :, None, None])
    torch.testing.assert_close(first[1].running_mean, features.mean((0, 2, 3)), rtol=0, atol=0.02)
    torch.testing.assert_close(first[1].running_var, features.var((0, 2, 3)), rtol=0.1, atol=0)
    assert all(norm.momentum == 0.1 for norm in generator.modules() if isinstance(norm, nn.BatchNorm2d))


def test_it_learns_the_digits_it_is_shown(digits_h5: Path):
    """After some epochs on bars in ten places, the averaged generator draws bars in all of them."""
    data = digits.load(digits_h5)
    labelled = Labelled.of(data.train_images, data.train_labels, torch.device("cpu"))
    torch.manual_seed(0)
    generator, discriminator = build_generator("gan"), build_discriminator("gan", outputs=10)
    recipe = AdversarialRecipe(**ADVERSARIAL | {"epochs": 100, "batch_size": 30, "class_information": 1.0})
    history = fit_adversarially(generator, discriminator, labelled, recipe, seed=1)
    with torch.no_grad():
        images = generator(torch.randn(500, 100, generator=torch.Generator().manual_seed(2)))
    brightness = images[:, 0, 4:24:2, 4:24].mean(2)  # of the row of each class
    assert (brightness.max(1).values > 0.7).float().mean() > 0.8
    assert len(brightness.argmax(1).unique()) == 10
    assert history[-1]["information"] > 0.4 * math.log(10)


def test_an_rbm_learns_what_digits_look_like(digits_h5: Path):
    data = digits.load(digits_h5)
    train_part, test_part = (
        Labelled.of(images, labels, torch.device("cpu"))
        for images, labels in ((data.train_images, data.train_labels), (data.test_images, data.test_labels))
    )
    torch.manual_seed(0)
    rbm = GaussianRBM(hidden=32)
    recipe = ContrastiveDivergenceRecipe(epochs=30, batch_size=30, learning_rate=0.01, weight_decay=0.0, gibbs_steps=1)
    history = fit_by_contrastive_divergence(rbm, train_part, test_part, recipe, seed=1)
    assert history[-1]["reconstruction_error"] < 0.5 * history[0]["reconstruction_error"]
    with torch.no_grad():
        real = rbm.free_energy(test_part.images)
        moved = rbm.free_energy(test_part.images.roll(1, dims=2))  # bars between the places of bars
    assert real.max() < moved.min()


@pytest.mark.parametrize("model", MODELS)
def test_divergence_is_an_error_and_leaves_nothing(digits_h5: Path, tmp_path: Path, model: str):
    rates = {name: 1e30 for name in SETTINGS[model] if name.endswith("learning_rate")}
    with pytest.raises(ConfigError, match=r"diverged in epoch \d.*Nothing was written.*below 1e\+30"):
        train(digits_h5, tmp_path, model, **rates)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("name", "value"), [("epochs", 0), ("batch_size", -1)])
def test_settings_out_of_range(digits_h5: Path, tmp_path: Path, model: str, name: str, value: int):
    with pytest.raises(ConfigError, match=f"{name} is {value}; allowed are numbers above 0"):
        train(digits_h5, tmp_path, model, **{name: value})


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        ("gan", "generator_learning_rate", 0.0),
        ("gan", "gradient_penalty", -1.0),
        ("gan", "class_information", math.nan),
        ("rbm", "learning_rate", math.inf),
        ("rbm", "weight_decay", -0.1),
        ("rbm", "gibbs_steps", 0),
        ("rbm", "sigma", 0.0),
    ],
)
def test_settings_of_one_kind_out_of_range(digits_h5: Path, tmp_path: Path, model: str, name: str, value: float):
    with pytest.raises(ConfigError, match=f"{name} is {value}"):
        train(digits_h5, tmp_path, model, **{name: value})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("model", MODELS)
def test_a_batch_larger_than_the_data(digits_h5: Path, tmp_path: Path, model: str):
    with pytest.raises(ConfigError, match="batch_size is 271, but there are only 270 training pictures"):
        train(digits_h5, tmp_path, model, batch_size=271)


def test_a_batch_of_one_has_no_statistics():
    with pytest.raises(ConfigError, match="batch_size is 1; batch norm needs at least 2"):
        AdversarialRecipe(**ADVERSARIAL | {"batch_size": 1})


def test_unknown_models_and_wrong_weights(digits_h5: Path, tmp_path: Path):
    train(digits_h5, tmp_path, "gan")
    with pytest.raises(ConfigError, match=r"'vae'. The models are: gan, dcgan, rbm"):
        load_generative_model("vae", tmp_path / "weights.safetensors")
    with pytest.raises(DataError, match="does not fit GaussianRBM"):
        load_generative_model("rbm", tmp_path / "weights.safetensors")


def test_damaged_digits_are_named(digits_h5: Path, tmp_path: Path):
    (tmp_path / "digits.h5").write_bytes(digits_h5.read_bytes()[:-10])
    with pytest.raises(BrokenProductError, match=r"digits\.h5"):
        train(tmp_path / "digits.h5", tmp_path / "out", "rbm")
    assert not (tmp_path / "out").exists()


class _codes_in_double:  # noqa: N801
    """Codes are drawn in single precision; a generator in double precision takes them so."""

    def __enter__(self) -> None:
        self.forward = GANGenerator.forward
        GANGenerator.forward = lambda this, codes: self.forward(this, codes.double())  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        GANGenerator.forward = self.forward  # type: ignore[method-assign]


def test_cross_entropy_is_part_of_the_loss_for_one_class_too():
    # one logit: the plain GAN of 2014
    real, fake = torch.tensor([[1.0], [2.0]]), torch.tensor([[-1.0], [0.5]])
    expected = F.binary_cross_entropy_with_logits(real, torch.ones(2, 1)) + F.binary_cross_entropy_with_logits(
        fake, torch.zeros(2, 1)
    )
    torch.testing.assert_close(discriminator_loss(real, torch.zeros(2, dtype=torch.long), fake), expected)
    assert float(mutual_information(fake)) == 0
