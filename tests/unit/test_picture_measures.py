"""Grain, seams and brightness of pictures whose values are known."""

from __future__ import annotations

import numpy as np
import pytest

from nn_interpretability.errors import DataError
from nn_interpretability.synthesis.picture_measures import high_frequency_share, luminance, seam_energy


def wave(frequency: float, side: int = 64) -> np.ndarray:
    return np.cos(2 * np.pi * frequency * np.arange(side))[None, None].repeat(side, axis=1) + 3


def test_slow_waves_have_no_high_frequencies_and_fast_ones_nothing_else() -> None:
    assert high_frequency_share(wave(0.1))[0] < 1e-3
    assert high_frequency_share(wave(0.4))[0] > 0.999


def test_a_constant_has_the_share_zero() -> None:
    assert high_frequency_share(np.full((1, 32, 32), 0.7))[0] == 0


def test_white_noise_has_the_share_of_the_area() -> None:
    noise = np.random.default_rng(0).normal(size=(8, 128, 128))
    assert high_frequency_share(noise).mean() == pytest.approx(1 - np.pi / 16, abs=0.01)


def test_the_sum_of_a_slow_and_a_fast_wave_has_the_share_of_their_energies() -> None:
    assert high_frequency_share(wave(0.1) + 2 * wave(0.4))[0] == pytest.approx(4 / 5, abs=1e-3)


def test_seams_of_a_patchwork() -> None:
    change = np.zeros((1, 8, 8))
    change[:, :, 1::2] = 1.0  # jumps of 1 between all columns, none between rows
    change[:, 4:] += 2.0
    # across the seam: 4, 8 times; elsewhere 0 in 6 * 8 places along y, and 1 in 8 * 7 along x
    assert seam_energy(change, [4], [])[0] == pytest.approx(4 / (56 / 104))


def test_nothing_changed_has_no_seams() -> None:
    assert seam_energy(np.zeros((2, 8, 8)), [4], [4]).tolist() == [1, 1]


def test_one_tile_has_no_seams_to_measure() -> None:
    with pytest.raises(DataError, match="no seams"):
        seam_energy(np.zeros((1, 8, 8)), [], [])


def test_luminance_of_white_is_one_and_of_grey_pictures_their_value() -> None:
    assert luminance(np.ones((1, 3, 2, 2)))[0, 0, 0] == pytest.approx(1)
    assert luminance(np.full((1, 1, 2, 2), 0.3))[0, 0, 0] == pytest.approx(0.3)
    assert luminance(np.eye(3)[:, :, None, None])[:, 0, 0].tolist() == [0.2126, 0.7152, 0.0722]
