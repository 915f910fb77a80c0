"""One table of methods; the suites that hold for every method run over its rows.

A new method gets these suites by a row here: ``unit/test_every_method.py`` (batches, chunks, targets, linearity,
dtypes, NaN), ``unit/test_every_method_refuses.py`` (bad input), ``unit/test_engine_preserve.py`` (nothing is left
behind).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import nets
from torch import Tensor, nn

from nn_interpretability import (
    CAM,
    LRP,
    Deconvolution,
    DeepLIFT,
    DeepTaylor,
    ExpectedGradients,
    GradCAM,
    Gradient,
    GuidedBackprop,
    GuidedGradCAM,
    InputXGradient,
    IntegratedGradients,
    Occlusion,
    Saliency,
    SimpleTaylor,
    SmoothGrad,
)
from nn_interpretability.errors import DataError
from nn_interpretability.methods.base import Method


@dataclass(frozen=True)
class MethodCase:
    """A method with settings, and what may be expected of it.

    Attributes
    ----------
    method
        Its name in the registry.
    build
        The method on a model, for the images it is going to explain (with pixels in [0, 1]).
    linear
        Whether maps are linear in the start signal: that of a weighted sum of scores is the weighted sum of maps.
    target
        Whether there is a target to choose.
    backward
        Whether it makes a backward pass.
    """

    method: str
    build: Callable[[nn.Module, Tensor], Method]
    linear: bool = True
    target: bool = True
    backward: bool = True


def layer_called(model: nn.Module, name: str) -> str:
    """The dotted name of the layer whose own name this is: the models of these suites have a ``conv`` and a ``last``.

    ``conv`` has weights and ``last`` returns the feature maps that are averaged before the linear layer.
    """
    return next(full for full, _ in model.named_modules() if full.split(".")[-1] == name)


def own_reference(images: Tensor) -> Tensor:
    """A reference for each image, which depends on no other image."""
    return images.detach().flip(-1) / 2


def references(images: Tensor) -> Tensor:
    """Three references for all images."""
    return nets.uniform(3, *images.shape[1:], seed=31).to(images)


def _lrp(**settings: Any) -> Callable[[nn.Module, Tensor], Method]:
    return lambda model, _: LRP(model, **settings)


CASES: dict[str, MethodCase] = {
    "gradient": MethodCase("gradient", lambda model, _: Gradient(model)),
    "saliency": MethodCase("saliency", lambda model, _: Saliency(model), linear=False),
    "input_x_gradient": MethodCase("input_x_gradient", lambda model, _: InputXGradient(model)),
    "guided_backprop": MethodCase(
        "guided_backprop", lambda model, _: GuidedBackprop(model, activations="all"), linear=False
    ),
    "deconvolution": MethodCase(
        "deconvolution", lambda model, _: Deconvolution(model, activations="all"), linear=False
    ),
    "deconvolution of all scores": MethodCase(
        "deconvolution",
        lambda model, _: Deconvolution(model, start="logits", activations="all"),
        linear=False,
        target=False,
    ),
    "deconvolution of filters": MethodCase(
        "deconvolution",
        lambda model, _: Deconvolution(model, mode="activation", layer=layer_called(model, "conv"), activations="all"),
        linear=False,
        target=False,
    ),
    "integrated_gradients": MethodCase(
        "integrated_gradients",
        lambda model, images: IntegratedGradients(model, reference=own_reference(images), steps=7),
    ),
    "expected_gradients": MethodCase(
        "expected_gradients",
        lambda model, images: ExpectedGradients(model, references=references(images), samples=7),
    ),
    "smoothgrad": MethodCase("smoothgrad", lambda model, _: SmoothGrad(Gradient(model), samples=4)),
    "smoothgrad of lrp": MethodCase(
        "smoothgrad", lambda model, _: SmoothGrad(LRP(model, trace=True), samples=3, scale="std")
    ),
    "smoothgrad of integrated gradients": MethodCase(
        "smoothgrad",
        lambda model, images: SmoothGrad(
            IntegratedGradients(model, reference=own_reference(images), steps=3), samples=3
        ),
    ),
    "smoothgrad of guided": MethodCase(
        "smoothgrad",
        lambda model, _: SmoothGrad(GuidedBackprop(model, activations="all"), samples=4, antithetic=True),
        linear=False,
    ),
    "simple_taylor": MethodCase("simple_taylor", lambda model, _: SimpleTaylor(model)),
    "simple_taylor at the nearest root": MethodCase(
        "simple_taylor", lambda model, _: SimpleTaylor(model, root="nearest"), linear=False
    ),
    "deep_taylor": MethodCase("deep_taylor", lambda model, _: DeepTaylor(model, input_bounds=(0, 1)), linear=False),
    "lrp 0": MethodCase("lrp", _lrp(rule="0", trace=True)),
    "lrp epsilon": MethodCase("lrp", _lrp(trace=True)),
    "lrp gamma, z-box": MethodCase(
        "lrp", _lrp(rule="gamma", input_rule="z_box", input_bounds=(0, 1), bias="ignore", trace=True)
    ),
    "lrp alpha-beta": MethodCase("lrp", _lrp(rule="alpha_beta", alpha=2, beta=1, pooling="proportional")),
    "lrp z-plus, w2": MethodCase("lrp", _lrp(rule="z_plus", input_rule="w2", trace=True)),
    "lrp epsilon, flat": MethodCase("lrp", _lrp(input_rule="flat", trace=True)),
    "lrp montavon2019": MethodCase("lrp", _lrp(composite="montavon2019", input_bounds=(0, 1), trace=True)),
    "lrp at a layer": MethodCase("lrp", lambda model, _: LRP(model, layer=layer_called(model, "last"))),
    "deeplift rescale": MethodCase("deeplift", lambda model, _: DeepLIFT(model)),
    "deeplift reveal-cancel": MethodCase(
        "deeplift", lambda model, images: DeepLIFT(model, rule="reveal_cancel", reference=own_reference(images))
    ),
    "deeplift of several references": MethodCase(
        "deeplift",
        lambda model, images: DeepLIFT(
            model, rule={"conv2d": "rescale", "*": "reveal_cancel"}, reference=list(references(images))
        ),
    ),
    "cam": MethodCase("cam", lambda model, _: CAM(model), backward=False),
    "grad_cam": MethodCase(
        "grad_cam", lambda model, _: GradCAM(model, layer=layer_called(model, "last")), linear=False
    ),
    "grad_cam without ReLU": MethodCase(
        "grad_cam", lambda model, _: GradCAM(model, layer=layer_called(model, "last"), relu=False)
    ),
    "guided_grad_cam": MethodCase(
        "guided_grad_cam",
        lambda model, _: GuidedGradCAM(model, layer=layer_called(model, "last"), activations="all"),
        linear=False,
    ),
    "occlusion": MethodCase("occlusion", lambda model, _: Occlusion(model, window=4, stride=3), backward=False),
    "occlusion of probabilities": MethodCase(
        "occlusion",
        lambda model, _: Occlusion(model, window=5, fill="blur", score="probability"),
        backward=False,
    ),
}
TARGETED = [name for name, case in CASES.items() if case.target]
LINEAR = [name for name, case in CASES.items() if case.linear]
NOT_LINEAR = [name for name in TARGETED if name not in LINEAR]

CLASSES = 4


def explained(name: str, model: nn.Module, images: Tensor) -> Method:
    """The method of a row on a model."""
    return CASES[name].build(model, images)


def model(activation: Callable[[], nn.Module] = nn.ReLU, seed: int = 3) -> nn.Module:
    """A small network that every method takes: 2 x 10 x 10 pixels, 4 classes, global average pooling, float64."""
    return nets.net(
        lambda net, images: net.head(net.last(net.second(net.pool(net.act(net.norm(net.conv(images)))))).mean((2, 3))),
        seed,
        conv=nn.Conv2d(2, 4, 3),
        norm=nn.BatchNorm2d(4),
        act=activation(),
        pool=nn.MaxPool2d(2),
        second=nn.Conv2d(4, 6, 3),
        last=nn.ReLU(),
        head=nn.Linear(6, CLASSES),
    )


def images(count: int = 5) -> Tensor:
    """Pictures with pixels in [0, 1], some of them black in part, of very different brightness."""
    drawn = nets.uniform(count, 2, 10, 10, seed=17)
    drawn[:, :, :3] = 0
    drawn[1::3] *= 0.05
    return drawn


def values_or_refusal(method: Method, images: Tensor, **settings: Any) -> Tensor | str:
    """A map, or the words with which it was refused."""
    try:
        return method.interpret(images, **settings).values
    except DataError as error:
        return str(error)
