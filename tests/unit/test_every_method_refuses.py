"""What no method takes: one clear error that names the cause, and never a map of NaN."""

from __future__ import annotations

from typing import Any

import method_cases
import nets
import numpy as np
import pytest
import torch
from method_cases import CASES, TARGETED, explained, layer_called
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability import LRP, DeepTaylor, Gradient
from nn_interpretability.errors import ConfigError, CoverageError, DataError
from nn_interpretability.registry import METHODS

IMAGES = method_cases.images(3)


def with_one(value: float) -> Tensor:
    images = IMAGES.clone()
    images[1, 0, 3, 4] = value
    return images


def interpret(name: str, images: Any = IMAGES, target: Any = None, **settings: Any) -> None:
    explained(name, method_cases.model(), IMAGES).interpret(images, target, **settings)


# Pictures


UNFIT: dict[str, tuple[Any, str]] = {
    "integers": ((IMAGES * 255).to(torch.uint8), "Images must be a tensor of floating-point values, not torch.uint8"),
    "complex": (IMAGES.to(torch.complex128), "floating-point values, not torch.complex128"),
    "array": (IMAGES.numpy(), "floating-point values, not ndarray"),
    "list": ([[0.5]], "floating-point values, not list"),
    "a number": (torch.tensor(0.5), r"Images of shape \(\) are not a batch: .* its batch axis by image\[None\]"),
    "a row": (torch.ones(784), r"Images of shape \(784,\) are not a batch"),
    "none": (IMAGES[:0], r"Images of shape \(0, 2, 10, 10\) are not a batch"),
    "not a number": (with_one(np.nan), "The images contain NaN or infinite values"),
    "infinite": (with_one(-np.inf), "The images contain NaN or infinite values"),
    "another type": (
        IMAGES.float(),
        "The images are torch.float32 on cpu, the model is torch.float64 on cpu. Move one to the other; nothing is",
    ),
    "half": (IMAGES.half(), "The images are torch.float16 on cpu, the model is torch.float64"),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("images", UNFIT)
def test_pictures_that_cannot_be_explained(images: str, name: str) -> None:
    given, message = UNFIT[images]
    with pytest.raises(DataError, match=message):
        interpret(name, given)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_pictures_with_other_channels(name: str, channels: int) -> None:
    """What the model itself says comes through, also where references, windows or bounds come first."""
    images = nets.uniform(3, channels, 10, 10)
    with pytest.raises((RuntimeError, ValueError), match=f"to have 2 channels, but got {channels} channels"):
        explained(name, method_cases.model(), images).interpret(images)


@pytest.mark.parametrize("name", CASES)
def test_a_picture_without_its_batch_axis_is_not_explained_by_accident(name: str) -> None:
    """Three axes may be a batch of something else, so that the model has the last word."""
    with pytest.raises((DataError, IndexError, RuntimeError, ValueError)):
        interpret(name, IMAGES[0])


@pytest.mark.parametrize("name", CASES)
def test_a_model_on_another_device(name: str) -> None:
    model = method_cases.model().to("meta")
    with pytest.raises(DataError, match=r"The images are torch\.float64 on cpu, the model is torch\.float64 on meta"):
        explained(name, model, IMAGES).interpret(IMAGES)


@pytest.mark.parametrize("lowest", [0.01, [0.0, 0.01], -1.0])
def test_pixels_outside_their_bounds(lowest: Any) -> None:
    """For each method that is told the bounds of pixels."""
    told = [name for name, entry in METHODS.items() if "input_bounds" in entry.parameters["properties"]]
    assert set(told) == {"lrp", "deep_taylor"}
    highest = 0.99 if lowest == -1 else 1.0
    for explain in (
        LRP(method_cases.model(), input_rule="z_box", input_bounds=(lowest, highest)),
        DeepTaylor(method_cases.model(), input_bounds=(lowest, highest)),
    ):
        with pytest.raises(ConfigError, match=r"The pixel at \(.*\) .* has the value .*, outside its input_bounds"):
            explain.interpret(with_one(1.0))


# Targets and chunks


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (4, "target=4 is not a class of this model: its classes are 0 to 3"),
        (-1, "target=-1 is not a class"),
        ([0, 1, 9], "target=9 is not a class"),
        ([0, 1], "2 entries for 3 images"),
        (torch.zeros(3, 5), r"target weights have shape \(3, 5\)"),
        ("every", "target='every' is not allowed"),
    ],
)
@pytest.mark.parametrize("name", TARGETED)
def test_targets_that_do_not_fit(name: str, target: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        interpret(name, target=target)


@pytest.mark.parametrize("name", sorted(set(CASES) - set(TARGETED)))
def test_a_target_where_there_is_none_to_choose(name: str) -> None:
    with pytest.raises(ConfigError, match="A target has no meaning"):
        interpret(name, target=1)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("chunk", [0, -1, 1.5, True, "2"])
def test_chunks_that_are_not_allowed(chunk: Any, name: str) -> None:
    with pytest.raises(ConfigError, match=f"chunk={chunk!r} is not allowed: give the number of rows"):
        interpret(name, chunk=chunk)


# Models and layers

NEEDED: dict[str, dict[str, Any]] = {"expected_gradients": {"references": [0]}}


def with_setting(key: str) -> list[str]:
    return [name for name, entry in METHODS.items() if key in entry.parameters["properties"]]


@pytest.mark.parametrize("name", [name for name in METHODS if name != "smoothgrad"])
def test_only_modules_are_explained(name: str) -> None:
    needed = {"layer": "last"} if "layer" in METHODS[name].parameters.get("required", []) else {}
    with pytest.raises(ConfigError, match=r"The model must be a torch.nn.Module, not function"):
        METHODS[name].build(lambda x: x, NEEDED.get(name, needed))


@pytest.mark.parametrize("name", with_setting("layer"))
def test_an_unknown_layer_is_refused_with_the_names_there_are(name: str) -> None:
    more = {"mode": "activation"} if name == "deconvolution" else {}
    with pytest.raises(ConfigError, match=r"'conf'.*Did you mean 'conv'.*Layers: conv, "):
        METHODS[name].build(method_cases.model(), {"layer": "conf", **more}).interpret(IMAGES)


def test_an_unknown_layer_in_a_composite_or_a_mapping_of_rules() -> None:
    for name, setting in (("lrp", {"composite": {"conf": "gamma"}}), ("deeplift", {"rule": {"conf": "rescale"}})):
        with pytest.raises(ConfigError, match=r"'conf'.*Did you mean 'conv'.*conv, "):
            METHODS[name].build(method_cases.model(), setting).interpret(IMAGES)


@pytest.mark.parametrize("rule", ["w2", "flat", "z_box"])
def test_rules_of_the_input_are_for_layers_that_see_it(rule: str) -> None:
    network = method_cases.model()
    with pytest.raises(ConfigError, match=f"The rule '{rule}' is for layers that see the input; 'second' does not"):
        LRP(network, composite={"second": rule}, input_bounds=(0, 1)).interpret(IMAGES)


@pytest.mark.parametrize("name", with_setting("strict"))
def test_strict_refuses_an_operation_without_a_rule(name: str) -> None:
    """A softmax between layers has a rule in none of them, and an activation that is no ReLU is none to those."""

    def forward(model: Any, images: Tensor) -> Tensor:
        hidden = model.last(F.softmax(F.silu(model.conv(images)), dim=1))
        return model.head(hidden.mean((2, 3)))

    network = nets.net(forward, conv=nn.Conv2d(2, 4, 3), last=nn.ReLU(), head=nn.Linear(4, 3))
    needed = {"layer": layer_called(network, "last")} if "required" in METHODS[name].parameters else {}
    with pytest.raises(CoverageError, match=r"no rule for these operations of the model: .*(softmax|silu)"):
        METHODS[name].build(network, {"strict": True, **needed}).interpret(IMAGES)


# What a model makes of pictures


class Exploding(nn.Module):
    """Its derivative is infinite where a picture is black."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(2, 2, 1, bias=False, dtype=torch.float64), nn.Identity()
        self.conv.weight.data = torch.eye(2, dtype=torch.float64)[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.sqrt(self.conv(x))).mean((2, 3))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("chunk", [None, 1])
@pytest.mark.parametrize("name", CASES)
def test_values_that_are_not_finite_do_not_leave(name: str, chunk: int | None) -> None:
    images = torch.ones_like(IMAGES)
    images[1] = 0
    outcome = method_cases.values_or_refusal(explained(name, Exploding(), images), images, chunk=chunk)
    if isinstance(outcome, str):
        assert "at positions [1]" in outcome or "NaN or infinite scores" in outcome
    else:
        assert torch.isfinite(outcome).all()


@pytest.mark.filterwarnings("ignore::nn_interpretability.errors.CoverageWarning")
@pytest.mark.parametrize("chunk", [None, 1])
@pytest.mark.parametrize("name", ["gradient", "saliency", "input_x_gradient", "guided_backprop"])
def test_an_infinite_derivative_is_named(name: str, chunk: int | None) -> None:
    images = torch.ones_like(IMAGES)
    images[1] = 0
    method = METHODS[name].name
    with pytest.raises(DataError, match=rf"{method} gave NaN or infinite values .* at positions \[1\]"):
        METHODS[name].build(Exploding(), {}).interpret(images, chunk=chunk)


def test_scores_that_are_no_scores() -> None:
    for forward, words in (
        (lambda _, x: [x], "returns a list, not a tensor of scores"),
        (lambda _, x: x, r"returns scores of shape \(3, 2, 10, 10\)"),
        (lambda _, x: x.mean((2, 3)) / 0, "NaN or infinite scores"),
        (lambda _, x: torch.ones(3, 2).double(), "does not depend on the images"),
    ):
        with pytest.raises(DataError, match=words):
            Gradient(nets.Net(forward)).interpret(IMAGES)


class InHalf(nn.Module):
    """Runs a network under autocast."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.inner(images)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_lower_precision_inside_the_model_is_named(name: str) -> None:
    images, inside = IMAGES.float(), InHalf(method_cases.model().float())
    with pytest.raises(DataError, match=r"of torch\.bfloat16 for images of torch\.float32: .* torch\.autocast"):
        explained(name, inside, images).interpret(images)
    around = explained(name, inside.inner, images)
    with (
        torch.autocast("cpu", dtype=torch.bfloat16),
        pytest.raises(DataError, match=r"torch\.autocast does, inside the model or around this call"),
    ):
        around.interpret(images)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["lrp 0", "lrp epsilon", "deep_taylor", "deeplift rescale", "guided_backprop", "cam"])
def test_lower_precision_inside_is_named_where_the_scores_are_turned_back(name: str) -> None:
    images, inside = IMAGES.float(), InHalf(method_cases.model().float())
    model = nets.Net(lambda net, x: net.inside(x).float(), inside=inside)
    words = r"A conv2d of the model returns values of torch\.bfloat16 for images of torch\.float32: .*torch\.autocast"
    with pytest.raises(DataError, match=words):
        explained(name, model, images).interpret(images)


def test_more_precise_scores_are_fine() -> None:
    network = nets.Net(lambda net, images: net.inner(images).double(), inner=method_cases.model().float())
    assert Gradient(network).interpret(IMAGES.float(), 1).values.dtype == torch.float32


@pytest.mark.parametrize("pool", ["max_pool2d", "adaptive_max_pool2d", "max_pool2d_0", "*max_pool*", "max_pool2d*"])
@pytest.mark.parametrize("rule", ["gamma", {"rule": "z_plus"}])
def test_a_rule_that_max_pooling_does_not_have_is_refused_at_once(pool: str, rule: Any) -> None:
    with pytest.raises(ConfigError, match=r"Max-pooling has the rules '0' and 'epsilon', not '(gamma|z_plus)'"):
        LRP(method_cases.model(), composite={pool: rule})
    LRP(method_cases.model(), composite={pool: "epsilon", "pool.max_pooled": rule})
