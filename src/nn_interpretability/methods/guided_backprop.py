"""Guided backpropagation."""

from __future__ import annotations

from typing import ClassVar

from nn_interpretability.methods.rectified import Rectified
from nn_interpretability.rules.relu import Backward


class GuidedBackprop(Rectified):
    r"""The gradient, with negative signals stopped at every ReLU.

    At a ReLU with input :math:`z` and upstream signal :math:`G` the signal below is
    :math:`G \cdot 1[z > 0] \cdot 1[G > 0]`; everything else is the gradient. Also for functional and in-place ReLUs and
    for clipped ones (ReLU6), with the derivative in the place of :math:`1[z > 0]`.

    The paper defines nothing for other activations (leaky ReLU, SiLU, GELU, ...): they keep the plain gradient and are
    named in a warning. ``activations="all"`` stops negative signals there, too: :math:`G \cdot f'(z) \cdot 1[G > 0]`.
    A model without any ReLU gets a warning that the map is the plain gradient.

    The map depends little on the class, and can be nearly the same for a network with random upper layers.

    Parameters
    ----------
    model
        The classifier.
    activations
        ``"relu"`` or ``"all"``, see above.
    strict
        Raise where the method has no rule for an operation, or finds nothing to change, instead of warning.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed.

    References
    ----------
    Springenberg, Dosovitskiy, Brox and Riedmiller 2014, Striving for simplicity: the all convolutional net. Critique:
    Nie, Zhang and Patel 2018, A theoretical explanation for perplexing behaviors of backpropagation-based
    visualizations; Adebayo et al. 2018, Sanity checks for saliency maps.
    """

    name: ClassVar[str] = "guided_backprop"
    backward: ClassVar[Backward] = "guided"
