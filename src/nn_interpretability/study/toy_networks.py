"""Networks of a few units whose explanations can be worked out by hand, as ordinary layers.

Each takes inputs ``(n, 1, 1, inputs)``, so that methods which look for pixels find some, and gives one score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Matrix = Sequence[Sequence[float]]


def affine(weight: Matrix, bias: Sequence[float] | None = None) -> nn.Linear:
    """A linear layer with these weights, in float64."""
    layer = nn.Linear(len(weight[0]), len(weight), bias=bias is not None, dtype=torch.float64)
    layer.weight.data = torch.tensor(weight, dtype=torch.float64)
    if bias is not None:
        layer.bias.data = torch.tensor(bias, dtype=torch.float64)
    return layer


def saturated() -> nn.Sequential:
    """1 - relu(1 - a - b): the score no longer grows once a + b reaches 1 (Shrikumar et al. 2017, figure 1)."""
    return nn.Sequential(nn.Flatten(), affine([[-1, -1]], [1]), nn.ReLU(), affine([[-1]], [1]))


def threshold() -> nn.Sequential:
    """relu(x - 10): input x gradient jumps where the unit starts to fire (Shrikumar et al. 2017, figure 2)."""
    return nn.Sequential(nn.Flatten(), affine([[1]], [-10]), nn.ReLU())


def thresholded() -> nn.Sequential:
    """relu(a - b - 1): what stays below the threshold is noise, to which Rescale gives nothing."""
    return nn.Sequential(nn.Flatten(), affine([[1, -1]], [-1]), nn.ReLU())


def minimum() -> nn.Sequential:
    """min(a, b) = relu(a) - relu(a - b) for a >= 0 (Shrikumar et al. 2017, figure 3)."""
    return nn.Sequential(nn.Flatten(), affine([[1, 0], [1, -1]]), nn.ReLU(), affine([[1, -1]]))


def first_of_the_pair() -> nn.Sequential:
    """relu(relu(a) - 1 - relu(b)) (Sundararajan et al. 2017, figure 7)."""
    return nn.Sequential(nn.Flatten(), affine([[1, 0], [0, 1]]), nn.ReLU(), affine([[1, -1]], [-1]), nn.ReLU())


def second_of_the_pair() -> nn.Sequential:
    """relu(relu(a - 1) - relu(b)), the same function in other layers."""
    return nn.Sequential(nn.Flatten(), affine([[1, 0], [0, 1]], [-1, 0]), nn.ReLU(), affine([[1, -1]]), nn.ReLU())


@dataclass(frozen=True)
class Toy:
    """A network, and the line of inputs along which its explanations are drawn.

    Attributes
    ----------
    formula
        The function in plain words.
    network
        Makes it.
    along
        Inputs ``(n, inputs)`` from places ``(n,)`` on the axis.
    end
        Last place on the axis; the first is 0.
    axis
        What the axis is.
    at
        One input at which the answers are tabulated.
    """

    formula: str
    network: Callable[[], nn.Sequential]
    along: Callable[[Tensor], Tensor]
    end: float
    axis: str
    at: tuple[float, ...]

    def inputs(self, places: Tensor) -> Tensor:
        """The inputs at some places of the axis, shape ``(n, 1, 1, inputs)``."""
        return self.along(places)[:, None, None, :]


def _beside(value: float) -> Callable[[Tensor], Tensor]:
    """The first input varies, the second has this value."""
    return lambda places: torch.stack([places, torch.full_like(places, value)], dim=1)


TOYS: Mapping[str, Toy] = {
    "saturation": Toy(
        "1 − relu(1 − a − b)",
        saturated,
        lambda places: torch.stack([places, places], dim=1),
        1.0,
        "a = b",
        (1, 1),
    ),
    "threshold": Toy("relu(a − 10)", threshold, lambda places: places[:, None], 20.0, "a", (12,)),
    "thresholded": Toy("relu(a − b − 1)", thresholded, _beside(1.5), 4.0, "a, with b = 1.5", (2, 1.5)),
    "minimum": Toy("min(a, b)", minimum, _beside(1.0), 3.0, "a, with b = 1", (3, 1)),
}
"""By the name under which numbers and figures know them."""

PAIR: Mapping[str, Callable[[], nn.Sequential]] = {"f": first_of_the_pair, "g": second_of_the_pair}
PAIR_AT = (3.0, 1.0)
