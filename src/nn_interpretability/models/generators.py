"""Generators of digits: the study's small one, and one laid out like the DCGAN that it borrowed.

I. Goodfellow et al., *Generative Adversarial Nets*, 2014 (arXiv 1406.2661); A. Radford, L. Metz and S. Chintala,
*Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks*, 2015 (arXiv 1511.06434).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nn_interpretability.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable


class Generator(nn.Module):
    """Turn codes, drawn from the standard normal distribution, into images.

    Parameters
    ----------
    latent_size
        Numbers in one code.

    Attributes
    ----------
    latent_size
        The same.
    """

    def __init__(self, latent_size: int) -> None:
        super().__init__()
        self.latent_size = latent_size

    def forward(self, codes: Tensor) -> Tensor:
        """Compute images ``(n, 1, 28, 28)`` with values in [0, 1] of codes ``(n, latent_size)``.

        Raises
        ------
        ConfigError
            If the codes have another shape.
        """
        if codes.dim() != 2 or codes.shape[1] != self.latent_size:
            raise ConfigError(
                f"The codes have the shape {tuple(codes.shape)}; {type(self).__name__} takes (n, {self.latent_size})."
            )
        return self.images(codes)

    def images(self, codes: Tensor) -> Tensor:
        """Compute the images of codes that have the right shape."""
        raise NotImplementedError


class GANGenerator(Generator):
    """Two linear layers, 114,064 parameters; the names in the state dict are those of the study's published weights.

    Parameters
    ----------
    latent_size, hidden
        Numbers in one code, and hidden units.
    """

    def __init__(self, latent_size: int = 100, hidden: int = 128) -> None:
        super().__init__(latent_size)
        self.dense1 = nn.Linear(latent_size, hidden)
        self.dense2 = nn.Linear(hidden, 28 * 28)

    def images(self, codes: Tensor) -> Tensor:
        """ReLU behind the first layer, sigmoid behind the second."""
        return torch.sigmoid(self.dense2(torch.relu(self.dense1(codes)))).view(-1, 1, 28, 28)


class DCGANGenerator(Generator):
    """Transposed convolutions with batch norm, as in the study, with a quarter of its feature maps.

    Sizes of the feature maps: 4, 8, 16, 32, and 28 behind the last layer, which cuts two pixels from each edge. In
    evaluation mode an image does not depend on the others of its batch.

    Parameters
    ----------
    latent_size
        Numbers in one code.
    width
        Feature maps of the largest size; the study's generator has 64.
    """

    def __init__(self, latent_size: int = 100, width: int = 16) -> None:
        super().__init__(latent_size)
        self.blocks = nn.Sequential(
            _upscale(latent_size, 8 * width, stride=1, padding=0),
            _upscale(8 * width, 4 * width, stride=2, padding=1),
            _upscale(4 * width, 2 * width, stride=2, padding=1),
            _upscale(2 * width, width, stride=2, padding=1),
            nn.ConvTranspose2d(width, 1, kernel_size=1, padding=2, bias=False),
        )

    def images(self, codes: Tensor) -> Tensor:
        """The hyperbolic tangent of the study, shifted and scaled from [-1, 1] to [0, 1]."""
        return (torch.tanh(self.blocks(codes[:, :, None, None])) + 1) / 2


def _upscale(inputs: int, outputs: int, *, stride: int, padding: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, kernel_size=4, stride=stride, padding=padding, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


_GENERATORS: dict[str, Callable[[], Generator]] = {"gan": GANGenerator, "dcgan": DCGANGenerator}


def build_generator(name: str) -> Generator:
    """Build a generator with new weights, drawn from torch's global random generator.

    Parameters
    ----------
    name
        ``gan`` or ``dcgan``.

    Raises
    ------
    ConfigError
        If there is no such generator.
    """
    if name not in _GENERATORS:
        raise ConfigError(f"There is no generator {name!r}. The generators are: {', '.join(_GENERATORS)}.")
    return _GENERATORS[name]()
