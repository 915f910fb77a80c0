"""Areas under the receiver operating characteristic: by hand, against scikit-learn, and their bootstrap intervals."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.uncertainty.auroc import area, auroc


def test_the_area_counts_pairs():
    generator = np.random.default_rng(0)
    one, other = generator.integers(0, 9, 40).astype(float), generator.integers(3, 12, 30).astype(float)
    pairs = [1.0 if b > a else 0.5 if a == b else 0.0 for a in one for b in other]
    together, asked = np.concatenate([one, other]), np.arange(70) >= 40
    assert area(together, asked) == pytest.approx(sum(pairs) / len(pairs), rel=1e-14)
    assert area(together.reshape(7, 10), asked.reshape(7, 10)) == area(together, asked)
    assert area([0.0, 0.0, 1.0], [False, False, True]) == 1
    assert area([1, 2], [True, True]) is None
    with pytest.raises(DataError, match="not finite"):
        area([0.1, np.nan], [False, True])


def test_areas_by_hand():
    scores = np.array([0.1, 0.2, 0.3, 0.3])
    asked = np.array([False, False, True, False])
    found, other = auroc(scores, asked, seed=0), auroc(scores, ~asked, seed=0)
    assert found is not None
    assert other is not None
    assert found.value == pytest.approx((1 + 1 + 0.5) / 3, rel=1e-15)
    assert other.value == pytest.approx(1 - 2.5 / 3, rel=1e-15)
    assert auroc(scores, np.ones(4, dtype=bool), seed=0) is None
    assert auroc(scores, np.zeros(4, dtype=bool), seed=0) is None


@pytest.mark.parametrize("decimals", [1, 16])
def test_areas_are_those_of_scikit_learn_with_and_without_ties(decimals: int):
    rng = np.random.default_rng(1)
    scores, asked = rng.random(500).round(decimals), rng.random(500) < 0.2
    found = auroc(scores, asked, seed=0)
    assert found is not None
    assert found.value == pytest.approx(roc_auc_score(asked, scores), rel=1e-14)


def test_a_perfect_order_has_no_doubt_and_equal_scores_tell_nothing():
    asked = np.arange(20) >= 12
    perfect, nothing = auroc(np.arange(20), asked, seed=0), auroc(np.zeros(20), asked, seed=0)
    assert perfect is not None
    assert nothing is not None
    assert (perfect.value, perfect.low, perfect.high) == (1, 1, 1)
    assert (nothing.value, nothing.low, nothing.high) == (0.5, 0.5, 0.5)


def test_the_interval_is_that_of_a_literal_bootstrap():
    rng = np.random.default_rng(2)
    asked = np.arange(120) < 40
    scores = np.where(asked, rng.normal(1, 1, 120), rng.normal(0, 1, 120)).round(1)
    literal = []
    for _ in range(4000):
        chosen = np.concatenate([rng.choice(np.flatnonzero(group), group.sum()) for group in (asked, ~asked)])
        ours, others = scores[chosen][:40], scores[chosen][40:]
        literal.append((ours[:, None] > others).mean() + (ours[:, None] == others).mean() / 2)
    found = auroc(scores, asked, seed=3, resamples=20000)
    assert found is not None
    np.testing.assert_allclose([found.low, found.high], np.quantile(literal, [0.025, 0.975]), atol=0.006)


def test_nineteen_of_twenty_intervals_hold_the_area_of_two_normal_distributions():
    # scores N(1, 1) against N(0, 1): the area is Phi(1 / sqrt 2)
    truth = 0.5 * (1 + math.erf(0.5))
    rng, asked = np.random.default_rng(4), np.arange(300) < 100
    held = 0
    for trial in range(400):
        found = auroc(rng.normal(size=300) + asked, asked, seed=trial, resamples=400)
        assert found is not None
        held += found.low <= truth <= found.high
    assert 0.91 < held / 400 < 0.98


def test_the_seed_decides_and_blocks_do_not(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(5)
    scores, asked = rng.random(200), rng.random(200) < 0.5
    found = auroc(scores, asked, seed=1)
    assert auroc(scores, asked, seed=1) == found
    assert auroc(scores, asked, seed=2) != found
    assert auroc(np.exp(scores), asked, seed=1) == found  # only the order of the scores counts
    monkeypatch.setattr("nn_interpretability.uncertainty.auroc._CELLS", 1000)
    assert auroc(scores, asked, seed=1) == found


@pytest.mark.parametrize(
    ("scores", "asked", "options", "words"),
    [
        ([0.1, 0.2], [True], {}, r"scores of shape \(2,\) for pictures of shape \(1,\)"),
        ([0.1, float("nan")], [True, False], {}, "not finite"),
        ([0.1, 0.2], [True, False], {"resamples": 1}, "resamples=1"),
        ([0.1, 0.2], [True, False], {"level": 1.0}, "level=1.0"),
    ],
)
def test_what_is_not_allowed_is_said(scores: list[float], asked: list[bool], options: dict[str, float], words: str):
    with pytest.raises(DataError if not options else ConfigError, match=words):
        auroc(scores, asked, seed=0, **options)


def test_no_torch_is_needed():
    program = "import sys; import nn_interpretability.uncertainty.auroc; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
