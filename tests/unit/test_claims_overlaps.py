"""Overlaps of samples, peaks of turns: cases whose answer is known."""

import numpy as np
import pytest
from scipy import stats

from nn_interpretability.claims.overlaps import distribution_overlap, histogram_overlap
from nn_interpretability.claims.peaks import peak_in_middle, peak_place
from nn_interpretability.errors import ConfigError


@pytest.mark.parametrize("overlap", [lambda a, b: histogram_overlap(a, b, 50), distribution_overlap])
def test_samples_that_are_alike_or_apart(overlap) -> None:
    sample = np.random.default_rng(0).normal(size=(200, 1))
    a, b = np.hstack([sample, sample, np.ones((200, 1))]), np.hstack([sample, sample + 20, np.ones((200, 1))])
    np.testing.assert_allclose(overlap(a, b), [1, 0, 1], atol=1e-12)


def test_a_histogram_counts_what_is_common() -> None:
    a, b = np.array([[0.0], [0.1], [0.2], [1.0]]), np.array([[0.0], [0.9], [0.9], [1.0]])
    # two bins: a has 3 and 1 in them, b 1 and 3
    assert histogram_overlap(a, b, 2).tolist() == [0.5]


def test_histograms_agree_with_those_of_numpy() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(300, 4)), rng.normal(1, 2, size=(300, 4))
    for n, found in enumerate(histogram_overlap(a, b, 50)):
        edges = np.linspace(min(a[:, n].min(), b[:, n].min()), max(a[:, n].max(), b[:, n].max()), 51)
        shares = [np.histogram(x[:, n], edges)[0] / 300 for x in (a, b)]
        assert found == pytest.approx(np.minimum(*shares).sum(), abs=2 / 300)


def test_distances_of_distributions_agree_with_those_of_scipy() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 6, size=(40, 5)).astype(float), rng.integers(1, 8, size=(40, 5)).astype(float)
    expected = [1 - stats.ks_2samp(a[:, n], b[:, n]).statistic for n in range(5)]
    np.testing.assert_allclose(distribution_overlap(a, b), expected, atol=1e-12)


def test_the_overlap_without_bins_survives_a_growing_function() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(100, 3)), rng.normal(0.5, size=(100, 3))
    np.testing.assert_array_equal(distribution_overlap(a, b), distribution_overlap(np.exp(a), np.exp(b)))


def test_where_a_turn_peaks() -> None:
    values = np.array([[0, 1, 2, 9, 2, 1, 0, 0, 0], [9, 1, 2, 3, 4, 3, 2, 1, 0], [0, 0, 0, 0, 0, 7, 7, 0, 0.0]])
    assert peak_in_middle(values).tolist() == [1.0, 0.0, 0.5]
    assert peak_place(values).tolist() == [3, 0, 5]
    assert peak_in_middle(np.ones(9)) == pytest.approx(1 / 3)
    with pytest.raises(ConfigError, match="10 angles"):
        peak_in_middle(np.ones(10))
