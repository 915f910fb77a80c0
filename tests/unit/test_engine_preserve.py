"""Explaining leaves no trace: not on the model, not on the pictures, not in torch, not in memory."""

from __future__ import annotations

import gc
import weakref
from collections import OrderedDict
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any
from unittest.mock import Mock

import nets
import pytest
import torch
from devices import settings_kept
from method_cases import CASES, explained
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability import LRP, Gradient, InputXGradient
from nn_interpretability.attribution import Attribution
from nn_interpretability.engine.precision import full_precision
from nn_interpretability.engine.preserve import left_as_found
from nn_interpretability.errors import CoverageError

# Scores of either sign are at stake here.
pytestmark = pytest.mark.filterwarnings("ignore:Deep Taylor decomposition starts", "ignore:The line along the gradient")
IMAGES = nets.uniform(3, 2, 8, 8, low=0.05)


def in_place() -> nn.Module:
    """Writes into its input, into a convolution's output and into a batch norm's output."""

    def forward(model: Any, images: Tensor) -> Tensor:
        images -= 0.5
        images *= 2
        hidden = F.relu6(model.norm(model.conv(images)), inplace=True)
        hidden += 1
        return model.linear(model.last(hidden).mean((2, 3)))

    return nets.net(
        forward, conv=nn.Conv2d(2, 3, 3), norm=nn.BatchNorm2d(3), last=nn.ReLU(inplace=True), linear=nn.Linear(3, 4)
    )


def regularised() -> nn.Module:
    """Dropout and batch norm, both in training mode before the call, some modules not."""
    layers: list[tuple[str, nn.Module]] = [
        ("conv", nn.Conv2d(2, 4, 3)),
        ("norm", nn.BatchNorm2d(4)),
        ("act", nn.ReLU(inplace=True)),
        ("drop_maps", nn.Dropout2d(0.5)),
        ("last", nn.MaxPool2d(2)),
        ("average", nn.AdaptiveAvgPool2d(1)),
        ("flatten", nn.Flatten()),
        ("drop", nn.Dropout(0.3, inplace=True)),
        ("linear", nn.Linear(4, 4)),
    ]
    model = nets.randomised(nn.Sequential(OrderedDict(layers))).train()
    model.drop_maps.eval()
    return model


def frozen() -> nn.Module:
    """Some parameters ask for gradients, some do not, one has a gradient already, and users have hooks."""
    model = regularised()
    model.conv.weight.requires_grad_(False)
    model.linear.bias.requires_grad_(False)
    model.linear.weight.grad = torch.ones_like(model.linear.weight)
    model.conv.register_forward_hook(lambda module, given, output: None)
    model.linear.register_forward_pre_hook(lambda module, given: None)
    return model.eval()


def shared() -> nn.Module:
    """One layer used twice, and a parameter that the forward pass does not use."""

    def forward(model: Any, images: Tensor) -> Tensor:
        hidden = model.last(model.conv(F.relu(model.conv(images))))
        return model.linear(hidden.mean((2, 3)))

    modules = {"conv": nn.Conv2d(2, 2, 3), "last": nn.Identity(), "linear": nn.Linear(2, 4), "spare": nn.Linear(2, 2)}
    return nets.net(forward, **modules)


MODELS: dict[str, Callable[[], nn.Module]] = {
    "in_place": in_place,
    "regularised": regularised,
    "frozen": frozen,
    "shared": shared,
}


def interpret(method: str, model: nn.Module, images: Tensor = IMAGES, target: Any = None) -> Attribution:
    return explained(method, model, images).interpret(images, target if CASES[method].target else None)


def snapshot(model: nn.Module) -> dict[str, Any]:
    """Everything about a model that an explanation could change, and the state of torch."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        "training": [module.training for module in model.modules()],
        "hooks": [[tuple(getattr(module, name)) for name in hooks] for module in model.modules()],
        "attributes": [sorted(vars(module)) for module in model.modules()],
        "requires_grad": [parameter.requires_grad for parameter in model.parameters()],
        "identity": [id(parameter) for parameter in model.parameters()],
        "versions": [parameter._version for parameter in model.parameters()],
        "buffer_versions": [buffer._version for buffer in model.buffers()],
        "grad": [
            None if p.grad is None else (id(p.grad), p.grad.clone().numpy().tobytes()) for p in model.parameters()
        ],
        "bits": {name: value.clone().numpy().tobytes() for name, value in model.state_dict().items()},
        "random": torch.get_rng_state().numpy().tobytes(),
        "grad_mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_default_dtype()),
        "threads": torch.get_num_threads(),
    }


@pytest.mark.parametrize("method", CASES)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("around", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_an_explanation_leaves_no_residue(method: str, model: str, around: Callable[[], Any]) -> None:
    found, images = MODELS[model](), IMAGES.clone()
    before, version = snapshot(found), images._version
    with around():
        attribution = interpret(method, found, images, "all")
    assert snapshot(found) == before
    assert torch.equal(images, IMAGES)
    assert (images._version, images.grad, images.requires_grad) == (version, None, False)
    assert not attribution.values.requires_grad
    assert not attribution.values.is_inference()


@pytest.mark.parametrize("method", CASES)
@pytest.mark.parametrize("model", ["regularised", "frozen"])
def test_the_mode_around_the_call_changes_no_bit(method: str, model: str) -> None:
    network = MODELS[model]()
    plain = interpret(method, network, target=1).values
    with torch.no_grad():
        assert torch.equal(interpret(method, network, target=1).values, plain)
    with torch.inference_mode():
        assert torch.equal(interpret(method, network, IMAGES.clone(), 1).values, plain)


def test_pictures_that_ask_for_gradients_stay_in_their_own_graph() -> None:
    source = IMAGES.clone().requires_grad_(True)
    images = source * 2
    attribution = LRP(regularised()).interpret(images, 0)
    assert source.grad is None
    assert not attribution.values.requires_grad
    images.sum().backward()  # their graph has not been freed
    assert torch.equal(source.grad, torch.full_like(source, 2))


class Breaks(nn.Module):
    """Raises at the end of its forward pass, after drawing random numbers."""

    def forward(self, hidden: Tensor) -> Tensor:
        torch.rand(3)
        raise ZeroDivisionError("from inside the model")


@pytest.mark.parametrize("method", CASES)
def test_no_residue_after_an_exception_in_the_forward_pass(method: str) -> None:
    model = nn.Sequential(regularised(), Breaks()).train()
    before = snapshot(model)
    with pytest.raises(ZeroDivisionError, match="from inside the model"):
        interpret(method, model, target=0)
    assert snapshot(model) == before


class Backwards(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        raise ZeroDivisionError("on the way back")


@pytest.mark.filterwarnings("ignore::nn_interpretability.errors.CoverageWarning")
@pytest.mark.parametrize("method", [name for name, case in CASES.items() if case.backward])
def test_no_residue_after_an_exception_in_the_backward_pass(method: str) -> None:
    def forward(model: Any, images: Tensor) -> Tensor:
        maps = model.last(model.conv(Backwards.apply(images)))
        return model.linear(Backwards.apply(maps).mean((2, 3)))

    model = nets.net(forward, conv=nn.Conv2d(2, 3, 3), last=nn.ReLU(), linear=nn.Linear(3, 4)).train()
    before = snapshot(model)
    with pytest.raises(ZeroDivisionError, match="on the way back"):
        interpret(method, model, target=0)
    assert snapshot(model) == before


def test_no_residue_after_our_own_errors() -> None:
    model = nets.net(
        lambda model, images: model.linear(F.softmax(model.conv(images), 1).flatten(1)),
        conv=nn.Conv2d(2, 3, 3),
        linear=nn.Linear(108, 4),
    ).train()
    before = snapshot(model)
    with pytest.raises(CoverageError):
        LRP(model, strict=True).interpret(IMAGES, 0)
    with pytest.raises(ValueError, match="classes are 0 to 3"):
        Gradient(model).interpret(IMAGES, 9)
    assert snapshot(model) == before


def test_random_numbers_inside_the_model_do_not_move_the_generator() -> None:
    def noisy(model: Any, images: Tensor) -> Tensor:
        return model.linear((images + torch.randn(images.shape, dtype=images.dtype)).flatten(1))

    model = nets.net(noisy, linear=nn.Linear(128, 4))
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = InputXGradient(model).interpret(IMAGES, 0)
    second = InputXGradient(model).interpret(IMAGES, 0)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.logits, second.logits)


MATMUL, CUDNN = torch.backends.cuda.matmul, torch.backends.cudnn
OPERATIONS = (MATMUL, CUDNN.conv, CUDNN.rnn)


def by_old_names(matmul: str, cudnn: bool) -> None:
    torch.set_float32_matmul_precision(matmul)
    CUDNN.allow_tf32 = cudnn


def by_new_names(*precisions: str) -> None:
    for operation, precision in zip(OPERATIONS, precisions, strict=True):
        operation.fp32_precision = precision


def precisions() -> list[Any]:
    """What torch is set to, by new names and by old; None for what it does not read, as they contradict each other."""
    found: list[Any] = [operation.fp32_precision for operation in (*OPERATIONS, torch.backends.mkldnn.matmul)]
    for old in (torch.get_float32_matmul_precision, lambda: MATMUL.allow_tf32, lambda: CUDNN.allow_tf32):
        try:
            found.append(old())
        except RuntimeError:
            found.append(None)
    return found


PRECISIONS: dict[str, Callable[[], None]] = {
    "as torch has them": lambda: None,
    "old names": lambda: by_old_names("high", True),
    "old names, medium": lambda: by_old_names("medium", True),
    "old names, matrix products alone": lambda: by_old_names("high", False),
    "old names, by flag": lambda: setattr(MATMUL, "allow_tf32", True),
    "old names, off": lambda: by_old_names("highest", False),
    "new names": lambda: by_new_names("tf32", "tf32", "tf32"),
    "new names, for all": lambda: setattr(torch.backends, "fp32_precision", "tf32"),
    "new names, apart": lambda: by_new_names("tf32", "ieee", "tf32"),
    "new names, off": lambda: by_new_names("ieee", "ieee", "ieee"),
}


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("setting", PRECISIONS)
def test_on_a_gpu_nothing_is_rounded_to_ten_bits_and_settings_come_back(setting: str, fails: bool) -> None:
    with settings_kept():
        PRECISIONS[setting]()
        before = precisions()
        with suppress(ZeroDivisionError), full_precision("cuda"):
            inside = precisions()
            with full_precision("cuda"):
                assert precisions() == inside
            assert precisions() == inside
            if fails:
                raise ZeroDivisionError
        assert "tf32" not in inside[:3]
        assert inside[5:] == [False, False] or None in before
        assert precisions() == before
        with full_precision("cpu"):
            assert precisions() == before
        if setting == "new names, for all":  # and goes on to be what decides
            torch.backends.fp32_precision = "ieee"
            assert precisions()[0] == "ieee"


def test_a_model_on_a_gpu_is_explained_in_full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a model that only says that it is there."""
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: nullcontext())
    model = nn.Linear(2, 2)
    monkeypatch.setattr(model, "parameters", lambda: [Mock(device=torch.device("cuda", 0))])
    with settings_kept():
        by_old_names("high", True)
        with left_as_found(model):
            assert "tf32" not in precisions()[:3]
        with left_as_found(nn.Linear(2, 2)):
            assert precisions()[:3] == ["tf32"] * 3


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("method", CASES)
def test_memory_is_freed_at_once(method: str, fails: bool) -> None:
    """A cycle through autograd's nodes would never be collected: every call would leak the whole graph."""
    seen: list[weakref.ref[Tensor]] = []

    def forward(model: Any, images: Tensor) -> Tensor:
        hidden = model.norm(model.conv(images))
        output = model.linear(model.last(F.silu(hidden)).mean((2, 3)))
        seen.extend(weakref.ref(tensor) for tensor in (images, hidden, output))
        if fails:
            raise ZeroDivisionError
        return output

    modules = {
        "conv": nn.Conv2d(2, 3, 3),
        "norm": nn.BatchNorm2d(3),
        "last": nn.MaxPool2d(2),
        "linear": nn.Linear(3, 4),
    }
    model = nets.net(forward, **modules)
    gc.collect()
    gc.disable()
    try:
        try:
            interpret(method, model, target="all")
        except ZeroDivisionError:
            assert fails
        assert len(seen) >= 3
        assert {reference() for reference in seen} == {None}
    finally:
        gc.enable()
