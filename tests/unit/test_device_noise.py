"""Numbers made by torch's integers are those of NumPy's generator, on every device."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nn_interpretability.stochastic.device_noise import LARGE, normals_for, normals_on, uniforms_on, words_on
from nn_interpretability.stochastic.draws import INPUT_NOISE, BlockDraws
from nn_interpretability.stochastic.noise import normals_of_draws, uniforms_of_draws, words_of_draws

DEVICES = [torch.device("cpu"), pytest.param(torch.device("cuda"), marks=pytest.mark.gpu)]
KEYS = [(0, 0), (7, 3), (2**64 - 1, 2**32), (2**63, 2**63 + 5), (0xD2E7470EE14C6C93, 1)]
DRAWS = [0, 1, 3, 2**32 + 1, 2**63 - 1, 2**63, 2**64 - 1]


@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize(("seed", "source"), KEYS)
def test_words_have_the_bits_of_numpy_s(device: torch.device, seed: int, source: int) -> None:
    for count in (1, 4, 30):
        found = words_on(device, seed, DRAWS, count, source=source).cpu().numpy().view(np.uint64)
        assert np.array_equal(found, words_of_draws(seed, DRAWS, count, source=source))


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_uniform_numbers_have_the_same_bits_and_normal_ones_agree_to_rounding(device: torch.device) -> None:
    shape = (3, 40, 50)
    uniform, normal = (make(device, 5, [2, 9], shape, source=1).cpu().numpy() for make in (uniforms_on, normals_on))
    assert np.array_equal(uniform, uniforms_of_draws(5, [2, 9], shape, source=1))
    np.testing.assert_allclose(normal, normals_of_draws(5, [2, 9], shape, source=1), rtol=1e-13, atol=1e-15)


def test_how_many_are_made_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = uniforms_on(torch.device("cpu"), 1, range(5), (10,))
    monkeypatch.setattr("nn_interpretability.stochastic.device_noise._TOGETHER", 20)
    assert torch.equal(uniforms_on(torch.device("cpu"), 1, range(5), (10,)), expected)


def test_on_the_cpu_nothing_changes() -> None:
    images = torch.zeros(2, 3, 80, 80)
    expected = torch.from_numpy(normals_of_draws(4, [0, 7], (3, 80, 80))).float()
    assert torch.equal(normals_for(images, 4, [0, 7]), expected)


@pytest.mark.parametrize("side", [28, 80])
def test_a_block_knows_its_noise_and_a_smaller_picture_cannot_have_it(side: int) -> None:
    images = torch.zeros(2, 3, side, side)
    assert (images[0].numel() >= LARGE) == (side == 80)
    draws, again, other = BlockDraws([3, 4]), BlockDraws([3, 4]), BlockDraws([3, 5])
    noise = draws.noise(1, images)
    expected = normals_of_draws(1, [3, 4], (3, side, side), source=INPUT_NOISE)
    assert torch.equal(noise, torch.from_numpy(expected).float())
    assert draws.sources == (INPUT_NOISE,)
    for each in (again, other):
        each.noise(1, images)
    assert again.digest() == draws.digest() != other.digest()
    assert torch.equal(draws.noise(1, images.double()), torch.from_numpy(expected))
    for another in (side + 1, 28 if side == 80 else 80):
        with pytest.raises(ValueError, match="a pass cannot be repeated"):
            draws.noise(1, torch.zeros(2, 3, another, side))


@pytest.mark.gpu
def test_large_noise_is_made_on_the_gpu_and_agrees() -> None:
    images = torch.zeros(1, 3, 224, 224)
    found = normals_for(images.cuda(), 0, range(4))
    assert found.device.type == "cuda"
    torch.testing.assert_close(found.cpu(), normals_for(images, 0, range(4)), rtol=1e-6, atol=1e-7)
