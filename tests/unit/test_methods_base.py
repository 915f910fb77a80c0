"""What all methods share: the pictures they take, chunks, and errors that say what to do."""

from __future__ import annotations

from typing import Any

import nets
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nn_interpretability import (
    LRP,
    Deconvolution,
    DeepLIFT,
    Gradient,
    GuidedBackprop,
    InputXGradient,
    IntegratedGradients,
)
from nn_interpretability.errors import ConfigError, DataError

METHODS = [DeepLIFT, Gradient, InputXGradient, LRP, GuidedBackprop, Deconvolution, IntegratedGradients]
IMAGES = nets.uniform(3, 1, 28, 28)


def with_one(value: float) -> Tensor:
    images = IMAGES.clone()
    images[1, 0, 3, 4] = value
    return images


UNFIT: dict[str, tuple[Any, str]] = {
    "integers": ((IMAGES * 255).to(torch.uint8), "Images must be a tensor of floating-point values, not torch.uint8"),
    "complex": (IMAGES.to(torch.complex128), "floating-point values, not torch.complex128"),
    "array": (IMAGES.numpy(), "floating-point values, not ndarray"),
    "list": ([[0.5]], "floating-point values, not list"),
    "a number": (torch.tensor(0.5), r"Images of shape \(\) are not a batch: .* its batch axis by image\[None\]"),
    "a row": (torch.ones(784), r"Images of shape \(784,\) are not a batch"),
    "none": (IMAGES[:0], r"Images of shape \(0, 1, 28, 28\) are not a batch"),
    "not a number": (with_one(np.nan), "The images contain NaN or infinite values"),
    "infinite": (with_one(-np.inf), "The images contain NaN or infinite values"),
    "another type": (
        IMAGES.float(),
        "The images are torch.float32 on cpu, the model is torch.float64 on cpu. Move one to the other; nothing is",
    ),
    "half": (IMAGES.half(), "The images are torch.float16 on cpu, the model is torch.float64"),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", UNFIT)
def test_pictures_that_cannot_be_explained(name: str, method: Any) -> None:
    images, message = UNFIT[name]
    with pytest.raises(DataError, match=message):
        method(nets.small_cnn(study=False)).interpret(images, 0)


@pytest.mark.parametrize("method", METHODS)
def test_a_model_on_another_device(method: Any) -> None:
    model = nets.small_cnn(study=False).to("meta")
    with pytest.raises(DataError, match=r"The images are torch\.float64 on cpu, the model is torch\.float64 on meta"):
        method(model).interpret(IMAGES, 0)


@pytest.mark.parametrize("method", METHODS)
def test_a_picture_without_its_batch_axis_is_not_explained_by_accident(method: Any) -> None:
    """What the model itself says about three axes comes through."""
    with pytest.raises(ValueError, match="one image needs its batch and channel dimensions"):
        method(nets.small_cnn(study=False)).interpret(IMAGES[0], 0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("chunk", [0, -1, 1.5, True, "2"])
def test_chunks_that_are_not_allowed(chunk: Any, method: Any) -> None:
    with pytest.raises(ConfigError, match=f"chunk={chunk!r} is not allowed: give the number of rows"):
        method(nets.small_cnn(study=False)).interpret(IMAGES, 0, chunk=chunk)


@pytest.mark.parametrize("method", METHODS)
def test_only_modules_are_explained(method: Any) -> None:
    with pytest.raises(ConfigError, match=r"The model must be a torch.nn.Module, not function"):
        method(lambda x: x)


class Exploding(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sqrt(x.flatten(1)[:, :2])


@pytest.mark.filterwarnings("ignore::nn_interpretability.errors.CoverageWarning")
@pytest.mark.parametrize("chunk", [None, 1])
@pytest.mark.parametrize("method", METHODS)
def test_values_that_are_not_finite_do_not_leave(method: Any, chunk: int | None) -> None:
    images = torch.ones(3, 1, 2, 2, dtype=torch.float64)
    images[1] = 0  # the derivative of the root is infinite at 0
    with pytest.raises(DataError, match=rf"{method.__name__} gave NaN or infinite values .* at positions \[1\]"):
        method(Exploding()).interpret(images, 0, chunk=chunk)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("layout", [torch.channels_last, "transposed", "expanded"])
def test_the_layout_of_memory_does_not_matter(method: Any, layout: Any) -> None:
    images = nets.uniform(3, 2, 6, 6)
    if layout == "transposed":
        given = images.transpose(2, 3).contiguous().transpose(2, 3)
    elif layout == "expanded":
        images = images[:1].expand(3, -1, -1, -1)
        given, images = images, images.contiguous()
    else:
        given = images.contiguous(memory_format=layout)
    model = nets.randomised(nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 4)))
    found = method(model).interpret(given, 1).values
    assert nets.relative(found, method(model).interpret(images, 1).values) < 1e-12


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 4, 4)])
def test_inputs_need_not_be_pictures(shape: tuple[int, ...]) -> None:
    size = int(np.prod(shape))
    model = nets.randomised(nn.Sequential(nn.Flatten(), nn.Linear(size, 6), nn.ReLU(), nn.Linear(6, 3)))
    values = nets.uniform(4, *shape)
    for method in (*METHODS, lambda model: LRP(model, rule="z_box", input_bounds=(0, 1), composite={"3": "0"})):
        assert method(model).interpret(values, "all").values.shape == (4, 3, *shape)


def test_what_an_attribution_says_of_itself() -> None:
    found = LRP(nets.small_cnn(study=False), rule="gamma", gamma=0.5).interpret(IMAGES, [1, 2, 3])
    assert found.method == "lrp"
    assert found.parameters["gamma"] == 0.5
    assert found.target_description == "classes"
    assert found.target.tolist() == [1, 2, 3]
    assert found.conserving
    assert found.reference is None
    assert found.coverage["ruled"] == {"conv2d": 2, "linear": 2}
    gradient = Gradient(nets.small_cnn(study=False)).interpret(IMAGES)
    assert not gradient.conserving
    assert gradient.completeness_error is None
    assert gradient.target_description == "predicted"
    assert gradient.coverage == {"ruled": {}, "passed": {}, "uncovered": {}}


def test_the_same_call_gives_the_same_bits() -> None:
    explained = LRP(nets.small_cnn(study=False, dtype=torch.float32), trace=True)
    first, second = (explained.interpret(IMAGES.float(), "all") for _ in range(2))
    assert torch.equal(first.values, second.values)
    assert torch.equal(first.trace.sent, second.trace.sent)
    assert torch.equal(first.logits, second.logits)
