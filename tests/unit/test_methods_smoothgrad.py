"""SmoothGrad: whose noise, how much of it, and what is averaged."""

from __future__ import annotations

from typing import Any

import nets
import pytest
import torch
from torch import Tensor, nn

from nn_interpretability import (
    LRP,
    Deconvolution,
    DeepLIFT,
    GradCAM,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    Saliency,
    SmoothGrad,
)
from nn_interpretability.errors import ConfigError, CoverageWarning
from nn_interpretability.stochastic.noise import normals

IMAGES = nets.digits(4)


def twin(method: Any, images: Tensor, classes: Tensor, sigma: Tensor, samples: int, seed: int) -> tuple[Tensor, Tensor]:
    """Copy by copy, image by image."""
    maps = torch.stack(
        [
            torch.cat(
                [
                    method.interpret(
                        images[n : n + 1] + sigma[n] * torch.from_numpy(normals(seed, i, images.shape[1:])),
                        int(classes[n]),
                    ).values
                    for n in range(len(images))
                ]
            )
            for i in range(samples)
        ]
    )
    return maps.mean(0), maps.var(0)


SIGMAS = {
    "range": lambda x: x.flatten(1).amax(1) - x.flatten(1).amin(1),
    "std": lambda x: (x.flatten(1) - x.flatten(1).mean(1, keepdim=True)).square().mean(1).sqrt(),
    "absolute": lambda x: torch.ones(len(x)).double(),
}


@pytest.mark.parametrize("scale", SIGMAS)
@pytest.mark.parametrize(
    "make",
    [Gradient, Saliency, LRP, lambda model: IntegratedGradients(model, steps=3)],
    ids=["gradient", "saliency", "lrp", "integrated"],
)
def test_mean_and_variance_are_those_of_the_copies(make: Any, scale: Any) -> None:
    model, images = nets.small_cnn(), IMAGES * torch.tensor([1, 0.5, 0.25, 2]).reshape(4, 1, 1, 1).double()
    found = SmoothGrad(make(model), samples=5, sigma=0.2, scale=scale, seed=3).interpret(images)
    classes = model(images).argmax(1)
    mean, variance = twin(make(model), images, classes, 0.2 * SIGMAS[scale](images), 5, 3)
    assert nets.relative(found.values, mean) < 1e-12
    assert nets.relative(found.variance, variance) < 1e-12
    assert torch.equal(found.target, classes)
    assert torch.equal(found.logits, model(images))
    assert found.completeness_error is None


def test_the_range_is_taken_over_all_channels() -> None:
    images = torch.zeros(1, 3, 2, 2).double()
    images[0, 0, 0, 0], images[0, 2, 1, 1] = 5, -3
    net = nets.net(lambda model, x: model.linear(x.flatten(1)), linear=nn.Linear(12, 2))
    assert SmoothGrad(Gradient(net), sigma=0.25).sigma_of(images).tolist() == [[[[2.0]]]]


def test_the_target_is_decided_on_the_clean_image() -> None:
    """So much noise that every copy is another digit to the model."""
    model = nets.small_cnn()
    found = SmoothGrad(Gradient(model), samples=8, sigma=3.0).interpret(IMAGES)
    fixed = SmoothGrad(Gradient(model), samples=8, sigma=3.0).interpret(IMAGES, found.logits.argmax(1))
    assert torch.equal(found.values, fixed.values)
    assert found.target_description == "predicted"


def test_more_copies_begin_with_the_same() -> None:
    model = nets.small_cnn()
    four, two = (SmoothGrad(Gradient(model), samples=n).interpret(IMAGES, 3).values for n in (4, 2))
    rest = [
        Gradient(model).interpret(
            IMAGES + SmoothGrad(Gradient(model)).sigma_of(IMAGES) * torch.from_numpy(normals(0, i, (1, 28, 28))), 3
        )
        for i in (2, 3)
    ]
    assert nets.relative((2 * two + rest[0].values + rest[1].values) / 4, four) < 1e-13


def test_antithetic_noise_cancels_what_is_odd() -> None:
    """The gradient of a quadratic score is linear in the noise: one pair gives it exactly."""
    net = nets.Net(lambda _, x: x.flatten(1).square().sum(1, keepdim=True))
    pair = SmoothGrad(Gradient(net), samples=2, antithetic=True).interpret(IMAGES, 0)
    assert nets.relative(pair.values, 2 * IMAGES) < 1e-14
    plain = SmoothGrad(Gradient(net), samples=2).interpret(IMAGES, 0)
    assert nets.relative(plain.values, 2 * IMAGES) > 1e-2
    first = SmoothGrad(InputXGradient(net), samples=4, antithetic=True).interpret(IMAGES, 0).values
    noise = SmoothGrad(Gradient(net)).sigma_of(IMAGES) * torch.stack(
        [torch.from_numpy(normals(0, i, (1, 28, 28))) for i in (0, 1)]
    ).unsqueeze(1)
    assert nets.relative(first, 2 * (IMAGES.square() + noise.square().mean(0))) < 1e-13


def test_no_noise_changes_nothing() -> None:
    model = nets.small_cnn()
    found = SmoothGrad(LRP(model, trace=True), sigma=0, samples=3).interpret(IMAGES)
    assert nets.relative(found.values, LRP(model).interpret(IMAGES).values) < 1e-14
    assert found.variance.abs().max() < 1e-28
    assert found.trace is None


def test_of_a_constant_picture_the_range_is_nothing() -> None:
    model = nets.small_cnn()
    black = torch.zeros(1, 1, 28, 28).double()
    assert torch.allclose(
        SmoothGrad(Gradient(model), samples=2).interpret(black, 0).values, Gradient(model).interpret(black, 0).values
    )


def test_noisy_pixels_stay_in_their_bounds_where_asked_for() -> None:
    """As images that are not noisy: the rule of the input needs them there."""
    model = nets.small_cnn()
    method = LRP(model, input_rule="z_box", input_bounds=(0, 1))
    with pytest.raises(ConfigError, match="outside its input_bounds"):
        SmoothGrad(method, samples=3).interpret(IMAGES, 2)
    found = SmoothGrad(method, samples=3, clip=(0, 1)).interpret(IMAGES, 2).values
    noise = torch.stack([torch.from_numpy(normals(0, i, (1, 28, 28))) for i in range(3)])[:, None]
    copies = (IMAGES + SmoothGrad(method).sigma_of(IMAGES) * noise).clamp(0, 1)
    assert nets.relative(found, torch.stack([method.interpret(copy, 2).values for copy in copies]).mean(0)) < 1e-12


def test_what_belongs_to_the_clean_image_alone_is_left_out() -> None:
    model = nets.small_cnn()
    found = SmoothGrad(DeepLIFT(model), samples=2).interpret(IMAGES, 1)
    assert found.multipliers is None
    assert SmoothGrad(GradCAM(model, layer="features.relu2"), samples=2).interpret(IMAGES, 1).details == {}


def test_the_seed_decides() -> None:
    model = nets.small_cnn()
    one, same, other = (SmoothGrad(Gradient(model), samples=3, seed=s).interpret(IMAGES, 0).values for s in (5, 5, 6))
    assert torch.equal(one, same)
    assert nets.relative(one, other) > 1e-2


def test_a_function_of_its_own_images() -> None:
    """A target function that knows which image is which gets whole batches."""
    model, labels = nets.small_cnn(), torch.arange(4)
    picked = SmoothGrad(Gradient(model), samples=6).interpret(IMAGES, lambda scores: scores[torch.arange(4), labels])
    classes = SmoothGrad(Gradient(model), samples=6).interpret(IMAGES, labels)
    assert nets.relative(picked.values, classes.values) < 1e-13


def test_around_filters() -> None:
    found = SmoothGrad(Deconvolution(nets.small_cnn(), mode="kernel", layer="features.conv1"), samples=2).interpret(
        IMAGES
    )
    assert found.values.shape == found.variance.shape == (4, 10, 1, 28, 28)


def test_the_method_inside_warns_once() -> None:
    model = nets.net(lambda model, x: model.linear(x.flatten(1)).softmax(1), linear=nn.Linear(784, 3))
    with pytest.warns(CoverageWarning, match="^LRP has no rule .* softmax") as seen:
        SmoothGrad(LRP(model), samples=3).interpret(IMAGES, 0, chunk=2)
    assert [warning.filename for warning in seen] == [__file__]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "samples": ({"samples": 0}, "samples=0 is not allowed: give an integer >= 1"),
    "sigma": ({"sigma": -0.1}, "sigma=-0.1 is not allowed: give a number >= 0"),
    "scale": ({"scale": "max"}, "scale='max' is not allowed: choose 'range', 'std' or 'absolute'"),
    "clip": ({"clip": (1, 0)}, r"clip=\(1, 0\) is not allowed: give \(lowest, highest\), or None"),
    "seed": ({"seed": 1.5}, "seed=1.5 is not allowed"),
    "antithetic": ({"samples": 5, "antithetic": True}, "samples=5 is not allowed with antithetic noise: give an even"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name: str) -> None:
    options, words = BAD[name]
    with pytest.raises(ConfigError, match=words):
        SmoothGrad(Gradient(nets.small_cnn(study=False)), **options)


def test_a_model_is_no_method() -> None:
    with pytest.raises(ConfigError, match=r"not a Sequential: SmoothGrad\(Gradient\(model\)\)"):
        SmoothGrad(nn.Sequential())  # type: ignore[arg-type]
