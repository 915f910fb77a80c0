"""What holds of metrics for any map: factors, places, batches."""

from __future__ import annotations

from collections.abc import Callable

import nets
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from nn_interpretability import metrics

FEW = settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

Metric = Callable[[Tensor, Tensor, Tensor], Tensor]  # of maps, other maps, masks
METRICS: dict[str, Metric] = {
    "total_variation": lambda a, b, mask: metrics.total_variation(a),
    "high_frequency_share": lambda a, b, mask: metrics.high_frequency_share(a),
    "gini": lambda a, b, mask: metrics.gini(a),
    "gini of a mask": lambda a, b, mask: metrics.gini(a, mask),
    "entropy_complexity": lambda a, b, mask: metrics.entropy_complexity(a),
    "relevance_mass": lambda a, b, mask: metrics.relevance_mass(a, mask),
    "relevance_rank_accuracy": lambda a, b, mask: metrics.relevance_rank_accuracy(a, mask),
    "pointing_game": lambda a, b, mask: metrics.pointing_game(a, mask),
    "spearman": lambda a, b, mask: metrics.spearman(a, b),
    "cosine": lambda a, b, mask: metrics.cosine(a, b),
    "ssim": lambda a, b, mask: metrics.ssim(a, b),
    "top_k_intersection": lambda a, b, mask: metrics.top_k_intersection(a, b, 7),
}
OF_PLACES = ("total_variation", "high_frequency_share", "ssim")  # where pixels lie matters


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor]:
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(11, 14)), draw(st.integers(11, 14)))
    seed = draw(st.integers(0, 2**16))
    a, b = (nets.uniform(*shape, low=-1, seed=seed + i) for i in range(2))
    mask = nets.uniform(shape[0], *shape[2:], seed=seed + 2) > draw(st.floats(0.1, 0.9))
    mask[:, 3, 4] = True
    return a, b, mask


@pytest.mark.parametrize("name", METRICS)
@FEW
@given(batch=batches(), exponent=st.integers(-60, 60))
def test_a_factor_of_a_map_does_not_matter(name: str, batch: tuple[Tensor, ...], exponent: int) -> None:
    a, b, mask = batch
    found = METRICS[name](a * 3.0 * 10.0**exponent, b, mask)
    torch.testing.assert_close(found, METRICS[name](a, b, mask), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", METRICS)
@FEW
@given(batch=batches())
def test_a_batch_is_its_images(name: str, batch: tuple[Tensor, ...]) -> None:
    a, b, mask = batch
    whole = METRICS[name](a, b, mask)
    single = [METRICS[name](a[i : i + 1], b[i : i + 1], mask[i : i + 1]) for i in range(len(a))]
    assert whole.shape == (len(a),)
    assert whole.dtype == torch.float64
    torch.testing.assert_close(whole, torch.cat(single), rtol=1e-12, atol=1e-13)
    backwards = METRICS[name](a.flip(0), b.flip(0), mask.flip(0))
    torch.testing.assert_close(whole, backwards.flip(0), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", [name for name in METRICS if name not in OF_PLACES])
@FEW
@given(batch=batches(), seed=st.integers(0, 2**16))
def test_places_that_move_together_do_not_matter(name: str, batch: tuple[Tensor, ...], seed: int) -> None:
    order = torch.randperm(batch[0][0, 0].numel(), generator=nets.seeded(seed))
    moved = [values.flatten(-2)[..., order].reshape(values.shape) for values in batch]
    torch.testing.assert_close(METRICS[name](*moved), METRICS[name](*batch), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_mirrored_maps_are_measured_alike(name: str) -> None:
    batch = [nets.uniform(3, 1, 12, 12, low=-1, seed=i) for i in range(2)]
    mask = nets.uniform(3, 12, 12, seed=3) > 0.6
    found = METRICS[name](batch[0].flip(-1), batch[1].flip(-1), mask.flip(-1))
    torch.testing.assert_close(found, METRICS[name](*batch, mask), rtol=1e-10, atol=1e-12)
