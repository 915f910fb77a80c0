"""The Gaussian RBM: its free energy, means and gradient against sums over all states of a tiny machine."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from nn_interpretability.errors import ConfigError
from nn_interpretability.models.rbm import GaussianRBM
from nn_interpretability.models.weights import load_weights, save_weights
from nn_interpretability.training.contrastive_divergence import contrastive_divergence, reconstruction_error


@pytest.fixture
def tiny() -> GaussianRBM:
    """Two visible and three hidden units, with weights that matter."""
    return machine(visible=2, hidden=3, sigma=0.7)


def machine(visible: int, hidden: int, sigma: float) -> GaussianRBM:
    generator = torch.Generator().manual_seed(4)
    rbm = GaussianRBM(visible, hidden, sigma).double()
    rbm.sigma.fill_(sigma)
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return rbm


def states(hidden: int) -> Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=hidden)), dtype=torch.float64)


def energy(rbm: GaussianRBM, x: Tensor, h: Tensor) -> Tensor:
    """The definition, for each row of x (n, visible) and each of h (m, hidden): shape (n, m)."""
    distance = ((x - rbm.visible_bias) ** 2).sum(1) / (2 * rbm.sigma**2)
    coupling = torch.einsum("mj,ji,ni->nm", h, rbm.weight, x) / rbm.sigma
    return distance[:, None] - coupling - (h @ rbm.hidden_bias)[None]


def grid(rbm: GaussianRBM) -> tuple[Tensor, float]:
    """Points (n, 2) that cover all of the density, and the area of each."""
    pull = rbm.visible_bias.abs().max() + rbm.sigma * rbm.weight.abs().sum(0).max()
    reach = float(pull.detach() + 10 * rbm.sigma)
    axis = torch.linspace(-reach, reach, 301, dtype=torch.float64)
    return torch.cartesian_prod(axis, axis), float(axis[1] - axis[0]) ** 2


def test_the_free_energy_is_the_sum_over_all_hidden_states():
    rbm = machine(visible=5, hidden=7, sigma=0.7)
    x = torch.randn(20, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    by_hand = -torch.logsumexp(-energy(rbm, x, states(7)), dim=1)
    torch.testing.assert_close(rbm.free_energy(x), by_hand, rtol=1e-12, atol=1e-12)


def test_images_are_rows(tiny: GaussianRBM):
    rbm = GaussianRBM(hidden=4)
    images = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    assert torch.equal(rbm.free_energy(images), rbm.free_energy(images.flatten(1)))
    assert torch.equal(rbm.free_energy(images), rbm(images))
    assert rbm.free_energy(images).dtype == torch.float32


def test_hidden_mean_is_that_of_all_states(tiny: GaussianRBM):
    x = torch.randn(6, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    h = states(3)
    posterior = torch.softmax(-energy(tiny, x, h), dim=1)
    torch.testing.assert_close(tiny.hidden_mean(x), posterior @ h, rtol=1e-12, atol=1e-12)


def test_visible_mean_and_variance_are_those_of_the_density(tiny: GaussianRBM):
    points, _ = grid(tiny)
    h = states(3)
    weights = torch.softmax(-energy(tiny, points, h), dim=0)
    mean = weights.T @ points
    torch.testing.assert_close(tiny.visible_mean(h), mean, rtol=1e-10, atol=1e-10)
    variance = weights.T @ points**2 - mean**2
    torch.testing.assert_close(variance, torch.full_like(variance, 0.7**2), rtol=1e-10, atol=1e-10)


def test_the_partition_function_agrees_from_both_sides(tiny: GaussianRBM):
    # Over x it is a mixture of normal distributions, one for each hidden state, with a known area.
    points, area = grid(tiny)
    over_grid = torch.exp(-tiny.free_energy(points)).sum() * area
    h = states(3)
    mean = tiny.visible_mean(h)
    b = tiny.visible_bias
    exponent = (mean**2 - b**2).sum(1) / (2 * tiny.sigma**2) + h @ tiny.hidden_bias
    closed = 2 * math.pi * tiny.sigma**2 * torch.exp(exponent).sum()
    torch.testing.assert_close(over_grid, closed, rtol=1e-10, atol=0)


def test_the_gradient_is_that_of_the_likelihood(tiny: GaussianRBM):
    """The expectation over the machine is taken over a grid here; chains only estimate it."""
    points, area = grid(tiny)
    data = torch.randn(9, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    log_z = torch.log(torch.exp(-tiny.free_energy(points)).sum() * area)
    likelihood = torch.autograd.grad(tiny.free_energy(data).mean() + log_z, list(tiny.parameters()))

    density = torch.softmax(-tiny.free_energy(points).detach(), dim=0)
    h_data, h_points = tiny.hidden_mean(data), tiny.hidden_mean(points)
    by_hand = (
        -(h_data.T @ data / len(data) - (h_points * density[:, None]).T @ points) / tiny.sigma,
        -(data.mean(0) - density @ points) / tiny.sigma**2,
        -(h_data.mean(0) - density @ h_points),
    )
    for found, expected in zip(likelihood, by_hand, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)

    # and contrastive divergence is the same difference, with chains in the place of the grid
    chains = torch.randn(9, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = torch.autograd.grad(contrastive_divergence(tiny, data, chains), list(tiny.parameters()))
    h_chains = tiny.hidden_mean(chains)
    expected = (
        -(h_data.T @ data - h_chains.T @ chains) / 9 / tiny.sigma,
        -(data.mean(0) - chains.mean(0)) / tiny.sigma**2,
        -(h_data.mean(0) - h_chains.mean(0)),
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_chains_end_up_in_the_density_wherever_they_start(tiny: GaussianRBM):
    points, _ = grid(tiny)
    density = torch.softmax(-tiny.free_energy(points), dim=0)
    mean = density @ points
    spread = (density @ points**2 - mean**2).sqrt()
    random = torch.Generator().manual_seed(3)
    for start in (-5.0, 5.0):
        visible, around = tiny.gibbs(torch.full((40_000, 2), start).double(), steps=60, generator=random)
        # five standard errors
        assert ((visible.mean(0) - mean).abs() < 5 * spread / 200).all()
        assert ((visible.std(0) / spread - 1).abs() < 0.02).all()
        assert ((around.mean(0) - mean).abs() < 5 * spread / 200).all()
        assert (visible - around).std() == pytest.approx(0.7, rel=0.02)


def test_chains_depend_on_their_generator_alone(tiny: GaussianRBM):
    x = torch.zeros(5, 2).double()

    def run(seed: int) -> Tensor:
        torch.rand(seed + 1)
        return tiny.gibbs(x, steps=2, generator=torch.Generator().manual_seed(seed))[0]

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))
    assert torch.equal(x, torch.zeros(5, 2))


def test_reconstruction_error_is_the_mean_square(tiny: GaussianRBM):
    x = torch.randn(4, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    hidden = torch.sigmoid(x @ tiny.weight.T / 0.7 + tiny.hidden_bias)
    back = tiny.visible_bias + 0.7 * hidden @ tiny.weight
    torch.testing.assert_close(reconstruction_error(tiny, x), ((back - x) ** 2).mean(1), rtol=1e-12, atol=0)


def test_sigma_travels_with_the_weights(tmp_path):
    rbm = GaussianRBM(hidden=4, sigma=0.45)
    save_weights(rbm, tmp_path / "rbm.safetensors")
    other = load_weights(GaussianRBM(hidden=4), tmp_path / "rbm.safetensors")
    assert float(other.sigma) == pytest.approx(0.45)
    images = torch.rand(2, 1, 28, 28)
    assert torch.equal(other.free_energy(images), rbm.free_energy(images))


@pytest.mark.parametrize(("name", "value"), [("visible", 0), ("hidden", -1), ("sigma", 0.0), ("sigma", math.nan)])
def test_sizes_that_make_no_machine(name: str, value: float):
    with pytest.raises(ConfigError, match=f"{name} is {value}"):
        GaussianRBM(**{name: value})


def test_bad_input(tiny: GaussianRBM):
    with pytest.raises(ConfigError, match=r"\(3, 5\); this machine takes 2 numbers per row"):
        tiny.free_energy(torch.zeros(3, 5).double())
    with pytest.raises(ConfigError, match=r"\(2,\)"):
        tiny.hidden_mean(torch.zeros(2).double())
    with pytest.raises(ConfigError, match="steps is 0"):
        tiny.gibbs(torch.zeros(3, 2).double(), steps=0, generator=torch.Generator())
