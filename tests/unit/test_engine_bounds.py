"""The bounds of the pixels: what they may be, and how they are followed to the first weighted layer."""

from __future__ import annotations

from typing import Any

import nets
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability import LRP
from nn_interpretability.engine.bounds import PixelBounds
from nn_interpretability.errors import ConfigError

IMAGES = nets.uniform(2, 3, 6, 6)
MEAN, DEVIATION = torch.tensor([0.4, 0.5, -0.2]).double(), torch.tensor([0.25, 0.2, -0.5]).double()
CONV, LINEAR = nn.Conv2d(3, 4, 3), nn.Linear(64, 5)


def normalised(images: Tensor) -> Tensor:
    return (images - MEAN[:, None, None]) / DEVIATION[:, None, None]


def behind(function: Any, **modules: nn.Module) -> nn.Module:
    """A function of the images, then a small network, whose weights are the same for all functions."""
    model = nets.Net(
        lambda model, images: model.linear(F.relu(model.conv(function(model, images))).flatten(1)),
        conv=CONV,
        linear=LINEAR,
    )
    nets.randomised(model, seed=5)
    for name, module in modules.items():
        model.add_module(name, module.double())
    return model.eval()


def z_box(model: nn.Module, bounds: Any, **settings: Any) -> LRP:
    return LRP(model, rule="gamma", input_rule="z_box", input_bounds=bounds, **settings)


def batch_norm() -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(3, eps=0.0, dtype=torch.float64)
    norm.running_mean.copy_(MEAN)
    norm.running_var.copy_(DEVIATION**2)
    norm.weight.data.copy_(DEVIATION.sign())
    return norm


def in_place(_: Any, images: Tensor) -> Tensor:
    images -= MEAN[:, None, None]
    return images.div_(DEVIATION[:, None, None])


def via_torchvision(_: Any, images: Tensor) -> Tensor:
    from torchvision.transforms.functional import normalize

    return normalize(images, MEAN.tolist(), DEVIATION.tolist())


def added_to_a_constant(_: Any, images: Tensor) -> Tensor:
    shifted = -MEAN[:, None, None].expand_as(images).clone()
    shifted += images
    return shifted / DEVIATION[:, None, None]


def channel_by_channel(_: Any, images: Tensor) -> Tensor:
    """As GoogLeNet does it."""
    return torch.cat([torch.unsqueeze(images[:, c], 1) / DEVIATION[c] - MEAN[c] / DEVIATION[c] for c in range(3)], 1)


def unbound_and_stacked(_: Any, images: Tensor) -> Tensor:
    channels = zip(images.unbind(1), MEAN, DEVIATION, strict=True)
    return torch.stack(tensors=[(values - mean) / deviation for values, mean, deviation in channels], dim=1)


NORMALISATIONS = {
    "channel by channel": (channel_by_channel, {}),
    "unbound and stacked": (unbound_and_stacked, {}),
    "beside a constant": (lambda _, x: normalised(torch.cat([torch.ones_like(x), x], 1).split(3, 1)[1]), {}),
    "operators": (lambda _, images: normalised(images), {}),
    "in place": (in_place, {}),
    "functions": (lambda _, x: torch.div(torch.sub(x, MEAN.view(1, 3, 1, 1)), DEVIATION.view(1, 3, 1, 1)), {}),
    "reversed": (lambda _, x: (MEAN[:, None, None] - x) * (-1 / DEVIATION[:, None, None]), {}),
    "torchvision": (via_torchvision, {}),
    "batch norm": (lambda model, images: model.norm(images), {"norm": batch_norm()}),
    "dropout that does nothing": (lambda model, x: normalised(model.drop(x)), {"drop": nn.Dropout(0.5)}),
    "taken from a constant": (lambda _, x: torch.sub(MEAN[:, None, None], x) / -DEVIATION[:, None, None], {}),
    "added to a constant": (added_to_a_constant, {}),
    "moved about": (lambda _, x: normalised(x.permute(0, 2, 3, 1).contiguous().movedim(-1, 1).flip(2).flip(2)), {}),
}


@pytest.mark.parametrize("trace", [False, True])
@pytest.mark.parametrize("name", NORMALISATIONS)
def test_normalising_inside_the_model_is_normalising_outside(name: str, trace: bool) -> None:
    function, modules = NORMALISATIONS[name]
    outside = z_box(behind(lambda _, images: images), (normalised_bound(0), normalised_bound(1)))
    expected = outside.interpret(normalised(IMAGES), 2)
    inside = z_box(behind(function, **modules), (0, 1), trace=trace, strict=True).interpret(IMAGES, 2)
    assert nets.relative(inside.values, expected.values) < 1e-12
    assert nets.relative(inside.logits, expected.logits) < 1e-12
    if trace:
        assert inside.trace.layers == ("conv", "linear")
        assert inside.trace.unaccounted.abs().max() < 1e-12 * expected.score.abs().max()


def normalised_bound(value: float) -> Tensor:
    """Bound of the normalised images; a negative deviation turns the ends around."""
    ends = normalised(torch.stack([torch.full((3, 1, 1), v, dtype=torch.float64) for v in (0.0, 1.0)]))
    return (ends.amin(0) if value == 0 else ends.amax(0)).flatten()


def test_padding_and_cropping_in_front() -> None:
    padded = z_box(behind(lambda _, x: F.pad(x[..., 1:-1, 1:-1], (1, 1, 1, 1), value=0.3)), (0, 1))
    outside = F.pad(IMAGES[..., 1:-1, 1:-1], (1, 1, 1, 1), value=0.3)
    low, high = torch.full((2, 3, 6, 6), 0.3, dtype=torch.float64)
    low[:, 1:-1, 1:-1], high[:, 1:-1, 1:-1] = 0, 1
    expected = z_box(behind(lambda _, x: x), (low, high)).interpret(outside, 1).values
    found = padded.interpret(IMAGES, 1).values
    assert nets.relative(found[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1]) < 1e-12
    assert not found[..., 0, :].any()


def write_into(_: Any, images: Tensor) -> Tensor:
    images[:, 0] = (images[:, 0] - 0.4) / 0.25
    return images


def write_into_a_view(_: Any, images: Tensor) -> Tensor:
    images[:, 0].sub_(0.4)
    return images


def write_then_scale(_: Any, images: Tensor) -> Tensor:
    images[:, 0] = images[:, 0] - 0.4
    return images * 2.0


NOT_FOLLOWED = {
    "relu": lambda _, x: F.relu(x),
    "relu in place": lambda _, x: F.relu(x - 0.5, inplace=True),
    "a part not followed": lambda _, x: torch.cat([x[:, :1].relu(), x[:, 1:]], 1),
    "a part overwritten": write_into,
    "a view overwritten": write_into_a_view,
    "overwritten, then scaled": write_then_scale,
    "pooling": lambda _, x: F.max_pool2d(x, 3, stride=1, padding=1),
    "mixing channels": lambda _, x: x + x.mean(1, keepdim=True),
    "normalised by itself": lambda _, x: x / x.amax((1, 2, 3), keepdim=True),
    "sigmoid": lambda _, x: torch.sigmoid(x),
    "active dropout": lambda _, x: F.dropout(x, 0.3, training=True),
    "copied": lambda _, x: torch.zeros_like(x).detach().copy_(x),
    "normalised by the batch": lambda _, x: F.batch_norm(x, None, None, training=True),
}


@pytest.mark.filterwarnings("ignore::nn_interpretability.errors.CoverageWarning")
@pytest.mark.parametrize("pooling", ["winner", "proportional"])
@pytest.mark.parametrize("name", NOT_FOLLOWED)
def test_z_box_refuses_bounds_that_it_cannot_know(name: str, pooling: Any) -> None:
    with pytest.raises(ConfigError, match="z_box' at 'conv' needs the bounds of its input"):
        z_box(behind(NOT_FOLLOWED[name]), (0, 1), pooling=pooling).interpret(IMAGES, 1)


def test_each_layer_that_sees_the_input_gets_the_input_rule() -> None:
    model = nets.net(
        lambda model, x: model.linear(F.relu(model.left(x) + model.right(x * 2 - 1)).flatten(1)),
        left=nn.Conv2d(3, 4, 3),
        right=nn.Conv2d(3, 4, 3),
        linear=nn.Linear(64, 5),
    )
    trace = z_box(model, (0, 1), trace=True).interpret(IMAGES, 1).trace
    assert dict(zip(trace.layers, trace.rules, strict=True)) == {"left": "z_box", "right": "z_box", "linear": "gamma"}


def test_a_layer_behind_another_does_not_see_the_input_although_it_also_gets_it() -> None:
    model = nets.net(
        lambda model, x: model.linear(F.relu(model.second(x + model.first(x))).flatten(1)),
        first=nn.Conv2d(3, 3, 3, padding=1),
        second=nn.Conv2d(3, 4, 3),
        linear=nn.Linear(64, 5),
    )
    trace = z_box(model, (0, 1), trace=True).interpret(IMAGES, 1).trace
    assert trace.rules == ("z_box", "gamma", "gamma")


def test_z_box_at_a_later_layer_is_an_error() -> None:
    with pytest.raises(ConfigError, match="for layers that see the input; 'linear' does not"):
        LRP(behind(lambda _, x: x), composite={"linear": "z_box"}, input_bounds=(0, 1)).interpret(IMAGES, 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("mean", "deviation"), [(0.1307, 0.3081), (0.4465, 0.2616), (0.2860, 0.3530)])
def test_bounds_allow_for_the_rounding_of_a_normalisation(mean: float, deviation: float, dtype: torch.dtype) -> None:
    """Black, normalised in float32, lies below (0 - mean) / std computed in double precision and rounded."""
    images = torch.tensor([0.0, 1.0, 0.5]).to(dtype).reshape(3, 1, 1, 1).expand(3, 1, 4, 4)
    images = (images - torch.tensor(mean, dtype=dtype)) / torch.tensor(deviation, dtype=dtype)
    model = nets.randomised(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)), dtype=dtype)
    bounds = ((0 - mean) / deviation, (1 - mean) / deviation)
    attribution = z_box(model, bounds).interpret(images, 0)
    assert torch.isfinite(attribution.values).all()
    followed = PixelBounds.around(images, bounds)
    assert (followed.low <= images).all()
    assert (images <= followed.high).all()
    with pytest.raises(ConfigError, match="outside its input_bounds"):
        z_box(model, bounds).interpret(images * 1.0001, 0)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (
            (0.2, 1),
            r"The pixel at \(0, 0, \d, \d\) \(sample, channel, y, x\) has the value 0\.\d+, outside its input_bounds",
        ),
        ((0, [1, 1, 0.5]), r"The pixel at \(0, 2, .* outside its input_bounds 0 to 0\.5"),
        ((1, 0), "the lower bound 1 is above the upper bound 0"),
        (([0, 0], 1), "The lower of input_bounds has 2 values, the images have 3 channels"),
        ((0, torch.ones(2, 3)), r"The upper of input_bounds has the shape \(2, 3\), which does not fit"),
        ((float("nan"), 1), "The lower of input_bounds is nan: it must be finite"),
        ((0, float("inf")), "The upper of input_bounds is inf: it must be finite"),
        (("black", 1), "The lower of input_bounds is 'black': give one number, or one per channel"),
    ],
)
def test_bounds_that_do_not_fit(bounds: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        z_box(behind(lambda _, x: x), bounds).interpret(IMAGES, 0)


def test_ways_to_give_the_same_bounds() -> None:
    lrp = [
        z_box(behind(lambda _, x: x), bounds).interpret(IMAGES, 0).values
        for bounds in [
            (0, 1),
            [0.0, 1.0],
            ([0, 0, 0], (1, 1, 1)),
            (torch.zeros(3), np.ones(3)),
            (torch.zeros(3, 1, 1), torch.ones(1, 3, 6, 6)),
            torch.tensor([0.0, 1.0]),
        ]
    ]
    assert all(torch.equal(values, lrp[0]) for values in lrp)


@pytest.mark.parametrize("trace", [False, True])
def test_keeping_a_trace_does_not_change_what_sees_the_input(trace: bool) -> None:
    model = behind(lambda model, images: model.norm(images), norm=batch_norm())
    values = LRP(model, composite="montavon2019", input_bounds=(0, 1), trace=trace).interpret(IMAGES, 0).values
    assert torch.equal(values, z_box(model, (0, 1), composite={"linear": "0"}).interpret(IMAGES, 0).values)
