"""Evidential loss and uncertainty: closed forms, a literal twin and its gradient, the published tables."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from nn_interpretability.data.idx import read_idx
from nn_interpretability.data.rotations import rotated
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.methods.lrp import LRP
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import load_weights
from nn_interpretability.uncertainty.evidential import (
    EvidentialLoss,
    divergence_from_uniform,
    evidence_target,
    expected_squared_error,
    opinion,
    uncertainty_target,
)

ONE = torch.tensor([[1.0, 0.0]], dtype=torch.float64)


def alpha(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def random_logits(rows: int = 40, classes: int = 10) -> Tensor:
    return 5 * torch.randn(rows, classes, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def literal_loss(logits: Tensor, labels: Tensor, weight: float) -> Tensor:
    """The formulas as they are printed, image by image and class by class."""
    total = torch.zeros((), dtype=logits.dtype)
    classes = logits.shape[1]
    for row, label in zip(logits, labels.tolist(), strict=True):
        a = [torch.clamp(z, min=0) + 1 for z in row]
        s = sum(a, torch.zeros(()))
        y = [float(k == label) for k in range(classes)]
        for k in range(classes):
            total = total + (y[k] - a[k] / s) ** 2 + a[k] * (s - a[k]) / (s * s * (s + 1))
        b = [y[k] + (1 - y[k]) * a[k] for k in range(classes)]
        t = sum(b, torch.zeros(()))
        kl = torch.lgamma(t) - math.lgamma(classes) - sum(torch.lgamma(x) for x in b)
        kl = kl + sum((x - 1) * (torch.digamma(x) - torch.digamma(t)) for x in b)
        total = total + weight * kl
    return total / len(labels)


def test_no_evidence_for_ten_classes():
    loss = EvidentialLoss()(torch.zeros(1, 10, dtype=torch.float64), torch.tensor([4]))
    assert float(loss) == pytest.approx(0.81 + 9 * 0.01 + 0.9 / 11, abs=1e-14)
    assert float(loss) == pytest.approx(0.9818182, abs=1e-7)
    assert float(divergence_from_uniform(torch.ones(1, 10, dtype=torch.float64))) == pytest.approx(0, abs=1e-13)


def test_two_classes():
    assert float(expected_squared_error(alpha(4, 2), ONE)) == pytest.approx(2 / 7, abs=1e-15)
    assert float(expected_squared_error(alpha(1, 1), ONE)) == pytest.approx(2 / 3, abs=1e-15)
    # the truth's own evidence is not punished: alpha (4, 2) becomes (1, 2)
    assert float(divergence_from_uniform(alpha(1, 2))) == pytest.approx(math.log(2) - 0.5, abs=1e-14)
    loss = EvidentialLoss(kl_weight=0.3)(torch.tensor([[3.0, 1.0]], dtype=torch.float64), torch.tensor([0]))
    assert float(loss) == pytest.approx(2 / 7 + 0.3 * (math.log(2) - 0.5), abs=1e-14)


def test_divergence_is_that_of_torch():
    a = 1 + 9 * torch.rand(20, 7, dtype=torch.float64)
    torch_kl = torch.distributions.kl_divergence(
        torch.distributions.Dirichlet(a), torch.distributions.Dirichlet(torch.ones_like(a))
    )
    torch.testing.assert_close(divergence_from_uniform(a), torch_kl, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_loss_and_gradient_are_those_of_the_printed_formulas(weight: float):
    labels = torch.arange(40) % 10
    ours, theirs = random_logits().requires_grad_(), random_logits().requires_grad_()
    loss, literal = EvidentialLoss(kl_weight=weight)(ours, labels), literal_loss(theirs, labels, weight)
    torch.testing.assert_close(loss, literal, rtol=1e-12, atol=1e-12)
    loss.backward()
    literal.backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("activation", ["softplus", "exp"])
def test_gradient_of_the_other_activations(activation):
    loss = EvidentialLoss(activation=activation)
    labels = torch.arange(6) % 4
    logits = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: loss(z, labels), logits)


def test_penalty_grows_with_the_epochs():
    loss, logits, labels = EvidentialLoss(annealing=10), random_logits(), torch.zeros(40, dtype=torch.int64)
    at = [float(loss(logits, labels, epoch)) for epoch in (0, 5, 10, 11)]
    assert at[0] == float(EvidentialLoss(kl_weight=0)(logits, labels))
    assert at[1] - at[0] == pytest.approx((at[2] - at[0]) / 2, rel=1e-12)
    assert at[2] == at[3] == float(loss(logits, labels))


@pytest.mark.parametrize("activation", ["relu", "softplus", "exp"])
def test_belief_and_uncertainty_sum_to_one(activation):
    said = opinion(random_logits(), activation)
    torch.testing.assert_close(said.uncertainty + said.belief.sum(1), torch.ones(40, dtype=torch.float64))
    torch.testing.assert_close(said.probabilities.sum(1), torch.ones(40, dtype=torch.float64))
    assert float(said.uncertainty.min()) > 0
    assert float(said.uncertainty.max()) <= 1
    assert float(said.belief.min()) >= 0


def test_without_evidence_a_network_abstains_and_no_map_is_wrong():
    logits = torch.tensor([[-1.0, -3.0, 0.0], [2.0, -1.0, 1.0]])
    said = opinion(logits)
    assert said.uncertainty.tolist() == [1.0, 0.5]
    assert said.abstains.tolist() == [True, False]
    assert said.predicted.tolist() == [-1, 0]
    assert said.probabilities[0].tolist() == pytest.approx([1 / 3] * 3)
    assert not opinion(logits, "softplus").abstains.any()


def test_explained_evidence_is_the_logit_where_it_is_positive_and_nothing_elsewhere():
    torch.manual_seed(0)
    model = build_model("small_cnn").double()
    images = torch.rand(4, 1, 28, 28, dtype=torch.float64)
    with torch.no_grad():
        model.classifier.fc2.bias[3] -= model(images)[:, 3].mean()  # so that some are positive and some are not
        logits = model(images)
    assert 0 < int((logits[:, 3] > 0).sum()) < 4
    lrp = LRP(model, rule="epsilon", epsilon=0.01)
    evidence, logit = lrp.interpret(images, evidence_target(3)), lrp.interpret(images, 3)
    positive = (logits[:, 3] > 0)[:, None, None, None]
    torch.testing.assert_close(evidence.values, torch.where(positive, logit.values, 0 * logit.values))
    torch.testing.assert_close(evidence.score, logits[:, 3].clamp(min=0))


def test_explained_uncertainty_is_complete_and_zero_where_nothing_is_known():
    torch.manual_seed(0)
    model = build_model("bias_free_cnn").double()
    images = torch.rand(3, 1, 28, 28, dtype=torch.float64)
    result = LRP(model, rule="0").interpret(images, uncertainty_target())
    u = opinion(model(images)).uncertainty
    # from no evidence (u = 1 at zero logits) to u
    torch.testing.assert_close(result.values.sum((1, 2, 3)), u - 1, rtol=1e-6, atol=1e-8)
    with torch.no_grad():
        model.classifier.fc2.weight[:] = -model.classifier.fc2.weight.abs()
    nothing = LRP(model, rule="0").interpret(images, uncertainty_target())
    assert bool((nothing.values == 0).all())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kl_weight": -1}, "kl_weight=-1 is not allowed: give a number of 0 or more"),
        ({"kl_weight": math.nan}, "kl_weight=nan"),
        ({"annealing": 0}, "annealing=0 is not allowed: give a number of epochs above 0"),
        ({"activation": "tanh"}, "activation='tanh' is not allowed: choose one of relu, softplus, exp"),
    ],
)
def test_bad_parameters_are_named(arguments, words):
    with pytest.raises(ConfigError, match=words):
        EvidentialLoss(**arguments)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (torch.tensor([0, 10]), "from 0 to 9; they are from 0 to 10"),
        (torch.tensor([-1, 0]), "from 0 to 9; they are from -1 to 0"),
        (torch.tensor([0.0, 1.0]), "2 whole numbers"),
        (torch.tensor([0]), "2 whole numbers"),
    ],
)
def test_bad_labels_are_named(labels, words):
    with pytest.raises(DataError, match=words):
        EvidentialLoss()(torch.zeros(2, 10), labels)


def test_bad_logits_are_named():
    with pytest.raises(DataError, match=r"shape \(images, classes\), 2 classes or more, not \(3,\)"):
        opinion(torch.zeros(3))
    with pytest.raises(DataError, match="not finite"):
        opinion(torch.full((1, 2), 1000.0), "exp")
    with pytest.raises(DataError, match="not finite"):
        opinion(torch.full((1, 2), math.nan))


# What the study printed for the first 1 of the training pictures, turned clockwise, with its own weights: class and
# probability in %, probability of the next class, uncertainty in %; class of the largest logit of the evidential
# network and of the ordinary one.
PUBLISHED = {
    0: (1, 78.29, 2.41, 24.1, 1, 1),
    -6: (1, 73.87, 2.90, 29.0, 1, 1),
    -12: (1, 59.70, 4.48, 44.8, 1, 1),
    -18: (1, 12.20, 9.76, 97.6, 1, 8),
    -24: (None, 10.00, 10.00, 100.0, 8, 8),
    -30: (None, 10.00, 10.00, 100.0, 2, 2),
    -36: (None, 10.00, 10.00, 100.0, 2, 2),
    -42: (None, 10.00, 10.00, 100.0, 4, 2),
    -48: (4, 45.18, 6.09, 60.9, 4, 2),
    -54: (4, 61.42, 4.29, 42.9, 4, 2),
}


def test_published_table_of_the_evidential_network(study_data: Path):
    turned = turned_one(study_data, list(PUBLISHED))
    evidential = load_weights(build_model("small_cnn"), study_data / "study2020" / "evidential_cnn.pt").eval()
    ordinary = load_weights(build_model("small_cnn"), study_data / "study2020" / "model_cnn.pt").eval()
    with torch.no_grad():
        logits, others = evidential(turned), ordinary(turned)
    said = opinion(logits)
    top = said.probabilities.topk(2).values
    for row, (first, p, q, u, seen, seen_by_other) in enumerate(PUBLISHED.values()):
        assert int(said.predicted[row]) == (-1 if first is None else first)
        assert [f"{100 * float(value):.2f}" for value in top[row]] == [f"{p:.2f}", f"{q:.2f}"]
        assert f"{100 * float(said.uncertainty[row]):.1f}" == f"{u:.1f}"
        assert (int(logits[row].argmax()), int(others[row].argmax())) == (seen, seen_by_other)
    assert said.abstains.tolist() == [case[0] is None for case in PUBLISHED.values()]


# The same digit and the dropout network without dropout: the two largest probabilities in %.
PUBLISHED_DROPOUT = {
    0: (1, 100.00, 2, 0.00),
    -7: (1, 100.00, 4, 0.00),
    -14: (1, 82.02, 8, 9.45),
    -21: (8, 52.52, 2, 26.74),
    -28: (8, 54.23, 2, 31.07),
    -35: (8, 52.82, 2, 44.35),
    -42: (2, 71.26, 8, 22.26),
    -49: (2, 62.36, 7, 24.23),
    -56: (2, 65.28, 7, 18.92),
}


def test_published_table_of_the_dropout_network(study_data: Path):
    model = load_weights(build_model("dropout_cnn"), study_data / "study2020" / "mc_dropout_cnn.pt").eval()
    with torch.no_grad():
        probabilities = model(turned_one(study_data, list(PUBLISHED_DROPOUT))).softmax(1)
    values, classes = probabilities.topk(2)
    for row, (first, p, second, q) in enumerate(PUBLISHED_DROPOUT.values()):
        assert classes[row].tolist() == [first, second]
        assert [f"{100 * float(value):.2f}" for value in values[row]] == [f"{p:.2f}", f"{q:.2f}"]


def turned_one(study_data: Path, angles: list[float]) -> Tensor:
    file = study_data / "MNIST" / "raw" / "train-images-idx3-ubyte"
    one = read_idx(file.read_bytes(), name="images", item_shape=(28, 28))[3].astype(np.float32) / 255
    return torch.from_numpy(rotated(one, angles, clip=False)[:, None])


def test_deep_taylor_is_blue_exactly_where_the_published_network_knows_nothing(study_data: Path):
    turned = turned_one(study_data, list(PUBLISHED)).clamp(0, 1)
    model = load_weights(build_model("small_cnn"), study_data / "study2020" / "evidential_cnn.pt").double().eval()
    settings = {"rule": "alpha_beta", "alpha": 1, "beta": 0, "input_rule": "z_box", "input_bounds": [0, 1]}
    found = LRP(model, **settings).interpret(turned.double())
    nothing = opinion(found.logits).abstains
    assert nothing.tolist() == [case[0] is None for case in PUBLISHED.values()]
    assert torch.equal(found.values.sum((1, 2, 3)) < 0, nothing)
    # each map has one sign, so that colour says no more than the sign of the logit
    assert bool((found.values * found.score[:, None, None, None] >= -1e-12).all())
    evidence = LRP(model, **settings).interpret(turned.double(), evidence_target())
    assert torch.equal((evidence.values == 0).all(3).all(2).all(1), nothing)
