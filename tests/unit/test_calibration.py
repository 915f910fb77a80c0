"""Negative log-likelihood and calibration error: closed forms, and a literal twin."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nn_interpretability.training.card import evaluation
from nn_interpretability.uncertainty.calibration import (
    brier,
    expected_calibration_error,
    nll,
    reliability,
)


def literal_ece(logits: Tensor, labels: Tensor, bins: int) -> float:
    """The definition, row by row and bin by bin."""
    probabilities = torch.softmax(logits.double(), 1)
    confidence = [float(row.max()) for row in probabilities]
    correct = [float(int(row.argmax()) == int(label)) for row, label in zip(probabilities, labels, strict=True)]
    total = 0.0
    for b in range(bins):
        low, high = b / bins, (b + 1) / bins
        rows = [i for i, c in enumerate(confidence) if low < c <= high]
        if rows:
            accuracy = sum(correct[i] for i in rows) / len(rows)
            mean_confidence = sum(confidence[i] for i in rows) / len(rows)
            total += len(rows) / len(labels) * abs(accuracy - mean_confidence)
    return total


def logits_with(confidences: list[float]) -> Tensor:
    """Two classes, class 0 with these probabilities."""
    p = torch.tensor(confidences, dtype=torch.float64)
    return torch.stack([p.log(), (1 - p).log()], 1)


def test_uniform_prediction():
    logits = torch.zeros(20, 10)
    labels = torch.arange(20) % 10
    assert nll(logits, labels) == pytest.approx(math.log(10), abs=1e-14)
    # confidence .1 in all rows, and the first class is right in 2 of 20
    assert expected_calibration_error(logits, labels) == pytest.approx(0, abs=1e-15)
    assert expected_calibration_error(logits, torch.zeros(20, dtype=torch.int64)) == pytest.approx(0.9, abs=1e-15)


def test_two_bins_by_hand():
    # bin (.5, 1]: .9 right, .7 wrong: |1 - 1.6| = .6; bin (0, .5]: .5 right: .5; over 3 rows
    logits = logits_with([0.9, 0.7, 0.5])
    labels = torch.tensor([0, 1, 0])
    assert expected_calibration_error(logits, labels, bins=2) == pytest.approx((0.6 + 0.5) / 3, abs=1e-15)
    assert nll(logits, labels) == pytest.approx(-(math.log(0.9) + math.log(0.3) + math.log(0.5)) / 3, abs=1e-15)


def test_an_edge_belongs_to_the_bin_below_it():
    logits = torch.tensor([[0.0, 0.0], [math.log(9), 0.0]], dtype=torch.float64)  # confidence exactly .5, and .9
    labels = torch.tensor([1, 0])
    separate = (abs(0 - 0.5) + abs(1 - 0.9)) / 2
    together = abs(1 - 1.4) / 2
    assert expected_calibration_error(logits, labels, bins=2) == pytest.approx(separate, abs=1e-12)
    assert expected_calibration_error(logits, labels, bins=1) == pytest.approx(together, abs=1e-12)


def test_certain_and_right_or_wrong():
    logits = torch.tensor([[1000.0, 0.0], [1000.0, 0.0]])
    assert expected_calibration_error(logits, torch.tensor([0, 0])) == 0
    assert expected_calibration_error(logits, torch.tensor([1, 1])) == 1
    assert nll(logits, torch.tensor([0, 1])) == 500


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 60), k=st.integers(2, 11), bins=st.integers(1, 20))
def test_agrees_with_the_definition(seed: int, n: int, k: int, bins: int):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, k, generator=generator)
    labels = torch.randint(k, (n,), generator=generator)
    found = expected_calibration_error(logits, labels, bins)
    assert found == pytest.approx(literal_ece(logits, labels, bins), abs=1e-13)
    assert 0 <= found <= 1
    literal = -sum(float(torch.log_softmax(logits.double(), 1)[i, labels[i]]) for i in range(n)) / n
    assert nll(logits, labels) == pytest.approx(literal, rel=1e-12)


def test_neither_adding_a_constant_nor_the_order_of_rows_matters():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(50, 10, generator=generator).double()
    labels = torch.randint(10, (50,), generator=generator)
    order = torch.randperm(50, generator=generator)
    for measure in (nll, expected_calibration_error):
        assert measure(logits + 7, labels) == pytest.approx(measure(logits, labels), abs=1e-13)
        assert measure(logits[order], labels[order]) == pytest.approx(measure(logits, labels), abs=1e-13)


@pytest.mark.parametrize("measure", [nll, expected_calibration_error])
@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        (torch.zeros(3), torch.tensor([0]), r"shape \(n, classes\)"),
        (torch.zeros(3, 2), torch.tensor([0, 1]), r"not \(3, 2\) and \(2,\)"),
        (torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64), "n > 0"),
        (torch.zeros(2, 2), torch.tensor([0, 2]), "whole numbers from 0 to 1"),
        (torch.zeros(2, 2), torch.tensor([0, -1]), "whole numbers from 0 to 1"),
        (torch.zeros(2, 2), torch.tensor([0.0, 1.0]), "whole numbers from 0 to 1"),
        (torch.tensor([[0.0, float("nan")]]), torch.tensor([0]), "NaN or infinite"),
        (torch.tensor([[0.0, float("inf")]]), torch.tensor([0]), "NaN or infinite"),
    ],
)
def test_refusals(measure, logits: Tensor, labels: Tensor, words: str):
    with pytest.raises(ValueError, match=words):
        measure(logits, labels)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16, torch.uint8])
def test_labels_are_integers_of_any_type(dtype: torch.dtype):
    logits, labels = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [0.0, 3.0, 1.0]]), torch.tensor([0, 1, 2])
    for measure in (nll, brier, expected_calibration_error):
        assert measure(logits, labels.to(dtype)) == measure(logits, labels)


def test_no_bins():
    with pytest.raises(ValueError, match="bins is 0"):
        expected_calibration_error(torch.zeros(2, 2), torch.tensor([0, 1]), bins=0)


def test_evaluation_by_hand():
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [0.0, 3.0, 1.0], [5.0, 0.0, 0.0]])
    labels = torch.tensor([0, 1, 2, 2])
    found = evaluation(logits, labels)
    assert found["accuracy"] == 0.5
    assert found["n"] == 4
    assert found["per_class"] == {
        "0": {"accuracy": 1.0, "n": 1},
        "1": {"accuracy": 1.0, "n": 1},
        "2": {"accuracy": 0.0, "n": 2},
    }
    assert found["nll"] == nll(logits, labels)
    assert found["ece"] == expected_calibration_error(logits, labels)


def test_reliability_has_the_accuracy_of_each_bin():
    # (0, .5]: .5 right; (.5, 1]: .9 right, .7 wrong, 1 right
    table = reliability(logits_with([0.9, 0.7, 0.5, 1 - 1e-16]), torch.tensor([0, 1, 0, 0]), bins=2)
    assert table.count.tolist() == [1, 3]
    assert table.accuracy.tolist() == pytest.approx([1, 2 / 3])
    assert table.confidence.tolist() == pytest.approx([0.5, 2.6 / 3])
    assert table.largest_error == pytest.approx(0.5)
    assert table.expected_error == pytest.approx((0.5 + 3 * 0.2) / 4)


def test_empty_bins_have_no_error():
    table = reliability(logits_with([0.99, 0.98]), torch.tensor([0, 0]), bins=10)
    assert table.count.tolist() == [0] * 9 + [2]
    assert table.accuracy[:9].tolist() == table.confidence[:9].tolist() == [0] * 9
    assert table.largest_error == pytest.approx(0.015)


def test_brier_score_by_hand():
    assert brier(logits_with([0.8]), torch.tensor([0])) == pytest.approx(2 * 0.04)
    assert brier(torch.zeros(4, 10), torch.arange(4)) == pytest.approx(0.81 + 9 * 0.01)
    assert brier(torch.tensor([[50.0, -50.0]]), torch.tensor([1])) == pytest.approx(2)
