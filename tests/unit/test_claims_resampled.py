"""Bootstrap distributions of ratios and rank correlations against literal twins."""

import numpy as np
import pytest
from scipy import stats

from nn_interpretability.claims.resampled import (
    auroc_estimate,
    difference,
    ratio_estimate,
    spearman_estimate,
    weighted_ranks,
)
from nn_interpretability.claims.statistics import mean_estimate, resampling_counts
from nn_interpretability.uncertainty.auroc import area


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    return float(stats.spearmanr(a, b).statistic)


def test_weighted_ranks_are_those_of_repeated_values() -> None:
    values, weights = np.array([3.0, 1.0, 3.0, 2.0]), np.array([[2.0, 1, 1, 0], [1, 1, 1, 1]])
    found = weighted_ranks(values, weights)
    repeated = stats.rankdata([3, 3, 1, 3])
    assert found[0, [0, 1, 2]].tolist() == [repeated[0], repeated[2], repeated[3]]
    assert found[1].tolist() == stats.rankdata(values).tolist()


def test_rank_correlations_of_resampled_samples() -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(0, 5, size=(2, 12, 3)).astype(float)
    b = a + rng.normal(size=a.shape).round(1)
    counted = rng.random(a.shape) < 0.8
    found = spearman_estimate(a, b, counted, draws=40)
    rows, columns = resampling_counts((2, 12), 0, 40)
    each = [spearman(a[s][counted[s]], b[s][counted[s]]) for s in range(2)]
    assert found.value == pytest.approx(np.mean(each))
    for d in range(40):
        twin = 0.0
        for s in range(2):
            chosen = np.repeat(np.arange(12), columns[d].astype(int))
            inside = counted[s, chosen]
            twin += rows[d, s] / 2 * spearman(a[s, chosen][inside], b[s, chosen][inside])
        assert found.draws[d] == pytest.approx(twin, abs=1e-12)


def test_a_constant_has_no_rank_correlation() -> None:
    found = spearman_estimate(np.ones((1, 5, 2)), np.arange(10.0).reshape(1, 5, 2), draws=20)
    assert found.value == 0
    assert not found.draws.any()
    none = spearman_estimate(np.arange(10.0).reshape(1, 5, 2), np.arange(10.0).reshape(1, 5, 2), np.zeros((1, 5, 2)))
    assert none.value == 0


def test_ratios_are_means_over_what_counts() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(2, 1, size=(2, 30))
    whole = ratio_estimate(values, np.ones_like(values))
    np.testing.assert_allclose(whole.draws, mean_estimate(values, draws=len(whole.draws)).draws)
    counted = rng.random(values.shape) < 0.5
    some = ratio_estimate(values * counted, counted)
    assert some.value == pytest.approx(values[counted].mean())
    assert some.interval[0] < some.value < some.interval[1]


def test_a_ratio_of_nothing_is_zero() -> None:
    assert ratio_estimate([[0.0, 0.0]], [[0.0, 0.0]]).value == 0
    assert np.isfinite(ratio_estimate([[0.0, 1.0]], [[0.0, 1.0]]).draws).all()


def test_aurocs_of_resampled_samples() -> None:
    rng = np.random.default_rng(2)
    positive = rng.random((2, 15, 2)) < 0.4
    scores = rng.integers(0, 4, size=positive.shape) + positive
    found = auroc_estimate(scores, positive, draws=30)
    rows, columns = resampling_counts((2, 15), 0, 30)
    assert found.value == pytest.approx(np.mean([area(scores[s], positive[s]) for s in range(2)]))
    for d in range(30):
        chosen = np.repeat(np.arange(15), columns[d].astype(int))
        twin = [area(scores[s, chosen], positive[s, chosen]) for s in range(2)]
        assert found.draws[d] == pytest.approx(sum(rows[d, s] / 2 * twin[s] for s in range(2)), abs=1e-12)


def test_without_positives_there_is_no_telling() -> None:
    found = auroc_estimate(np.arange(6.0).reshape(1, 3, 2), np.zeros((1, 3, 2)), draws=10)
    assert found.value == 0.5
    assert (found.draws == 0.5).all()


def test_differences_are_of_the_same_samples() -> None:
    values = np.random.default_rng(3).normal(size=(2, 20))
    less = difference(mean_estimate(values + 1), mean_estimate(values))
    assert less.value == pytest.approx(1)
    np.testing.assert_allclose(less.draws, 1)
