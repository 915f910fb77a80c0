"""Small networks whose explanations can be worked out by hand, and the answers, with where they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class KnownValue:
    """A network, an input, a method's settings, and the map; ``source`` says who worked it out."""

    source: str
    model: Callable[[], nn.Module]
    given: tuple[float, ...]
    expected: tuple[float, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    score: float | None = None


class Function(nn.Module):
    """A function of the input as a network of one output."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x[:, 0], x[:, 1])[:, None]


def linear(weight: list[list[float]], bias: list[float] | None = None) -> nn.Linear:
    """A linear layer with these weights."""
    layer = nn.Linear(len(weight[0]), len(weight), bias=bias is not None, dtype=torch.float64)
    layer.weight.data = torch.tensor(weight, dtype=torch.float64)
    if bias is not None:
        layer.bias.data = torch.tensor(bias, dtype=torch.float64)
    return layer


def captum_toy(corner: float = 2.0) -> nn.Sequential:
    """3 -> 3 -> 1 with weights 2, then 3, and no biases."""
    first = [[2.0] * 3 for _ in range(3)]
    first[0][0] = corner
    return nn.Sequential(linear(first), nn.ReLU(), linear([[3.0] * 3]))


CAPTUM = "captum's own tests of LRP (Kokhlikyan et al. 2020)"

LRP_VALUES: dict[str, KnownValue] = {
    "all positive, epsilon": KnownValue(
        CAPTUM, captum_toy, (1, 2, 3), (18, 36, 54), {"rule": "epsilon", "epsilon": 0.0}, 108
    ),
    "all positive, epsilon small": KnownValue(
        CAPTUM, captum_toy, (1, 2, 3), (18, 36, 54), {"rule": "epsilon", "epsilon": 1e-14}, 108
    ),
    "one negative weight, gamma 1 then 0.25": KnownValue(
        CAPTUM,
        lambda: captum_toy(-2.0),
        (1, 2, 3),
        (28 / 3, 104 / 3, 52),
        {"composite": {"0": {"rule": "gamma", "gamma": 1.0}, "2": {"rule": "gamma", "gamma": 0.25}}},
        96,
    ),
    "one negative weight, alpha 1, beta 0": KnownValue(
        CAPTUM,
        lambda: captum_toy(-2.0),
        (1, 2, 3),
        (12, 33.6, 50.4),
        {"rule": "alpha_beta", "alpha": 1, "beta": 0},
        96,
    ),
    "skip connection": KnownValue(
        "x_0 + (4 x_0 + 6 x_1) at (2, 3): each input gets its own share of the sum",
        lambda: Function(lambda a, b: a + F.linear(torch.stack([a, b], 1), torch.tensor([[4.0, 6.0]]).double())[:, 0]),
        (2, 3),
        (10, 18),
        {"rule": "0"},
        28,
    ),
    "z-box": KnownValue(
        "z-box rule with w = (1, -2), x = (.2, .7) in [0, 1]: contributions .2 and 2 - 1.4 (Montavon et al. 2017)",
        lambda: linear([[1.0, -2.0]]),
        (0.2, 0.7),
        (0.25 * -1.2, 0.75 * -1.2),
        {"rule": "z_box", "input_bounds": (0, 1)},
        -1.2,
    ),
    "z-box, bounds per input": KnownValue(
        "w = (1, -2, 3), x = (.5, .5, .5), l = (0, -1, -2), h = (1, 1, 1): contributions .5, 1, 7.5",
        lambda: linear([[1.0, -2.0, 3.0]]),
        (0.5, 0.5, 0.5),
        (0.5 / 9, 1 / 9, 7.5 / 9),
        {"rule": "z_box", "input_bounds": ([[0.0, -1.0, -2.0]], 1.0)},
        1.0,
    ),
    "z-plus": KnownValue(
        "contributions 2, -1 and, of two negatives, 3; the bias does not count (Montavon et al. 2017)",
        lambda: linear([[1.0, -1.0, -3.0]], [4.0]),
        (2, 1, -1),
        (8 * 2 / 5, 0, 8 * 3 / 5),
        {"rule": "z_plus"},
        8,
    ),
    "all positive, alpha 2, beta 1": KnownValue(
        "without negative contributions nothing is subtracted, and relevance doubles",
        lambda: linear([[1.0, 2.0]]),
        (3, 1),
        (6, 4),
        {"rule": "alpha_beta", "alpha": 2, "beta": 1},
        5,
    ),
    "alpha 2, beta 1 with a bias": KnownValue(
        "positive contributions 4 and bias 2 share twice the score 3, the negative one gets back all of it",
        lambda: linear([[2.0, -3.0]], [2.0]),
        (2, 1),
        (2 * 3 * 4 / 6, -3),
        {"rule": "alpha_beta", "alpha": 2, "beta": 1},
        3,
    ),
    "bias absorbs": KnownValue(
        "2 of 8 stay with the bias (Bach et al. 2015)", lambda: linear([[2.0]], [2.0]), (3,), (6,), {"rule": "0"}, 8
    ),
    "bias ignored": KnownValue(
        "inputs share all of it", lambda: linear([[2.0]], [2.0]), (3,), (8,), {"rule": "0", "bias": "ignore"}, 8
    ),
    "epsilon absorbs": KnownValue(
        "z / (z + epsilon) of 6, and of the negative -6",
        lambda: linear([[2.0]]),
        (-3,),
        (-6 * 6 / 8,),
        {"rule": "epsilon", "epsilon": 2.0},
        -6,
    ),
    "epsilon unsigned": KnownValue(
        "as Montavon et al. (2019) print it, a negative denominator moves towards zero",
        lambda: linear([[2.0]]),
        (-3,),
        (-6 * 6 / 4,),
        {"rule": "epsilon", "epsilon": {"absolute": 2.0, "signed": False}},
        -6,
    ),
    "epsilon of the row": KnownValue(
        "outputs 3 and 4 have the root mean square sqrt(12.5); the first is explained",
        lambda: linear([[1.0, 0.0], [0.0, 1.0]]),
        (3, 4),
        (3 * 3 / (3 + 12.5**0.5), 0),
        {"rule": "epsilon", "epsilon": {"rms": 1.0}},
        3,
    ),
    "gamma with a bias": KnownValue(
        "(2 + 2) 1 - 1 and bias 1 + 1: 4, -1 and 2 of 5 (Montavon et al. 2019)",
        lambda: linear([[2.0, -1.0]], [1.0]),
        (1, 1),
        (2 * 4 / 5, 2 * -1 / 5),
        {"rule": "gamma", "gamma": 1.0},
        2,
    ),
    "sigmoid": KnownValue(
        "an activation passes relevance on: 2 w sigmoid(x) belongs to x",
        lambda: nn.Sequential(nn.Sigmoid(), linear([[2.0]])),
        (0.7,),
        (2 / (1 + 2.718281828459045**-0.7),),
        {"rule": "0"},
    ),
}

GRADIENT_VALUES: dict[str, KnownValue] = {
    "saturated": KnownValue(
        "y = 1 - relu(1 - x_0 - x_1) at (1, 1) (Shrikumar et al. 2017, figure 1)",
        lambda: Function(lambda a, b: 1 - F.relu(1 - a - b)),
        (1, 1),
        (0, 0),
        score=1,
    ),
    "not saturated": KnownValue(
        "the same at (.25, .5)", lambda: Function(lambda a, b: 1 - F.relu(1 - a - b)), (0.25, 0.5), (1, 1), score=0.75
    ),
    "f of the integrated-gradients paper": KnownValue(
        "relu(relu(x_0) - 1 - relu(x_1)) at (3, 1) (Sundararajan et al. 2017, appendix B)",
        lambda: Function(lambda a, b: F.relu(F.relu(a) - 1 - F.relu(b))),
        (3, 1),
        (1, -1),
        score=1,
    ),
    "g of the integrated-gradients paper": KnownValue(
        "relu(relu(x_0 - 1) - relu(x_1)), the same function there",
        lambda: Function(lambda a, b: F.relu(F.relu(a - 1) - F.relu(b))),
        (3, 1),
        (1, -1),
        score=1,
    ),
    "minimum": KnownValue(
        "min(x_0, x_1) = x_0 - relu(x_0 - x_1)",
        lambda: Function(lambda a, b: a - F.relu(a - b)),
        (3, 1),
        (0, 1),
        score=1,
    ),
}

# The gradient jumps at a threshold: relu(x - 10) has input x gradient 0 below it and x, more than 10, above.
THRESHOLD = {9.999: 0.0, 10.001: 10.001, 12.0: 12.0}

# A ReLU with input z and signal G from above: the gradient keeps G where z > 0, deconvolution (Zeiler and Fergus 2014)
# where G > 0, guided backpropagation (Springenberg et al. 2014) where both are. From the lecture of the 2020 study.
RELU_INPUT = ((1, -1, 5), (2, -5, -7), (-3, 2, 4))
RELU_GRADIENT_FROM_ABOVE = ((-2, 3, -1), (6, -3, 1), (2, -1, 3))
RELU_GRADIENT = ((-2, 0, -1), (6, 0, 0), (0, -1, 3))
RELU_DECONVOLUTION = ((0, 3, 0), (6, 0, 1), (2, 0, 3))
RELU_GUIDED = ((0, 0, 0), (6, 0, 0), (0, 0, 3))
