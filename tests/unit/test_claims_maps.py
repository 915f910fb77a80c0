"""What the assertions compute of maps and of trends, on known answers."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from nn_interpretability.claims.assertions.perturbation_saturates import share_far_below
from nn_interpretability.claims.assertions.reveal_cancel_sees_more import chosen_pairs
from nn_interpretability.claims.blur import blurred_to, gaussian_blur
from nn_interpretability.claims.differences import relative_difference
from nn_interpretability.claims.quality import flipping, predicted, removal_effects
from nn_interpretability.claims.taylor_expansion import taylor_step
from nn_interpretability.claims.toy_networks import Nested, Shifted
from nn_interpretability.claims.trends import kendall
from nn_interpretability.methods.occlusion import Occlusion
from nn_interpretability.metrics.roughness import total_variation
from nn_interpretability.models.build import build_model


def noise(count: int) -> torch.Tensor:
    return torch.randn(count, 1, 28, 28, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_a_blurred_map_is_as_rough_as_asked() -> None:
    maps = noise(3)
    asked = torch.tensor([0.3, 0.8, 1.2], dtype=torch.float64)
    blurred, sigma = blurred_to(maps, asked)
    torch.testing.assert_close(total_variation(blurred), asked, rtol=1e-6, atol=0)
    assert (sigma.diff() < 0).all()


def test_a_map_that_is_smooth_enough_is_left_as_it_is() -> None:
    maps = noise(2)
    blurred, sigma = blurred_to(maps, total_variation(maps) * torch.tensor([1.0, 1.5]))
    assert torch.equal(blurred, maps)
    assert torch.equal(sigma, torch.zeros(2, dtype=torch.float64))


def test_no_blur_is_smooth_enough() -> None:
    maps = noise(1)
    blurred, sigma = blurred_to(maps, torch.zeros(1, dtype=torch.float64))
    assert sigma.item() == 14
    torch.testing.assert_close(blurred, gaussian_blur(maps, sigma))


def test_a_blurred_point_is_a_gaussian() -> None:
    maps = torch.zeros(1, 1, 28, 28, dtype=torch.float64)
    maps[0, 0, 10, 12] = 1
    sigma = 1.5
    found = gaussian_blur(maps, torch.tensor([sigma]))
    line = [math.exp(-(d**2) / (2 * sigma**2)) for d in range(-60, 61)]
    expected = math.exp(-(3**2 + 2**2) / (2 * sigma**2)) / sum(line) ** 2
    assert found[0, 0, 13, 14].item() == pytest.approx(expected, rel=1e-6)


def test_kendall_is_that_of_scipy() -> None:
    values = np.random.default_rng(0).standard_normal((2, 5, 7))
    expected = [[stats.kendalltau(range(7), row).statistic for row in rows] for rows in values]
    np.testing.assert_allclose(kendall(values), expected, atol=1e-12)
    assert kendall([1, 1, 1]) == 0


def test_relative_difference_is_by_the_second_map() -> None:
    maps = torch.tensor([[[[1.0, 2.0]]], [[[0.0, 0.0]]], [[[0.0, 3.0]]]])
    others = torch.tensor([[[[1.0, 4.0]]], [[[0.0, 0.0]]], [[[0.0, 0.0]]]])
    np.testing.assert_array_equal(relative_difference(maps, others), [0.5, 0, 1])


def test_pixel_flipping_of_a_linear_network_has_its_closed_form() -> None:
    class Sum(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            total = images.flatten(1).sum(1)
            return torch.stack([total, -total], dim=1)

    images = torch.tensor([[[[3.0, 1.0]]]])
    # Most relevant first: 4, 1, 0; least: 4, 3, 0; the mean difference is 2 / 3, a sixth of the score.
    found = flipping(Sum(), images, images, torch.tensor([0]))
    assert found == pytest.approx([1 / 6])
    assert flipping(Sum(), images, images, torch.tensor([0]), steps=1) == pytest.approx([0])


def test_a_taylor_step_by_hand() -> None:
    # The sum is 2 - 1 = 1; the root point is (1, 1), as far along (2, 0) as it takes; all goes to the first input.
    step = taylor_step(torch.tensor([[2.0, 1.0]]), torch.tensor([[1.0, -1.0]]), torch.tensor([[3.0]]))
    assert step.tolist() == [[3.0, 0.0]]


def test_taylor_steps_are_the_z_plus_rule() -> None:
    generator = torch.Generator().manual_seed(0)
    activations = torch.rand(4, 6, dtype=torch.float64, generator=generator)
    weight = torch.randn(5, 6, dtype=torch.float64, generator=generator)
    relevance = torch.where(activations @ weight.mT > 0, 1.5, 0.0).double()
    contributions = activations[:, None] * weight.clamp(min=0)
    expected = (contributions / contributions.sum(2, keepdim=True) * relevance[:, :, None]).sum(1)
    torch.testing.assert_close(taylor_step(activations, weight, relevance), expected, rtol=1e-12, atol=1e-14)


def test_removing_pixels_is_occlusion_by_windows_of_one() -> None:
    torch.manual_seed(0)
    model = build_model("small_cnn").double()
    images = torch.rand(2, 1, 28, 28, dtype=torch.float64)
    images[:, :, 8:] = 0
    target = predicted(model, images)
    expected = Occlusion(model, window=1, stride=1, fill="black").interpret(images, target).values[:, 0]
    torch.testing.assert_close(removal_effects(model, images, target), expected, rtol=1e-9, atol=1e-12)


def test_what_is_far_below() -> None:
    large = torch.tensor([[[4.0, -3.0, 2.0, 1.0, 9.0]]])
    small = torch.tensor([[[0.1, -2.0, 0.0, 0.0, 0.0]]])
    ink = torch.tensor([[[True, True, True, True, False]]])
    # Of four ink pixels the two largest, 4 and -3, count, and one of them is next to nothing in the other map.
    assert share_far_below(small, large, ink, 0.1).tolist() == [0.25]
    assert share_far_below(large, small, ink, 0.1).tolist() == [0]
    assert share_far_below(small, large, torch.zeros_like(ink), 0.1).tolist() == [0]


def test_pictures_are_dealt_out_to_pairs_once() -> None:
    labels = torch.tensor([8, 8, 4, 8, 9, 8, 8, 4])
    images = torch.arange(8.0).reshape(8, 1, 1, 1)
    chosen, original, target = chosen_pairs(images, labels, [[8, 3], [8, 6], [4, 1]], 6)
    assert chosen.flatten().tolist() == [0, 3, 1, 5, 2, 7]
    assert original.tolist() == [8, 8, 8, 8, 4, 4]
    assert target.tolist() == [3, 3, 6, 6, 1, 1]


def test_the_pair_of_networks_computes_one_function_of_inputs_that_are_not_negative() -> None:
    inputs = 4 * torch.rand(500, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Nested()(inputs), Shifted()(inputs))
