"""Splits are stratified, seeded, disjoint, and keep the pictures to explain in the training part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn_interpretability.data.splits import first_of_class, limited, split_training, stratified_sample
from nn_interpretability.errors import ConfigError

LABELS = np.random.default_rng(5).permutation(np.repeat(np.arange(10), 40 + 5 * np.arange(10)))


def test_first_of_class_by_hand():
    assert first_of_class(np.array([2, 0, 2, 1, 0])).tolist() == [1, 3, 0]


def test_largest_remainders_by_hand():
    # 7 rows, 4 wanted: shares 1.71, 1.71 and 0.57, so 1, 1, 0 and the two missing ones to the first two classes
    labels = np.array([0, 0, 0, 1, 1, 1, 2])
    rows = stratified_sample(labels, 4, (0,))
    assert np.bincount(labels[rows], minlength=3).tolist() == [2, 2, 0]


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=6), data=st.data(), seed=st.integers(0, 2**64))
def test_shares_are_kept_to_within_one_row(sizes: list[int], data: st.DataObject, seed: int):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    count = data.draw(st.integers(0, len(labels)))
    rows = stratified_sample(labels, count, (seed,))
    assert len(rows) == len(set(rows.tolist())) == count
    assert (np.diff(rows) > 0).all()
    chosen = np.bincount(labels[rows], minlength=len(sizes))
    assert (np.abs(chosen - count * np.array(sizes) / len(labels)) < 1).all()


def test_rows_to_include_come_first():
    include = np.flatnonzero(LABELS == 3)[-5:]
    rows = stratified_sample(LABELS, 100, (1,), include=include)
    assert set(include) <= set(rows)
    assert len(rows) == 100


def test_choice_is_seeded_and_stays_the_same_for_ever():
    labels = np.arange(200) % 10
    assert stratified_sample(labels, 12, (2020, 1)).tolist() == [20, 27, 34, 35, 36, 40, 51, 58, 101, 119, 133, 142]
    assert stratified_sample(labels, 12, (2021, 1)).tolist() != stratified_sample(labels, 12, (2020, 1)).tolist()


def test_every_row_is_chosen_equally_often():
    counts = np.zeros(60)
    labels = np.repeat(np.arange(3), 20)
    for seed in range(600):
        counts[stratified_sample(labels, 15, (seed,))] += 1
    # binomial with n = 600, p = 1/4: standard deviation 10.6
    assert np.abs(counts - 150).max() < 4.5 * 10.6


def test_split_is_a_partition_and_keeps_the_probes_in_training():
    split = split_training(LABELS, validation_share=0.1, limit=None, seed=7)
    assert len(split.validation) == round(0.1 * len(LABELS))
    np.testing.assert_array_equal(np.sort(np.concatenate([split.train, split.validation])), np.arange(len(LABELS)))
    assert set(first_of_class(LABELS)) <= set(split.train)
    share = np.bincount(LABELS[split.validation]) / np.bincount(LABELS)
    assert (np.abs(share - 0.1) < 0.02).all()


def test_probes_are_never_in_validation_for_any_seed():
    small = LABELS[:60]
    probes = set(first_of_class(small))
    for seed in range(50):
        assert not probes & set(split_training(small, validation_share=0.5, limit=None, seed=seed).validation)


def test_limit_counts_both_parts():
    split = split_training(LABELS, validation_share=0.2, limit=100, seed=7)
    assert (len(split.train), len(split.validation)) == (80, 20)
    assert set(first_of_class(LABELS)) <= set(split.train)
    assert not set(split.train) & set(split.validation)


def test_limit_above_the_number_of_rows_changes_nothing():
    one = split_training(LABELS, validation_share=0.1, limit=None, seed=7)
    other = split_training(LABELS, validation_share=0.1, limit=10**9, seed=7)
    np.testing.assert_array_equal(one.train, other.train)


@pytest.mark.parametrize("share", [0, -0.1, 0.51, float("nan")])
def test_share_out_of_range(share: float):
    with pytest.raises(ConfigError, match=r"data\.validation_share is .*above 0"):
        split_training(LABELS, validation_share=share, limit=None, seed=0)


@pytest.mark.parametrize("limit", [1, 10])
def test_limit_that_leaves_a_part_empty(limit: int):
    with pytest.raises(ConfigError, match=rf"data\.train_limit is {limit}: .*100 or more"):
        split_training(LABELS, validation_share=0.1, limit=limit, seed=0)


def test_test_limit():
    assert len(limited(LABELS, None, 0)) == len(LABELS)
    assert np.bincount(LABELS[limited(LABELS, 62, 0)]).min() > 0
    with pytest.raises(ConfigError, match=r"data\.test_limit is 9"):
        limited(LABELS, 9, 0)
