"""Metrics of maps alone: closed forms, slow twins, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import metric_twins as twins
import nets
import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from nn_interpretability import metrics
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.synthesis.picture_measures import high_frequency_share as of_pictures

MASK = torch.zeros(8, 9, dtype=torch.bool)
MASK[2:5, 3:7] = True
ONE_MAP: dict[str, Callable[..., Tensor]] = {
    "total_variation": metrics.total_variation,
    "gini": metrics.gini,
    "gini of a mask": lambda maps, **given: metrics.gini(maps, MASK, **given),
    "entropy_complexity": metrics.entropy_complexity,
    "relevance_mass": lambda maps, **given: metrics.relevance_mass(maps, MASK, **given),
    "relevance_rank_accuracy": lambda maps, **given: metrics.relevance_rank_accuracy(maps, MASK, **given),
    "pointing_game": lambda maps, **given: metrics.pointing_game(maps, MASK, **given),
}
TWO_MAPS: dict[str, Callable[..., Tensor]] = {
    "spearman": metrics.spearman,
    "cosine": metrics.cosine,
    "ssim": metrics.ssim,
}


def maps(*shape: int, seed: int = 0) -> Tensor:
    return nets.uniform(*shape, low=-1, seed=seed)


def one_hot(y: int = 3, x: int = 4) -> Tensor:
    found = torch.zeros(1, 1, 8, 9)
    found[0, 0, y, x] = 5.0
    return found


class TestRoughness:
    def test_total_variation_of_one_pixel_is_its_edges(self) -> None:
        assert metrics.total_variation(one_hot()).tolist() == [4]
        assert metrics.total_variation(one_hot(0, 0)).tolist() == [2]
        assert metrics.total_variation(torch.ones(1, 1, 8, 9)).tolist() == [0]

    def test_total_variation_of_a_ramp(self) -> None:
        ramp = torch.arange(5.0).expand(1, 1, 3, 5)  # 4 jumps of 1 in each of 3 rows; the rows sum to 10
        assert metrics.total_variation(ramp).item() == pytest.approx(12 / 30)

    def test_total_variation_is_the_twins(self) -> None:
        given = maps(3, 2, 5, 7)
        expected = [twins.total_variation(pixels) for pixels in given.sum(dim=1).numpy()]
        assert metrics.total_variation(given).tolist() == pytest.approx(expected, rel=1e-13)

    @pytest.mark.parametrize("shape", [(8, 8), (28, 28), (9, 14)])
    def test_high_frequencies_are_counted_as_in_pictures(self, shape: tuple[int, int]) -> None:
        given = maps(4, 3, *shape) + 2
        found = metrics.high_frequency_share(given)
        assert found.tolist() == pytest.approx(of_pictures(given.sum(dim=1).numpy()).tolist(), rel=1e-10)

    def test_high_frequencies_of_waves_and_constants(self) -> None:
        place = torch.arange(64, dtype=torch.float64)
        slow, fast = (torch.cos(2 * math.pi * f * place).expand(1, 1, 64, 64) for f in (0.1, 0.4))
        assert metrics.high_frequency_share(slow).item() < 1e-3
        assert metrics.high_frequency_share(fast).item() > 0.999
        assert metrics.high_frequency_share(torch.stack([slow[0] * 0, slow[0] * 0 + 0.1])).tolist() == [0, 0]

    def test_tiny_relevances_have_the_same_spectrum(self) -> None:
        given = maps(2, 1, 12, 12)
        found = metrics.high_frequency_share(given * 1e-200)
        assert found.tolist() == pytest.approx(metrics.high_frequency_share(given).tolist(), rel=1e-12)


class TestComplexity:
    def test_gini_of_one_pixel_and_of_even_maps(self) -> None:
        assert metrics.gini(one_hot()).item() == pytest.approx(1 - 1 / 72, rel=1e-14)
        assert metrics.gini(-one_hot()).item() == pytest.approx(1 - 1 / 72, rel=1e-14)
        signs = maps(1, 1, 8, 9).sign()
        assert metrics.gini(signs).item() == pytest.approx(0, abs=1e-14)
        assert metrics.gini(torch.tensor([[[1.0, 2.0, 3.0]]])).item() == pytest.approx(2 / 9)

    def test_gini_is_the_mean_difference_over_twice_the_mean(self) -> None:
        given = maps(3, 2, 5, 4)
        expected = [twins.gini(pixels.flatten().tolist()) for pixels in given.sum(dim=1)]
        assert metrics.gini(given).tolist() == pytest.approx(expected, rel=1e-12)

    def test_gini_of_a_mask_looks_at_its_pixels_alone(self) -> None:
        given = maps(3, 1, 8, 9)
        masks = torch.stack([MASK, MASK.flip(0), given[2, 0] > 0])
        expected = [twins.gini(one[0][mask].tolist()) for one, mask in zip(given, masks, strict=True)]
        assert metrics.gini(given, masks).tolist() == pytest.approx(expected, rel=1e-12)
        assert metrics.gini(given, torch.ones(8, 9, dtype=torch.bool)).equal(metrics.gini(given))

    def test_entropy(self) -> None:
        assert metrics.entropy_complexity(one_hot()).item() == 0
        assert metrics.entropy_complexity(torch.ones(1, 1, 8, 9)).item() == pytest.approx(math.log(72))
        given = maps(3, 2, 5, 4)
        expected = [twins.entropy(pixels.flatten().tolist()) for pixels in given.sum(dim=1)]
        assert metrics.entropy_complexity(given).tolist() == pytest.approx(expected, rel=1e-13)


class TestLocalisation:
    def test_all_or_nothing(self) -> None:
        for metric in ("relevance_mass", "relevance_rank_accuracy", "pointing_game"):
            assert ONE_MAP[metric](MASK[None, None].double() + 0).item() == 1, metric
            assert ONE_MAP[metric]((~MASK)[None, None].double() + 0).item() == 0, metric

    def test_mass_is_the_share_of_magnitudes(self) -> None:
        given = maps(3, 2, 8, 9)
        pixels = given.sum(dim=1).abs()
        expected = [float(one[MASK].sum() / one.sum()) for one in pixels]
        assert metrics.relevance_mass(given, MASK).tolist() == pytest.approx(expected, rel=1e-13)
        assert metrics.relevance_mass(torch.ones(1, 8, 9), MASK).item() == pytest.approx(12 / 72)

    def test_rank_and_peak_follow_signs_only_if_asked(self) -> None:
        given = torch.full((1, 1, 8, 9), 0.1)
        given[0, 0][MASK] = -1.0
        assert metrics.relevance_rank_accuracy(given, MASK).item() == 1
        assert metrics.relevance_rank_accuracy(given, MASK, absolute=False).item() == 0
        assert metrics.pointing_game(given, MASK).item() == 1
        assert metrics.pointing_game(given, MASK, absolute=False).item() == 0

    def test_equal_pixels_go_in_reading_order(self) -> None:
        given = torch.zeros(1, 2, 3)
        given[0, 0, 1:] = given[0, 1, 0] = 1.0
        first = torch.tensor([[False, True, False], [False, False, False]])
        assert metrics.pointing_game(given, first).item() == 1
        two = torch.tensor([[False, True, False], [True, False, False]])
        assert metrics.relevance_rank_accuracy(given, two).item() == 0.5

    def test_rank_accuracy_by_hand(self) -> None:
        given = torch.tensor([[[4.0, 3.0, 2.0, 1.0]]])
        assert metrics.relevance_rank_accuracy(given, torch.tensor([[True, False, True, False]])).item() == 0.5

    def test_one_mask_for_all_and_one_for_each(self) -> None:
        given = maps(3, 1, 8, 9)
        alike = [MASK, MASK[None], MASK[None, None], MASK.expand(3, 8, 9), MASK.expand(3, 1, 8, 9)]
        found = [metrics.relevance_mass(given, mask).tolist() for mask in alike]
        assert all(each == found[0] for each in found)

    def test_ink_grows_by_a_pixel_in_all_directions(self) -> None:
        image = torch.full((1, 2, 6, 7), -0.4)
        image[0, 1, 0, 3] = 0.5
        grown = metrics.dilated_ink(image, threshold=-0.4)
        expected = torch.zeros(1, 6, 7, dtype=torch.bool)
        expected[0, :2, 2:5] = True
        assert grown.equal(expected)
        assert metrics.dilated_ink(image, threshold=-0.4, radius=0).sum() == 1
        assert metrics.dilated_ink(image, threshold=0.5).sum() == 0


class TestSimilarity:
    @pytest.mark.parametrize("absolute", [False, True])
    def test_spearman_is_scipys_with_ties(self, absolute: bool) -> None:
        one = (4 * maps(5, 2, 6, 7)).round()
        other = (3 * maps(5, 2, 6, 7, seed=1)).round() + one
        found = metrics.spearman(one, other, absolute=absolute)
        change = np.abs if absolute else np.asarray
        pairs = zip(one.numpy(), other.numpy(), strict=True)
        expected = [spearmanr(change(a).ravel(), change(b).ravel()).statistic for a, b in pairs]
        assert found.tolist() == pytest.approx(expected, abs=1e-13)

    def test_the_same_order_is_one_and_the_reverse_minus_one(self) -> None:
        one = maps(2, 1, 12, 12)
        assert metrics.spearman(one, one.exp()).tolist() == pytest.approx([1, 1], abs=1e-15)
        assert metrics.spearman(one, -(one**3)).tolist() == pytest.approx([-1, -1], abs=1e-15)
        assert metrics.spearman(one, -one, absolute=True).tolist() == pytest.approx([1, 1], abs=1e-15)

    def test_cosine_of_known_angles(self) -> None:
        one = torch.tensor([[[3.0, 4.0]], [[1.0, 0.0]], [[1.0, 1.0]]])
        other = torch.tensor([[[6.0, 8.0]], [[0.0, 2.0]], [[-1.0, 0.0]]])
        assert metrics.cosine(one, other).tolist() == pytest.approx([1, 0, -math.sqrt(0.5)], abs=1e-15)
        assert metrics.cosine(one, other, absolute=True).tolist() == pytest.approx([1, 0, math.sqrt(0.5)], abs=1e-15)

    def test_ssim_is_the_twins(self) -> None:
        one = maps(2, 1, 13, 15)
        other = one + 0.5 * maps(2, 1, 13, 15, seed=1)
        pairs = list(zip(one[:, 0].numpy(), other[:, 0].numpy(), strict=True))
        expected = [twins.structural_similarity(a, b, 3.0) for a, b in pairs]
        assert metrics.ssim(one, other, data_range=3.0).tolist() == pytest.approx(expected, rel=1e-11)
        divided = [twins.structural_similarity(a / np.abs(a).max(), b / np.abs(b).max(), 2.0) for a, b in pairs]
        assert metrics.ssim(one, other).tolist() == pytest.approx(divided, rel=1e-11)
        sizes = [
            twins.structural_similarity(np.abs(a) / np.abs(a).max(), np.abs(b) / np.abs(b).max(), 1.0) for a, b in pairs
        ]
        assert metrics.ssim(one, other, absolute=True).tolist() == pytest.approx(sizes, rel=1e-11)

    def test_ssim_of_constants_is_their_luminance(self) -> None:
        one, other = torch.full((1, 1, 11, 11), 0.2), torch.full((1, 1, 11, 11), 0.6)
        expected = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
        assert metrics.ssim(one, other, data_range=1.0).item() == pytest.approx(expected, rel=1e-6)

    def test_ssim_averages_channels(self) -> None:
        one, other = maps(1, 2, 12, 12), maps(1, 2, 12, 12, seed=1)
        apart = [metrics.ssim(one[:, c : c + 1], other[:, c : c + 1], data_range=2.0).item() for c in range(2)]
        assert metrics.ssim(one, other, data_range=2.0).item() == pytest.approx(sum(apart) / 2, rel=1e-13)

    def test_ssim_needs_room_for_its_window(self) -> None:
        with pytest.raises(DataError, match=r"at least 11 x 11 pixels, not \(10, 12\)"):
            metrics.ssim(maps(1, 1, 10, 12), maps(1, 1, 10, 12))

    def test_top_places_in_common(self) -> None:
        one = torch.tensor([[[5.0, -9.0, 1.0, 0.0]]])
        other = torch.tensor([[[7.0, 1.0, 8.0, 0.0]]])
        assert metrics.top_k_intersection(one, other, 2).item() == 0.5  # {1, 0} and {2, 0}
        assert metrics.top_k_intersection(one, other, 2, absolute=False).item() == 1  # {0, 2} and {2, 0}
        assert metrics.top_k_intersection(one, other, 4).item() == 1
        for k in (0, 5, 2.0, True):
            with pytest.raises(ConfigError, match="from 1 to 4"):
                metrics.top_k_intersection(one, other, k)  # type: ignore[arg-type]


class TestUndefined:
    @pytest.mark.parametrize("metric", ONE_MAP)
    def test_a_map_of_zeros_is_named(self, metric: str) -> None:
        given = maps(3, 1, 8, 9)
        given[1] = 0
        with pytest.raises(DataError, match=r"undefined for the maps at positions \[1\]"):
            ONE_MAP[metric](given)
        found = ONE_MAP[metric](given, undefined=-7)
        assert found[1] == -7
        assert found[[0, 2]].equal(ONE_MAP[metric](given[[0, 2]]))
        assert ONE_MAP[metric](given, undefined=math.nan).isnan().tolist() == [False, True, False]

    @pytest.mark.parametrize("metric", TWO_MAPS)
    def test_a_comparison_with_zeros_is_named(self, metric: str) -> None:
        one, other = maps(3, 1, 12, 12), maps(3, 1, 12, 12, seed=1)
        other[2] = 0
        for pair in ((one, other), (other, one)):
            with pytest.raises(DataError, match=r"undefined for the maps at positions \[2\]"):
                TWO_MAPS[metric](*pair)
            assert TWO_MAPS[metric](*pair, undefined=0)[2] == 0

    def test_a_constant_has_no_order(self) -> None:
        constant = torch.full((1, 1, 12, 12), 0.1)
        with pytest.raises(DataError, match="rank correlation is undefined"):
            metrics.spearman(constant, maps(1, 1, 12, 12))
        with pytest.raises(DataError, match="rank accuracy is undefined"):
            metrics.relevance_rank_accuracy(constant, torch.eye(12, dtype=torch.bool))

    @pytest.mark.parametrize("metric", ["gini of a mask", "relevance_mass", "relevance_rank_accuracy", "pointing_game"])
    def test_a_mask_without_pixels_is_named(self, metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(globals(), "MASK", torch.zeros(8, 9, dtype=torch.bool))
        with pytest.raises(DataError, match=r"undefined for the maps at positions \[0, 1\]"):
            ONE_MAP[metric](maps(2, 1, 8, 9))

    def test_only_numbers_stand_for_what_is_undefined(self) -> None:
        with pytest.raises(ConfigError, match="undefined='zero' is not allowed"):
            metrics.gini(torch.zeros(1, 2, 2), undefined="zero")  # type: ignore[arg-type]


BAD_MAPS: list[tuple[Any, str]] = [
    (np.zeros((1, 2, 2)), "not ndarray"),
    (torch.zeros(1, 2, 2, dtype=torch.int64), "not torch.int64"),
    (torch.zeros(2, 2), r"shape \(2, 2\) is not a batch of maps"),
    (torch.zeros(0, 1, 2, 2), "is not a batch of maps"),
    (torch.tensor([[[1.0]], [[math.nan]]]), r"NaN or infinite values in the maps at positions \[1\]"),
]


@pytest.mark.parametrize(("given", "words"), BAD_MAPS)
def test_what_is_no_batch_of_maps_is_refused(given: Any, words: str) -> None:
    for metric in (metrics.gini, metrics.total_variation, metrics.high_frequency_share, metrics.entropy_complexity):
        with pytest.raises(DataError, match=words):
            metric(given)
    with pytest.raises(DataError, match=words):
        metrics.cosine(given, given)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (torch.ones(8, 9), "must be a boolean tensor, not torch.float32"),
        (torch.ones(9, 8, dtype=torch.bool), "does not fit 2 maps"),
        (torch.ones(3, 8, 9, dtype=torch.bool), "does not fit 2 maps"),
        (torch.ones(2, 3, 8, 9, dtype=torch.bool), "does not fit 2 maps"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(mask: Tensor, words: str) -> None:
    with pytest.raises(DataError, match=words):
        metrics.relevance_mass(maps(2, 1, 8, 9), mask)


def test_maps_of_two_shapes_are_not_compared() -> None:
    with pytest.raises(DataError, match="cannot be compared"):
        metrics.cosine(maps(2, 1, 8, 9), maps(1, 1, 8, 9))


@pytest.mark.parametrize("radius", [-1, 1.5, True])
def test_a_rim_is_a_whole_number_of_pixels(radius: Any) -> None:
    with pytest.raises(ConfigError, match="whole number of pixels"):
        metrics.dilated_ink(torch.zeros(1, 1, 3, 3), radius=radius)


def test_completeness_error_by_hand() -> None:
    given = torch.tensor([[[1.0, 2.0]], [[-1.0, 0.5]], [[0.25, 0.0]]])
    found = metrics.completeness_error(given, torch.tensor([4.0, -0.5, 0.0]), floor=0.5)
    assert found.tolist() == [0.25, 0, 0.5]
    with pytest.raises(DataError, match="one finite score for each of the 3 maps"):
        metrics.completeness_error(given, torch.tensor([4.0]))
    with pytest.raises(ConfigError, match="floor=0"):
        metrics.completeness_error(given, torch.ones(3), floor=0)
