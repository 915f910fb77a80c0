"""The limits of colour scales: a few runaway values, or one large method, must not decide them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn_interpretability.plotting.scale import share_beyond, symmetric_limit

LINE = np.linspace(-1, 1, 2001)  # the quantile q of |x| is q


def test_one_method_uses_the_quantile_of_its_absolute_values() -> None:
    assert symmetric_limit([LINE], quantile=0.9) == pytest.approx(0.9)
    assert symmetric_limit([-np.abs(LINE)], quantile=0.9) == pytest.approx(0.9)


def test_runaway_values_do_not_set_the_limit() -> None:
    runaway = LINE.copy()
    runaway[:5] = 1e9

    assert symmetric_limit([runaway]) == pytest.approx(0.995, abs=2e-3)


def test_one_huge_method_among_three_does_not_set_the_limit() -> None:
    assert symmetric_limit([LINE, 1e8 * LINE, 2 * LINE], quantile=0.5) == pytest.approx(2 * 0.5)


def test_between_two_methods_it_is_the_geometric_mean() -> None:
    assert symmetric_limit([LINE, 100 * LINE], quantile=1.0) == pytest.approx(10.0)


def test_maps_of_zeros_leave_the_limit_to_the_others() -> None:
    sparse = np.zeros(1000)
    sparse[3] = -0.25

    assert symmetric_limit([np.zeros(7), LINE], quantile=1.0) == pytest.approx(1.0)
    assert symmetric_limit([sparse]) == 0.25
    assert symmetric_limit([np.zeros(7)]) == 1.0


@pytest.mark.parametrize("bad", [[], [np.array([])], [np.array([1.0, np.nan])], [np.array([np.inf])]])
def test_bad_maps_are_refused(bad: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="colour scale"):
        symmetric_limit(bad)


@given(st.floats(1e-3, 1e3), st.integers(0, 2**32 - 1))
def test_the_limit_scales_with_the_maps_and_ignores_signs(factor: float, seed: int) -> None:
    maps = list(np.random.default_rng(seed).normal(size=(3, 50)))
    limit = symmetric_limit(maps)

    assert symmetric_limit([-factor * values for values in maps]) == pytest.approx(factor * limit)


def test_share_beyond_counts_what_is_strictly_larger() -> None:
    assert share_beyond(np.array([0.0, -2.0, 1.0, 3.0]), 1.0) == 0.5
