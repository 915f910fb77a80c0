"""Intervals, corrections and verdicts against known answers."""

import numpy as np
import pytest
import torch
from scipy import stats

from nn_interpretability.claims.finding import Finding, above, below, equivalent, fact, identity
from nn_interpretability.claims.ranks import partial_rank_correlations, rank_correlations
from nn_interpretability.claims.rules import NOT_SUPPORTED, SUPPORTED, UNDECIDED
from nn_interpretability.claims.samples import stratified
from nn_interpretability.claims.statistics import (
    Estimate,
    estimate,
    holm,
    mean_estimate,
)
from nn_interpretability.claims.verdict import verdicts


def test_the_interval_of_a_mean_is_that_of_the_normal_approximation() -> None:
    values = np.random.default_rng(0).normal(3, 2, 400)
    found = mean_estimate(values)
    half = 1.96 * values.std() / np.sqrt(400)
    assert found.value == pytest.approx(values.mean())
    assert found.interval == pytest.approx((values.mean() - half, values.mean() + half), abs=0.05 * half)


def test_a_difference_between_seeds_widens_the_interval() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, (5, 200))
    between = np.asarray([-1, -0.5, 0, 0.5, 1])[:, None]
    width = [np.diff(mean_estimate(values).interval)[0] for values in (noise, noise + between)]
    assert width[1] > 10 * width[0]


def test_any_statistic_of_the_mean_agrees_with_the_mean() -> None:
    values = np.random.default_rng(1).normal(0, 1, (3, 80))
    both = mean_estimate(values, seed=1).interval, estimate(values, lambda rows: float(rows.mean()), seed=2).interval
    assert both[0] == pytest.approx(both[1], abs=0.02)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_rank_correlations_agree_with_scipy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, 40).astype(float), rng.normal(size=40)
    first, second = torch.tensor(a)[None], torch.tensor(b)[None]
    assert float(rank_correlations(first, second)) == pytest.approx(stats.spearmanr(a, b).statistic)
    assert float(rank_correlations(first, torch.ones(1, 40))) == 0


def test_partial_correlation_is_that_of_the_residuals() -> None:
    rng = np.random.default_rng(0)
    given = rng.normal(size=60)
    a, b = given + rng.normal(size=60), given + rng.normal(size=60)
    ranks = [stats.rankdata(x) for x in (a, b, given)]
    residuals = [r - np.polyval(np.polyfit(ranks[2], r, 1), ranks[2]) for r in ranks[:2]]
    expected = np.corrcoef(residuals)[0, 1]
    rows = [torch.tensor(x)[None] for x in (a, b, given)]
    assert float(partial_rank_correlations(*rows)) == pytest.approx(expected)
    assert float(partial_rank_correlations(rows[0], rows[2], rows[2])) == 0


def test_pictures_are_taken_in_turn_of_their_classes() -> None:
    labels = np.asarray([0, 0, 0, 1, 2, 1, 0, 2])
    assert stratified(labels, 6).tolist() == [0, 1, 3, 4, 5, 7]
    assert stratified(labels, 100).tolist() == list(range(8))


def sure(value: float) -> Estimate:
    return Estimate(value, np.full(4000, value) + np.linspace(-0.01, 0.01, 4000))


def verdict(*conditions: object, kind: str = "sampled") -> str:
    return verdicts({"x": (kind, Finding(list(conditions), images=1, seeds=1))})["x"].word  # type: ignore[arg-type]


def test_all_conditions_must_hold_and_one_that_fails_is_enough() -> None:
    holds, fails, open_ = sure(1), sure(-1), Estimate(0.1, np.random.default_rng(0).normal(0.1, 1, 4000))
    assert verdict(above("a", holds, 0), above("b", holds, 0)) == SUPPORTED
    assert verdict(above("a", holds, 0), above("b", fails, 0)) == NOT_SUPPORTED
    assert verdict(above("a", holds, 0), above("b", open_, 0)) == UNDECIDED
    assert verdict(below("a", fails, 0)) == SUPPORTED
    assert verdict(*equivalent("a", sure(0.001), 0.05)) == SUPPORTED
    assert verdict(*equivalent("a", sure(0.2), 0.05)) == NOT_SUPPORTED


def test_many_assertions_need_more_evidence() -> None:
    weak = Estimate(1, np.concatenate([np.full(40, -1.0), np.full(3960, 1.0)]))  # p = 0.0102
    family = {f"c{n}": ("sampled", Finding([above("a", weak, 0)], images=1, seeds=1)) for n in range(30)}
    assert verdicts({"c0": family["c0"]})["c0"].word == SUPPORTED
    assert {each.word for each in verdicts(family).values()} == {UNDECIDED}


def test_an_identity_holds_or_does_not() -> None:
    assert verdict(identity("a", 1e-13, 1e-10), kind="identity") == SUPPORTED
    assert verdict(identity("a", 1e-9, 1e-10), kind="identity") == NOT_SUPPORTED
    assert verdict(fact("a", 3, 2, "above"), kind="identity") == SUPPORTED
