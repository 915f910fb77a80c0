"""Saliency, guided backpropagation, deconvolution, paths and noise against captum.

captum needs every ReLU to be a module of its own.
"""

from __future__ import annotations

import warnings
from typing import Any

import nets
import pytest
import torch
from captum.attr import Deconvolution as TheirDeconvolution
from captum.attr import GuidedBackprop as TheirGuidedBackprop
from captum.attr import IntegratedGradients as TheirIntegratedGradients
from captum.attr import NoiseTunnel
from captum.attr import Saliency as TheirSaliency
from torch import Tensor, nn

from nn_interpretability import (
    Deconvolution,
    Gradient,
    GuidedBackprop,
    IntegratedGradients,
    Saliency,
    SmoothGrad,
)
from nn_interpretability.methods.base import Method
from nn_interpretability.stochastic.noise import normals

pytestmark = [
    pytest.mark.filterwarnings("ignore:Setting (forward, backward|backward) hooks on ReLU:UserWarning"),
    pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require gradients:UserWarning"),
]


def normalised() -> nn.Module:
    return nets.randomised(
        nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),  # overlapping windows
            nn.Conv2d(6, 8, 3, stride=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(32, 5),
        )
    ).eval()


CASES: dict[str, tuple[nn.Module, Tensor]] = {
    "small_cnn": (nets.small_cnn().eval(), nets.digits(5)),
    "batch norm, overlapping pools": (normalised(), nets.uniform(4, 3, 16, 16, low=-1)),
    "alexnet": (nets.torchvision_classifier("alexnet").eval(), nets.uniform(2, 3, 64, 64, low=-1)),
    "vgg11_bn": (nets.torchvision_classifier("vgg11_bn").eval(), nets.uniform(1, 3, 32, 32, low=-1)),
}
for _model, _ in CASES.values():
    for _module in _model.modules():
        if isinstance(_module, nn.ReLU):
            _module.inplace = False  # captum's hooks cannot be put on in-place modules

PAIRS: dict[str, tuple[type[Method], Any]] = {
    "guided_backprop": (GuidedBackprop, TheirGuidedBackprop),
    "deconvolution": (Deconvolution, TheirDeconvolution),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", PAIRS)
def test_one_backward_pass(name: str, case: str) -> None:
    ours, theirs = PAIRS[name]
    model, images = CASES[case]
    found = ours(model).interpret(images)
    expected = theirs(model).attribute(images.clone(), target=found.target)
    assert nets.relative(found.values, expected) < 1e-12


def test_saliency_is_the_largest_over_channels() -> None:
    model, images = CASES["alexnet"]
    found = Saliency(model).interpret(images)
    expected = TheirSaliency(model).attribute(images.clone(), target=found.target).amax(1, keepdim=True)
    assert found.values.shape == (2, 1, 64, 64)
    assert nets.relative(found.values, expected) < 1e-12


QUADRATURES: dict[Any, str] = {
    "midpoint": "riemann_middle",
    "left": "riemann_left",
    "right": "riemann_right",
    "gauss_legendre": "gausslegendre",
}


@pytest.mark.parametrize("quadrature", QUADRATURES)
@pytest.mark.parametrize("case", ["small_cnn", "batch norm, overlapping pools"])
@pytest.mark.parametrize("multiply", [True, False])
def test_integrated_gradients(case: str, quadrature: Any, multiply: bool) -> None:
    """Their weights have float32's precision, which is enough for 1 / 16; their trapezoid does not sum to 1."""
    model, images = CASES[case]
    reference = images.flip(0) / 3
    found = IntegratedGradients(
        model, reference=reference, steps=16, quadrature=quadrature, multiply_by_inputs=multiply
    ).interpret(images)
    expected, delta = TheirIntegratedGradients(model, multiply_by_inputs=multiply).attribute(
        images,
        reference,
        target=found.target,
        n_steps=16,
        method=QUADRATURES[quadrature],
        return_convergence_delta=True,
    )
    assert nets.relative(found.values, expected) < (1e-6 if quadrature == "gauss_legendre" else 1e-12)
    if multiply:
        assert nets.relative(found.total - found.score, delta) < 1e-5


@pytest.mark.parametrize("inner", ["gradient", "integrated_gradients"])
def test_smoothgrad_with_the_same_noise(inner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their noise is drawn by torch.normal, copy after copy of each image; it gets ours. Sigma is exact in float32."""
    model, images = CASES["small_cnn"]
    method: Method = Gradient(model) if inner == "gradient" else IntegratedGradients(model, steps=4)
    theirs: Any = TheirSaliency(model) if inner == "gradient" else TheirIntegratedGradients(model)
    options = {"abs": False} if inner == "gradient" else {"n_steps": 4, "method": "riemann_middle"}
    found = SmoothGrad(method, samples=6, sigma=0.25, scale="absolute", seed=9).interpret(images)
    noise = torch.stack([torch.from_numpy(normals(9, i, (1, 28, 28))) for i in range(6)])

    def drawn(mean: int, deviation: Tensor) -> Tensor:
        return mean + (deviation.reshape(len(images), 6, 1, 28, 28) * noise).reshape(deviation.shape)

    monkeypatch.setattr(torch, "normal", drawn)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = NoiseTunnel(theirs).attribute(
            images.clone(), nt_type="smoothgrad", nt_samples=6, stdevs=0.25, target=found.target, **options
        )
        squares = NoiseTunnel(theirs).attribute(
            images.clone(), nt_type="vargrad", nt_samples=6, stdevs=0.25, target=found.target, **options
        )
    assert nets.relative(found.values, expected) < 1e-12
    assert nets.relative(found.variance * 5 / 6, squares) < 1e-10  # theirs is divided by n
