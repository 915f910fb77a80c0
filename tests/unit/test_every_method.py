"""What holds for the maps of every method: whatever the batch, the chunk, the target, the dtype, the picture."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import method_cases
import nets
import numpy as np
import pytest
import torch
from method_cases import CASES, CLASSES, LINEAR, NOT_LINEAR, TARGETED, explained
from torch import Tensor, nn

from nn_interpretability import LRP
from nn_interpretability.attribution import Attribution
from nn_interpretability.registry import METHODS

IMAGES = method_cases.images(5)
ROWS = torch.arange(5)
# Scores of either sign are explained here, and images without a root.
pytestmark = pytest.mark.filterwarnings("ignore:Deep Taylor decomposition starts", "ignore:The line along the gradient")


def entropy(scores: Tensor) -> Tensor:
    return -(scores.softmax(1) * scores.log_softmax(1)).sum(1)


def interpret(name: str, images: Tensor = IMAGES, target: Any = None, **settings: Any) -> Attribution:
    network = method_cases.model().to(images.dtype)
    return explained(name, network, images).interpret(images, target, **settings)


def tensors(found: Attribution) -> dict[str, Tensor]:
    """All numbers of a result whose first axis counts images."""
    given = {name: getattr(found, name) for name in ("values", "score", "logits", "target", "reference")}
    given |= {name: getattr(found, name) for name in ("multipliers", "variance")}
    given |= {f"details {name}": value for name, value in found.details.items()}
    if "details residual" in given:
        given["details residual"] = given["details residual"] + 1  # zero but for rounding
    if found.trace is not None:
        given["trace received"] = found.trace.received.movedim(1, 0)
        given["trace absorbed"] = found.trace.absorbed.movedim(1, 0)
        given["trace unaccounted"] = found.trace.unaccounted + 1  # zero but for rounding
    return {name: value for name, value in given.items() if value is not None}


def agree(found: Attribution, expected: Attribution, tolerance: float = 1e-12) -> None:
    ours, theirs = tensors(found), tensors(expected)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert ours[name].dtype == value.dtype, name
        assert nets.relative(ours[name], value) < tolerance, name


def test_every_method_has_a_row() -> None:
    assert {case.method for case in CASES.values()} == set(METHODS)


@pytest.mark.parametrize("name", CASES)
def test_a_row_is_of_the_method_it_names(name: str) -> None:
    network = method_cases.model()
    assert isinstance(explained(name, network, IMAGES), METHODS[CASES[name].method].load())
    assert explained(name, network, IMAGES).name == CASES[name].method


# Batches and chunks


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("name", CASES)
def test_a_picture_does_not_see_its_batch(name: str, dtype: torch.dtype, tolerance: float) -> None:
    """Relative to the largest value of each map; not bit for bit, as kernels differ by the size of a batch."""
    images = IMAGES.to(dtype)
    together = interpret(name, images).values
    turned = interpret(name, images.flip(0)).values.flip(0)
    for i in range(len(images)):
        assert nets.relative(interpret(name, images[i : i + 1]).values[0], together[i]) < tolerance
        assert nets.relative(turned[i], together[i]) < tolerance


TARGETS: dict[str, Any] = {
    "none": None,
    "one": 3,
    "list": [3, 1, 2, 1, 0],
    "tensor": torch.tensor([3, 1, 2, 1, 0]),
    "array": np.array([3, 1, 2, 1, 0]),
    "all": "all",
    "function": entropy,
    "weights": nets.uniform(5, CLASSES, seed=2),
    "weight array": nets.uniform(5, CLASSES, seed=2).numpy(),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", CASES)
def test_chunks_do_not_matter(name: str, target: str) -> None:
    if not CASES[name].target and TARGETS[target] is not None:
        pytest.skip("there is no target to choose")
    whole = interpret(name, target=TARGETS[target])
    for chunk in (1, 2, 9):
        agree(interpret(name, target=TARGETS[target], chunk=chunk), whole)


@pytest.mark.parametrize("name", CASES)
def test_a_chunk_bounds_the_rows_of_a_forward_pass(name: str) -> None:
    network, rows = method_cases.model(), list[int]()
    network.register_forward_pre_hook(lambda module, given: rows.append(len(given[0])))
    beside = 3 if CASES[name].method == "deeplift" else 0  # references run together with the images
    for chunk in (1, 2, 13):
        rows.clear()
        explained(name, network, IMAGES).interpret(IMAGES, chunk=chunk)
        assert max(rows) <= chunk + min(chunk, beside)


@pytest.mark.parametrize("name", CASES)
def test_the_same_call_gives_the_same_bits(name: str) -> None:
    images = IMAGES.float()
    first, second = (tensors(interpret(name, images)) for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


# Targets


@pytest.mark.parametrize("name", TARGETED)
def test_all_classes_are_the_classes_one_by_one(name: str) -> None:
    every = interpret(name, target="all")
    assert every.values.shape[:2] == every.score.shape == (5, CLASSES)
    assert every.target is None
    for c in range(CLASSES):
        one = interpret(name, target=c)
        assert nets.relative(every.values[:, c], one.values) < 1e-13
        assert nets.relative(every.score[:, c], one.score) < 1e-13
        assert one.target.tolist() == [c] * 5
        if every.trace is not None:
            assert nets.relative(every.trace.received[..., c], one.trace.received) < 1e-13
            assert nets.relative(every.trace.absorbed[..., c], one.trace.absorbed) < 1e-13


@pytest.mark.parametrize("name", TARGETED)
def test_a_class_for_each_picture_picks_from_all(name: str) -> None:
    every = interpret(name, target="all").values
    classes = [3, 1, 2, 1, 0]
    found = interpret(name, target=classes)
    assert nets.relative(found.values, every[ROWS, classes]) < 1e-13
    assert found.target.tolist() == classes
    predicted = interpret(name)
    assert torch.equal(predicted.target, predicted.logits.argmax(1))
    assert nets.relative(predicted.values, every[ROWS, predicted.target]) < 1e-13


def mixtures(name: str) -> tuple[Attribution, Tensor, Tensor]:
    """The result for weights, and what the weighted sums of maps and scores are."""
    weights = nets.uniform(5, CLASSES, low=-1, seed=8)
    every = interpret(name, target="all")
    sums = torch.einsum("nk,nk...->n...", weights, every.values)
    return interpret(name, target=weights), sums, (weights * every.score).sum(1)


@pytest.mark.parametrize("name", LINEAR)
def test_maps_are_linear_in_the_target(name: str) -> None:
    mixed, values, score = mixtures(name)
    assert nets.relative(mixed.values, values) < 1e-12
    assert nets.relative(mixed.score, score) < 1e-12


@pytest.mark.parametrize("name", NOT_LINEAR)
def test_what_the_table_calls_not_linear_is_not(name: str) -> None:
    mixed, values, _ = mixtures(name)
    assert nets.relative(mixed.values, values) > 1e-3


@pytest.mark.parametrize("name", TARGETED)
def test_renaming_classes_renames_maps(name: str) -> None:
    network, order = method_cases.model(), torch.tensor([2, 0, 3, 1])
    network.head.weight.data, network.head.bias.data = network.head.weight.data[order], network.head.bias.data[order]
    found = explained(name, network, IMAGES).interpret(IMAGES, "all").values
    assert nets.relative(found, interpret(name, target="all").values[:, order]) < 1e-12


# Dtypes, shapes, NaN


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", CASES)
def test_the_dtype_of_the_pictures_is_kept(name: str, dtype: torch.dtype) -> None:
    found = interpret(name, IMAGES.to(dtype))
    for key in ("values", "logits", "reference", "multipliers", "variance"):
        kept = getattr(found, key)
        assert kept is None or kept.dtype == dtype
    assert found.score.dtype == torch.float64
    if found.trace is not None:
        assert found.trace.received.dtype == torch.float64
    exact = interpret(name, IMAGES.to(dtype).double(), None if found.target is None else found.target)
    loose = {torch.float64: 1e-12, torch.float32: 1e-3, torch.bfloat16: torch.inf}[dtype]
    assert nets.relative(found.values, exact.values) < loose


@pytest.mark.parametrize("layout", ["channels last", "transposed", "expanded"])
@pytest.mark.parametrize("name", CASES)
def test_the_layout_of_memory_does_not_matter(name: str, layout: str) -> None:
    images = IMAGES[:1].expand(5, -1, -1, -1) if layout == "expanded" else IMAGES
    given = images
    if layout == "channels last":
        given = images.contiguous(memory_format=torch.channels_last)
    elif layout == "transposed":
        given = images.transpose(2, 3).contiguous().transpose(2, 3)
    agree(interpret(name, given), interpret(name, images.contiguous()))


def dead() -> nn.Module:
    network = method_cases.model()
    network.second.bias.data -= 1e3  # no unit of the last layer ever fires
    return network


def saturated() -> nn.Module:
    network = method_cases.model(nn.Sigmoid)
    network.conv.weight.data *= 1e4
    network.second.weight.data *= 1e4
    return network


def without_biases() -> nn.Module:
    network = method_cases.model()
    network.norm = nn.Identity()
    for layer in (network.conv, network.second, network.head):
        layer.bias.data.zero_()
    return network


EXTREMES: dict[str, Callable[[], nn.Module]] = {
    "plain": method_cases.model,
    "dead": dead,
    "saturated": saturated,
    "without biases": without_biases,
}
PICTURES = {"black": torch.zeros_like(IMAGES), "white": torch.ones_like(IMAGES), "mixed": IMAGES}


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("extreme", EXTREMES)
@pytest.mark.parametrize("name", CASES)
def test_maps_are_finite_whatever_the_net_and_the_picture(name: str, extreme: str, picture: str) -> None:
    images = PICTURES[picture].float()
    found = explained(name, EXTREMES[extreme]().float(), images).interpret(images)
    assert all(bool(torch.isfinite(value).all()) for value in tensors(found).values())


@pytest.mark.parametrize("size", [1e-42, 1e-20, 1e18])
@pytest.mark.parametrize("name", CASES)
def test_there_is_a_map_or_an_error_but_never_nan(name: str, size: float) -> None:
    """In float32 at the ends of its range."""
    network = method_cases.model().float()
    network.conv.weight.data *= size
    network.second.bias.data *= size
    images = IMAGES.float()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcome = method_cases.values_or_refusal(explained(name, network, images), images)
    if isinstance(outcome, str):
        assert "NaN or infinite" in outcome
    else:
        assert torch.isfinite(outcome).all()


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 4, 4)])
def test_inputs_need_not_be_pictures(shape: tuple[int, ...]) -> None:
    """But for methods that ask for a layer of feature maps, or cover windows."""
    size = math.prod(shape)
    network = nets.randomised(nn.Sequential(nn.Flatten(), nn.Linear(size, 6), nn.ReLU(), nn.Linear(6, 3)))
    values = nets.uniform(4, *shape)
    for name in METHODS.keys() - {"cam", "grad_cam", "guided_grad_cam", "occlusion", "deep_taylor"}:
        needed = {"references": [0]} if name == "expected_gradients" else {}
        found = METHODS[name].build(network, needed).interpret(values, "all").values
        one_channel = name == "saliency" and len(shape) > 1
        assert found.shape == (4, 3, *((1, *shape[1:]) if one_channel else shape))
    boxed = LRP(network, rule="z_box", input_bounds=(0, 1), composite={"3": "0"})
    assert boxed.interpret(values, "all").values.shape == (4, 3, *shape)
