"""Guided backpropagation and deconvolution at each kind of activation."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import nets
import pytest
import torch
from known_values import RELU_DECONVOLUTION, RELU_GRADIENT, RELU_GRADIENT_FROM_ABOVE, RELU_GUIDED, RELU_INPUT
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability import Deconvolution, Gradient, GuidedBackprop, SmoothGrad
from nn_interpretability.errors import ConfigError, CoverageError, CoverageWarning

INPUT = torch.tensor(RELU_INPUT).double()
SIGNAL = torch.tensor(RELU_GRADIENT_FROM_ABOVE).double()


def activated(activation: Callable[[Tensor], Any], signal: Tensor = SIGNAL) -> nn.Module:
    """A net of one activation, whose upstream signal is given."""

    def forward(_: Any, images: Tensor) -> Tensor:
        hidden = images * 1
        result = activation(hidden)
        return ((hidden if result is None else result) * signal).sum((1, 2, 3))[:, None]

    return nets.Net(forward)


def mapped(method: Any, activation: Callable[[Tensor], Any], values: Tensor = INPUT, **options: Any) -> list[Any]:
    return method(activated(activation), **options).interpret(values[None, None], 0).values[0, 0].tolist()


def dropped(hidden: Tensor) -> None:
    """In place, with the result left lying."""
    F.relu_(hidden)


RELUS: dict[str, Callable[[Tensor], Any]] = {
    "module": nn.ReLU(),
    "module in place": nn.ReLU(inplace=True),
    "functional": F.relu,
    "functional in place": lambda x: F.relu(x, inplace=True),
    "torch": torch.relu,
    "method": lambda x: x.relu(),
    "in place, result dropped": dropped,
    "clamp": lambda x: x.clamp(min=0),
    "clamp in place": lambda x: x.clamp_(0),
    "clamp_min": lambda x: torch.clamp_min(x, 0),
    "clip": lambda x: torch.clip(x, min=0.0),
    "threshold": lambda x: F.threshold(x, 0, 0),
    "relu6": nn.ReLU6(),
    "hardtanh": lambda x: F.hardtanh(x, 0.0, 6.0),
    "hardtanh in place": nn.Hardtanh(0.0, 6.0, inplace=True),
}


@pytest.mark.parametrize("name", RELUS)
def test_the_table_of_the_lecture(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mapped(Gradient, RELUS[name]) == list(map(list, RELU_GRADIENT))
        assert mapped(Deconvolution, RELUS[name], strict=True) == list(map(list, RELU_DECONVOLUTION))
        assert mapped(GuidedBackprop, RELUS[name], strict=True) == list(map(list, RELU_GUIDED))


@pytest.mark.parametrize("name", RELUS)
def test_nothing_passes_at_zero(name: str) -> None:
    """The rule reads 1[z > 0], whatever torch takes for the derivative at 0: that of clamp is 1 there."""
    assert mapped(GuidedBackprop, RELUS[name], torch.zeros(3, 3).double()) == [[0] * 3] * 3


def test_above_the_upper_limit_guided_follows_the_derivative_and_deconvolution_does_not() -> None:
    high = torch.full((3, 3), 7.0).double()
    assert mapped(GuidedBackprop, nn.ReLU6(), high) == [[0] * 3] * 3
    assert mapped(Deconvolution, nn.ReLU6(), high) == SIGNAL.clamp(min=0).tolist()


OTHERS: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "leaky_relu": (nn.LeakyReLU(0.1), "leaky_relu"),
    "prelu": (nn.PReLU(init=0.2).double(), "prelu"),
    "elu": (F.elu, "elu"),
    "silu": (nn.SiLU(), "silu"),
    "silu in place": (nn.SiLU(inplace=True), "silu"),
    "gelu": (nn.GELU(), "gelu"),
    "hardswish": (F.hardswish, "hardswish"),
    "tanh": (torch.tanh, "tanh"),
    "softplus": (F.softplus, "softplus"),
    "hardtanh": (F.hardtanh, "hardtanh"),
    "clamp to an interval": (lambda x: x.clamp(-1, 1), "clamp"),
    "clamp from above": (lambda x: x.clamp(max=1), "clamp"),
    "threshold": (lambda x: F.threshold(x, 1, 0), "threshold"),
}


@pytest.mark.parametrize("method", [GuidedBackprop, Deconvolution])
@pytest.mark.parametrize("name", OTHERS)
def test_other_activations_keep_the_gradient_and_are_named(name: str, method: Any) -> None:
    activation, called = OTHERS[name]
    words = rf"^{method.__name__} has no rule for these operations of the model: {called} \(1x\)\. The plain gradient"
    with pytest.warns(CoverageWarning, match=words) as seen:
        assert mapped(method, activation) == mapped(Gradient, activation)
    assert len(seen) == 1
    with pytest.raises(CoverageError, match=called):
        mapped(method, activation, strict=True)


@pytest.mark.parametrize("name", OTHERS)
def test_all_activations(name: str) -> None:
    activation, _ = OTHERS[name]
    slope = Gradient(activated(activation, torch.ones(3, 3).double())).interpret(INPUT[None, None], 0).values[0, 0]
    found = mapped(GuidedBackprop, activation, activations="all", strict=True)
    assert torch.allclose(torch.tensor(found, dtype=torch.float64), slope * SIGNAL.clamp(min=0), rtol=1e-14)
    assert mapped(Deconvolution, activation, activations="all", strict=True) == SIGNAL.clamp(min=0).tolist()


@pytest.mark.parametrize("method", [GuidedBackprop, Deconvolution])
def test_a_model_without_a_relu_is_told_so_once(method: Any) -> None:
    model = nets.net(lambda model, x: model.linear(x.flatten(1)), linear=nn.Linear(9, 3))
    images = INPUT[None, None].repeat(3, 1, 1, 1)
    words = f"{method.__name__} found no ReLU in the model: the map is the plain gradient."
    for explained in (method(model), SmoothGrad(method(model), samples=2)):
        with pytest.warns(CoverageWarning, match=words) as seen:
            explained.interpret(images, chunk=1)
        assert [warning.filename for warning in seen] == [__file__]
    with pytest.raises(CoverageError, match=words):
        method(model, strict=True).interpret(images)


@pytest.mark.parametrize("method", [GuidedBackprop, Deconvolution])
@pytest.mark.parametrize(
    ("step", "named"),
    [
        (lambda x: x * torch.sigmoid(x), "mul|sigmoid"),
        (lambda x: x.softmax(3), "softmax"),
        (lambda x: torch.maximum(x, torch.zeros_like(x)), "maximum"),
        (lambda x: 1 / (9 + x), "rtruediv|div"),
    ],
)
def test_operations_without_a_rule_are_named(step: Any, named: str, method: Any) -> None:
    with pytest.warns(CoverageWarning, match=named):
        mapped(method, lambda x: step(F.relu(x) + x))


def test_a_scripted_relu_is_found() -> None:
    class Scripted(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            return torch.relu(values)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        script = torch.jit.script(Scripted())
    with pytest.warns(CoverageWarning, match="ReluBackward|DifferentiableGraphBackward"):
        mapped(GuidedBackprop, script)


@pytest.mark.parametrize("method", [GuidedBackprop, Deconvolution])
@pytest.mark.parametrize("name", nets.RELU_CLASSIFIERS)
def test_classifiers_of_torchvision_are_covered(name: str, method: Any) -> None:
    size = nets.RELU_CLASSIFIERS[name]
    model = nets.torchvision_classifier(name)
    images = nets.uniform(1, 3, size, size, low=-1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explained = method(model, strict=True).interpret(images)
    assert torch.equal(explained.logits, model.eval()(images))
    assert nets.relative(explained.values, Gradient(model).interpret(images).values) > 0.1


@pytest.mark.parametrize("method", [GuidedBackprop, Deconvolution])
def test_a_choice_that_there_is_not(method: Any) -> None:
    with pytest.raises(ConfigError, match="activations='silu' is not allowed: choose 'relu' or 'all'"):
        method(nets.small_cnn(study=False), activations="silu")
