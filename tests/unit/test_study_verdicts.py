"""Verdicts: a digit off and a count outside are found, and chance alone is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from nn_interpretability.study.published import Value, load
from nn_interpretability.study.verdicts import NOT_REPRODUCED, REPRODUCED, found, judged


def value(name: str, text: str | None = None) -> Value:
    table, *_ = name.split(".")
    (one,) = (each for each in load()[table].values() if each.name == name)
    return replace(one, text=text or one.text)


@pytest.mark.parametrize(
    ("name", "ours", "verdict"),
    [
        ("fig18_share.first.14", 82.0249, REPRODUCED),
        ("fig18_share.first.14", 82.0251, NOT_REPRODUCED),
        ("fig18_share.first.14", 82.0149, NOT_REPRODUCED),
        ("fig09.row1.1", 1.2, REPRODUCED),
        ("fig09.row1.1", 1.6, NOT_REPRODUCED),
        ("fig18_class.second.49", 7, REPRODUCED),
        ("fig18_class.second.49", 8, NOT_REPRODUCED),
        ("fig01_right.digit.9", 99.94, REPRODUCED),  # 0.01 behind 1000 steps
        ("fig01_right.digit.9", 99.945, NOT_REPRODUCED),
        ("confidence.before.0.9", 0.9476, REPRODUCED),
        ("confidence.before.0.9", 0.9449, NOT_REPRODUCED),
    ],
)
def test_a_digit_off(name: str, ours: float, verdict: str) -> None:
    one = value(name)
    assert judged(one, found(one, {"value": ours})) == verdict


def test_a_half_of_the_last_digit_may_round_either_way() -> None:
    one = value("dropout_off_accuracy.accuracy", "97.95")
    assert judged(one, found(one, {"value": 97.955})) == REPRODUCED
    assert judged(replace(one, text="97.94"), found(one, {"value": 97.955})) == NOT_REPRODUCED


def test_a_count_outside() -> None:
    one = value("fig19_left.class.8")
    result = found(one, {"hits": 38_300, "draws": 100_000})
    assert result.value == pytest.approx(383)
    low, high = stats.binom.ppf([0.0005, 0.9995], 1000, 0.383)
    assert low - 2 <= result.low <= low
    assert high <= result.high <= high + 2  # both sides are random: a little wider than the binomial interval
    for count, verdict in (
        (result.high, REPRODUCED),
        (result.high + 1, NOT_REPRODUCED),
        (result.low - 1, NOT_REPRODUCED),
    ):
        assert judged(replace(one, text=f"{count:.0f}"), result) == verdict


def test_fewer_passes_of_ours_make_a_wider_interval() -> None:
    one = value("fig19_left.class.8")
    wide, narrow = (found(one, {"hits": 4 * n, "draws": 10 * n}) for n in (100, 10_000))
    assert wide.high - wide.low > 1.35 * (narrow.high - narrow.low)


def test_a_class_that_our_passes_never_predict() -> None:
    one = value("fig23.class.3", "0")
    result = found(one, {"hits": 0, "draws": 100_000})
    assert (result.value, result.low) == (0, 0)
    assert result.high <= 1
    assert judged(one, result) == REPRODUCED
    assert judged(replace(one, text="3"), result) == NOT_REPRODUCED


@pytest.mark.parametrize("rate", [0.01, 0.3])
def test_chance_alone_fails_once_in_a_thousand(rate: float) -> None:
    one = value("fig19_left.class.8")
    draw = np.random.default_rng(0)
    outside = 0
    for ours, theirs in zip(draw.binomial(2000, rate, 500), draw.binomial(1000, rate, 500), strict=True):
        result = found(one, {"hits": int(ours), "draws": 2000})
        outside += judged(replace(one, text=str(theirs)), result) == NOT_REPRODUCED
    assert outside <= 4


def test_a_share_of_so_many_pictures() -> None:
    one = value("dropout_one_accuracy.accuracy")
    result = found(one, {"hits": 54_600, "draws": 60_000})
    deviation = 100 * np.sqrt(2 * 0.91 * 0.09 / 60_000)
    assert result.value == pytest.approx(91.0)
    assert result.high - result.low == pytest.approx(2 * 3.29 * deviation, rel=0.02)


def test_a_mean_of_random_draws() -> None:
    one = value("dropout_one_loss.loss")
    result = found(one, {"mean": 0.3, "deviation": 0.9, "draws": 60_000})
    assert result.high - result.value == pytest.approx(3.2905 * 0.9 * np.sqrt(2 / 60_000), rel=1e-4)
    assert judged(one, result) == REPRODUCED
    assert judged(replace(one, text="0.350"), result) == NOT_REPRODUCED


def test_the_quantiles_of_seeds() -> None:
    one = value("fig03_left.digit.7")
    samples = np.random.default_rng(1).permutation(np.arange(100.0)).tolist()
    result = found(one, {"samples": samples})
    assert (result.low, result.value, result.high) == (2.0, 49.5, 97.0)
    few = found(one, {"samples": [3.0, 1.0, 2.0]})
    assert (few.low, few.value, few.high) == (1.0, 2.0, 3.0)
    assert judged(replace(one, text="3.00"), few) == REPRODUCED
    assert judged(replace(one, text="3.01"), few) == NOT_REPRODUCED
