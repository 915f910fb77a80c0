"""Random numbers are a function of their key, and moments do not depend on how maps arrive."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from nn_interpretability.errors import ConfigError
from nn_interpretability.stochastic.moments import RunningMoments
from nn_interpretability.stochastic.noise import normals, uniforms, words


def test_the_stream_is_the_one_of_philox() -> None:
    """The generator increments its counter, then encrypts: draw 0 begins at block 1, as numpy's stream does."""
    expected = np.random.Philox(key=7).random_raw(6)
    assert np.array_equal(words(7, 0, 6), expected)
    advanced = np.random.Philox(key=7).advance(3 * 2**128)
    assert np.array_equal(words(7, 3, 6), advanced.random_raw(6))


def test_known_answers() -> None:
    """The first is in the test vectors of Random123 (counter and key 0); stored results depend on the others."""
    generator = np.random.Philox(key=0, counter=2**256 - 1)
    assert [hex(word) for word in generator.random_raw(2)] == ["0x16554d9eca36314c", "0xdb20fe9d672d0fdc"]
    assert words(0, 0, 2).tolist() == [213000021201967259, 4455796210202625458]
    assert uniforms(0, 0, (1,))[0] == 0.011546754286331562
    assert normals(0, 0, (1,))[0] == pytest.approx(-2.2718841483245957, rel=1e-15)


def test_the_first_numbers_do_not_depend_on_how_many_are_drawn() -> None:
    assert np.array_equal(normals(3, 5, (4, 2)).ravel(), normals(3, 5, (100,))[:8])


@pytest.mark.parametrize("other", [(4, 5, 0), (3, 6, 0), (3, 5, 1), (5, 3, 0)])
def test_another_key_gives_other_numbers(other: tuple[int, int, int]) -> None:
    ours = words(3, 5, 64)
    assert not np.intersect1d(ours, words(other[0], other[1], 64, source=other[2])).size


def test_uniform_numbers_come_from_the_upper_bits_and_stay_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = np.array([0, 2**64 - 1, 2**63], dtype=np.uint64)
    monkeypatch.setattr("nn_interpretability.stochastic.noise.words_of_draws", lambda *_, **__: ends[None])
    low, high, middle = uniforms(0, 0, (3,))
    assert (low, high) == (2.0**-53, 1 - 2.0**-53)  # symmetric, and neither 0 nor 1
    assert middle == 0.5 + 2.0**-53
    assert np.isfinite(normals(0, 0, (3,))).all()


@pytest.mark.parametrize("seed", [2**63, 2**64 - 1])
def test_every_bit_of_a_large_seed_counts(seed: int) -> None:
    assert not np.array_equal(words(seed, 0, 4), words(seed - 1, 0, 4))
    expected = np.random.Philox(key=seed + (5 << 64)).random_raw(4)
    assert np.array_equal(words(seed, 0, 4, source=5), expected)


def test_normal_numbers_are_normal() -> None:
    drawn = normals(11, 2, (20_000,))
    assert kstest(drawn, "norm").pvalue > 0.01
    assert abs(np.corrcoef(drawn, normals(11, 3, (20_000,)))[0, 1]) < 0.03


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, True, "7", None])
def test_a_seed_that_is_none(seed: object) -> None:
    with pytest.raises(ConfigError, match="seed="):
        words(seed, 0, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("sizes", [[12], [1] * 12, [5, 1, 6]])
def test_moments_do_not_depend_on_the_blocks(sizes: list[int]) -> None:
    maps = 1e6 + torch.rand(12, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moments = RunningMoments()
    for block in maps.split(sizes):
        moments.update(block)
    assert moments.count == 12
    assert torch.allclose(moments.mean, maps.mean(0), rtol=1e-15)
    assert torch.allclose(moments.variance, maps.var(0), rtol=1e-8)  # a mean of squares would lose all digits


def test_one_map_has_no_variance() -> None:
    moments = RunningMoments()
    moments.update(torch.ones(1, 3))
    assert moments.variance.tolist() == [0, 0, 0]
