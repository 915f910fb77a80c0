r"""The class model of K. Simonyan, A. Vedaldi and A. Zisserman, *Deep inside convolutional networks*, 2013."""

from __future__ import annotations

from torch import Tensor, nn

from nn_interpretability.errors import ConfigError
from nn_interpretability.synthesis.activation_maximization import ActivationMaximization, Progress
from nn_interpretability.synthesis.parametrisations import Bounds
from nn_interpretability.synthesis.priors import SquaredDistance
from nn_interpretability.synthesis.result import Synthesis
from nn_interpretability.synthesis.starts import Targets


class ClassModel:
    r"""The image with the largest score of a class, not too far from the mean image.

    .. math:: \max_I \; S_c(\bar x + I) - \lambda \|I\|_2^2

    The score, not the posterior: the posterior also grows when other classes' scores fall. The start is :math:`I = 0`;
    the result has the mean :math:`\bar x` of the training images, on which the network was centred, added back.

    Parameters
    ----------
    model
        Maps images ``(N, C, H, W)`` to scores ``(N, K)``; left as it was found.
    weight
        :math:`\lambda \ge 0`.
    image_shape
        ``(C, H, W)``, where there is no mean.
    mean
        The mean image ``(C, H, W)``; None: zero.
    bounds
        Of the pixels of :math:`\bar x + I`; None, as published: free.
    steps, learning_rate
        Of Adam. All steps are taken.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        weight: float = 0.1,
        image_shape: tuple[int, int, int] | None = None,
        mean: Tensor | None = None,
        bounds: Bounds = (0.0, 1.0),
        steps: int = 200,
        learning_rate: float = 0.02,
    ) -> None:
        if mean is not None and (not isinstance(mean, Tensor) or mean.dim() != 3):
            raise ConfigError("mean must be one image, a tensor (channels, height, width).")
        self._mean = mean
        self._ascent = ActivationMaximization(
            model,
            objective="score",
            image_shape=image_shape,
            bounds=bounds,
            priors=[SquaredDistance(weight, mean)],
            steps=steps,
            learning_rate=learning_rate,
            threshold=None,
        )

    def synthesize(
        self, target: Targets = "all", *, chunk: int | None = None, progress: Progress | None = None
    ) -> Synthesis:
        """Synthesise one image for each class; see :meth:`.ActivationMaximization.synthesize`.

        Parameters
        ----------
        target
            A class, several, or ``"all"``.
        chunk, progress
            As there.
        """
        start = "zeros" if self._mean is None else self._mean
        return self._ascent.synthesize(target, start, chunk=chunk, progress=progress)
