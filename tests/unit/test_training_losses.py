"""Losses by name, and what is said of a network that may abstain."""

from __future__ import annotations

import math

import pytest
import torch

from nn_interpretability.errors import ConfigError
from nn_interpretability.models import build_model
from nn_interpretability.training.loop import Labelled, Recipe, fit
from nn_interpretability.training.losses import build_loss, loss_module, losses
from nn_interpretability.uncertainty.evidential import EvidentialLoss


def test_names():
    assert losses() == ("cross_entropy", "evidential")
    with pytest.raises(ConfigError, match=r"no loss 'hinge'\. The losses are: cross_entropy, evidential"):
        loss_module("hinge")


def test_a_penalty_is_for_the_evidential_loss():
    with pytest.raises(ConfigError, match=r"kl_weight=0\.5 is for loss='evidential'"):
        build_loss("cross_entropy", epochs=3, kl_weight=0.5)
    with pytest.raises(ConfigError, match="kl_weight=-1"):
        build_loss("evidential", epochs=3, kl_weight=-1)


def test_the_penalty_grows_over_the_whole_training():
    loss = build_loss("evidential", epochs=10, kl_weight=0.5)
    logits, labels = torch.randn(8, 4, generator=torch.Generator().manual_seed(1)), torch.arange(8) % 4
    whole = EvidentialLoss(kl_weight=0.5)
    assert float(loss(logits, labels, 10)) == float(whole(logits, labels))
    assert float(loss(logits, labels, 5)) == pytest.approx(float(EvidentialLoss(kl_weight=0.25)(logits, labels)))
    assert loss.settings == {"kl_weight": 0.5, "annealing_epochs": 10.0}


def test_card_of_a_network_that_abstains():
    # right with S = 6, wrong with S = 4, and two without evidence, the larger logit of one being the right class
    logits = torch.tensor([[4.0, -1.0], [2.0, 0.0], [-1.0, -2.0], [-3.0, -1.0]])
    labels = torch.tensor([0, 1, 0, 0])
    found = build_loss("evidential", epochs=1, kl_weight=None).evaluation(logits, labels)
    assert found["accuracy"] == 0.25
    assert found["n"] == 4
    assert found["per_class"] == {
        "0": {"accuracy": pytest.approx(1 / 3), "n": 3},
        "1": {"accuracy": 0.0, "n": 1},
    }
    assert found["nll"] == pytest.approx(-(math.log(5 / 6) + math.log(1 / 4) + 2 * math.log(1 / 2)) / 4)
    assert found["evidential"] == {
        "abstentions": 2,
        "answers": 2,
        "accuracy_of_answers": 0.5,
        "accuracy_by_logits": 0.5,
        "mean_evidence": 1.5,
        "mean_uncertainty": pytest.approx((1 / 3 + 1 / 2 + 2) / 4),
        "mean_uncertainty_right": pytest.approx(1 / 3),
        "mean_uncertainty_wrong": pytest.approx(2.5 / 3),
    }


def test_nothing_but_abstentions_has_no_accuracy_of_answers():
    found = build_loss("evidential", epochs=1, kl_weight=None).evaluation(-torch.ones(3, 2), torch.tensor([0, 1, 0]))
    assert found["accuracy"] == 0
    assert found["evidential"]["accuracy_of_answers"] is None
    assert found["evidential"]["mean_uncertainty_right"] is None


def test_every_class_begins_with_some_evidence():
    model = build_model("small_cnn")
    build_loss("evidential", epochs=1, kl_weight=None).prepare(model)
    assert model.classifier.fc2.bias.tolist() == [1.0] * 10
    model = build_model("small_cnn")
    before = model.classifier.fc2.bias.clone()
    build_loss("cross_entropy", epochs=1, kl_weight=None).prepare(model)
    assert torch.equal(model.classifier.fc2.bias, before)


def test_training_makes_the_loss_small():
    generator = torch.Generator().manual_seed(2)
    labels = torch.arange(200) % 10
    images = 0.1 * torch.rand(200, 1, 28, 28, generator=generator)
    for row, label in enumerate(labels.tolist()):
        images[row, 0, 2 * label : 2 * label + 6, 4:24] = 1
    part = Labelled(images, labels)
    torch.manual_seed(0)
    model = build_model("small_cnn")
    loss = build_loss("evidential", epochs=8, kl_weight=0.1)
    history = fit(model, part, part, Recipe(8, 20, 0.003, 0.0), loss=loss, seed=1)
    assert history[-1]["train_loss"] < 0.6 * history[0]["train_loss"]
