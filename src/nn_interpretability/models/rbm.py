r"""A restricted Boltzmann machine with Gaussian visible units, a density of digits whose gradient is cheap.

.. math::
    E(x, h) = \frac{\|x - b\|^2}{2 \sigma^2} - \sum_j h_j \left(c_j + \frac{w_j \cdot x}{\sigma}\right),
    \qquad h_j \in \{0, 1\}

G. Hinton and R. Salakhutdinov, *Reducing the Dimensionality of Data with Neural Networks*, Science 2006.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nn_interpretability.errors import ConfigError


class GaussianRBM(nn.Module):
    """Gaussian visible units of one common standard deviation, binary hidden units.

    Parameters
    ----------
    visible, hidden
        Numbers of units.
    sigma
        Standard deviation of a visible unit, given the hidden ones; part of the state dict, not trained.

    Raises
    ------
    ConfigError
        If a number is not above 0.
    """

    sigma: Tensor

    def __init__(self, visible: int = 784, hidden: int = 256, sigma: float = 0.3) -> None:
        super().__init__()
        for name, value in {"visible": visible, "hidden": hidden, "sigma": sigma}.items():
            if not value > 0:
                raise ConfigError(f"{name} is {value}; it must be above 0.")
        self.weight = nn.Parameter(0.01 * torch.randn(hidden, visible))
        self.visible_bias = nn.Parameter(torch.zeros(visible))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.register_buffer("sigma", torch.tensor(float(sigma)))

    def free_energy(self, images: Tensor) -> Tensor:
        r"""Minus the logarithm of the density, but for the logarithm of the partition function.

        .. math:: F(x) = \frac{\|x - b\|^2}{2 \sigma^2} - \sum_j \log\left(1 + e^{c_j + w_j \cdot x / \sigma}\right)

        Parameters
        ----------
        images
            Shape (n, ...) with as many numbers per row as there are visible units; digits lie in [0, 1].

        Returns
        -------
        Tensor
            Shape (n,), in nats.
        """
        rows = self._rows(images)
        distance = (rows - self.visible_bias).square().sum(1, dtype=torch.float64) / (2 * self.sigma.double() ** 2)
        hidden = F.softplus(self._drive(rows)).sum(1, dtype=torch.float64)
        return (distance - hidden).to(rows.dtype)

    def forward(self, images: Tensor) -> Tensor:
        """The free energy of images."""
        return self.free_energy(images)

    def hidden_mean(self, images: Tensor) -> Tensor:
        r"""Probability that each hidden unit is on, :math:`\mathrm{sigmoid}(c + W x / \sigma)`, shape (n, hidden)."""
        return torch.sigmoid(self._drive(self._rows(images)))

    def visible_mean(self, hidden: Tensor) -> Tensor:
        r"""Mean of the visible units given the hidden ones, :math:`b + \sigma W^\top h`, shape (n, visible)."""
        mean: Tensor = torch.addmm(self.visible_bias, hidden, self.weight * self.sigma)
        return mean

    @torch.no_grad()
    def gibbs(self, images: Tensor, *, steps: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Run Markov chains whose stationary distribution is that of the machine.

        Parameters
        ----------
        images
            Where the chains start, shape (n, ...).
        steps
            Times that all hidden units are drawn, then all visible ones; 1 or more.
        generator
            On the CPU; the only source of random numbers.

        Returns
        -------
        visible, mean
            Both shape (n, visible): what the last step drew, and the mean that it was drawn around, which shows the
            same digit without the noise.

        Raises
        ------
        ConfigError
            If there are no steps.
        """
        if steps < 1:
            raise ConfigError(f"steps is {steps}; at least one Gibbs step is needed.")
        visible = mean = self._rows(images)
        for _ in range(steps):
            on = torch.rand(len(visible), len(self.weight), generator=generator).to(visible) < self.hidden_mean(visible)
            mean = self.visible_mean(on.to(visible.dtype))
            visible = mean + self.sigma * torch.randn(mean.shape, generator=generator).to(mean)
        return visible, mean

    def _drive(self, rows: Tensor) -> Tensor:
        return F.linear(rows / self.sigma, self.weight, self.hidden_bias)

    def _rows(self, images: Tensor) -> Tensor:
        rows = images.flatten(1) if images.dim() > 1 else images
        if rows.dim() != 2 or rows.shape[1] != self.weight.shape[1]:
            raise ConfigError(
                f"The images have the shape {tuple(images.shape)}; this machine takes {self.weight.shape[1]} numbers "
                "per row."
            )
        return rows
