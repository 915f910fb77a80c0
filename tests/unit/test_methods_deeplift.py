"""DeepLIFT's settings, references, targets, and what it says of itself."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import nets
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability import DeepLIFT
from nn_interpretability.attribution import Attribution
from nn_interpretability.errors import CompletenessWarning, ConfigError, CoverageError, CoverageWarning
from nn_interpretability.study.deeplift_modes import DeepLIFTMode

IMAGES = nets.uniform(4, 1, 28, 28)


def cnn(dtype: torch.dtype = torch.float64) -> nn.Module:
    return nets.small_cnn(study=False, dtype=dtype)


def same(one: Attribution, other: Attribution, tolerance: float = 1e-12) -> bool:
    pairs = [(getattr(one, name), getattr(other, name)) for name in ("values", "multipliers", "score", "reference")]
    return all(nets.relative(a, b) <= tolerance for a, b in pairs)


# Settings

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"rule": "reveal"}, "rule='reveal' is not allowed: choose 'rescale' or 'reveal_cancel'"),
    ({"rule": "gradient"}, "rule='gradient' is not allowed"),
    ({"rule": {"linear": "zero"}}, "rule='zero' is not allowed"),
    ({"rule": 3}, "rule=3 is not allowed"),
    ({"pool_order": "pool_first"}, "pool_order='pool_first' is not allowed: choose 'relu_first' or 'as_built'"),
    ({"reference": "black"}, "reference='black' is not allowed: give one number, one number per channel, one image"),
    ({"reference": None}, "reference=None is not allowed"),
    ({"reference": float("nan")}, "The reference contains NaN"),
    ({"reference": True}, "is not allowed: give one number"),
    ({"reference": []}, r"reference=\[\] is not allowed: give at least one"),
    ({"reference": torch.full((28, 28), torch.inf)}, "The reference contains NaN or infinite"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED)
def test_settings_that_are_not_allowed(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DeepLIFT(cnn(), **settings)


def test_a_mode_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="mode='revealcancel' is not allowed: choose one of 'no_rule', 'rescale'"):
        DeepLIFTMode(cnn(), mode="revealcancel")


def test_names_that_match_nothing() -> None:
    with pytest.raises(ConfigError, match=r"'classifier.fc3', which is no layer of the model. Did you mean 'class"):
        DeepLIFT(cnn(), rule={"classifier.fc3": "rescale"}).interpret(IMAGES, 0)


def noted(rule: Any, **settings: Any) -> dict[str, int]:
    found = DeepLIFT(cnn(), rule=rule, strict=True, **settings).interpret(IMAGES, 0).coverage["ruled"]
    return {name: count for name, count in found.items() if name.startswith("relu")}


BEFORE = ", before max-pooling"


@pytest.mark.parametrize(
    ("rule", "counts"),
    [
        ("rescale", {"relu (rescale)": 1, f"relu (rescale{BEFORE})": 2}),
        ({"conv2d": "rescale", "linear": "reveal_cancel"}, {"relu (reveal_cancel)": 1, f"relu (rescale{BEFORE})": 2}),
        ({"features.conv2": "reveal_cancel"}, {f"relu (reveal_cancel{BEFORE})": 1, f"relu (rescale{BEFORE})": 1}),
        ({"relu_0": "rescale", "relu": "reveal_cancel"}, {f"relu (rescale{BEFORE})": 1, "relu (reveal_cancel)": 1}),
        ({"*": "reveal_cancel"}, {"relu (reveal_cancel)": 1, f"relu (reveal_cancel{BEFORE})": 2}),
    ],
)
def test_a_rule_for_each_layer(rule: Any, counts: dict[str, int]) -> None:
    found = noted(rule)
    assert counts.items() <= found.items()
    assert sum(found.values()) == 3


def test_the_rules_of_layers_are_used_and_not_just_logged() -> None:
    mixed, rescale, reveal = (
        DeepLIFT(cnn(), rule=rule).interpret(IMAGES, 0).values
        for rule in ({"conv2d": "rescale", "linear": "reveal_cancel"}, "rescale", "reveal_cancel")
    )
    assert nets.relative(mixed, rescale) > 1e-3
    assert nets.relative(mixed, reveal) > 1e-3


def test_where_parts_are_missing_the_log_says_so() -> None:
    assert noted("reveal_cancel", pool_order="as_built") == {
        "relu (reveal_cancel)": 1,
        "relu (reveal_cancel; max_pool2d by own sign)": 2,
    }


def test_the_order_of_pool_and_relu_matters_to_multipliers_alone() -> None:
    first, built = (
        DeepLIFT(cnn(), rule="reveal_cancel", pool_order=order, reference=0.2).interpret(IMAGES, 0)
        for order in ("relu_first", "as_built")
    )
    assert nets.relative(first.values, built.values) > 1e-3
    assert (first.total - built.total).abs().max() < 1e-12


def swapped(model: Any) -> nn.Module:
    return nn.Sequential(
        model.features.conv1, nn.ReLU(), nn.MaxPool2d(2), model.features.conv2, nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), model.classifier.fc1, nn.ReLU(), model.classifier.fc2,
    )  # fmt: skip


@pytest.mark.parametrize("rule", ["rescale", "reveal_cancel"])
def test_relu_first_is_the_net_with_both_swapped(rule: Any) -> None:
    model, base = cnn(), nets.uniform(1, 1, 28, 28, seed=5)
    found = DeepLIFT(model, rule=rule, reference=base).interpret(IMAGES, "all")
    for order in ("relu_first", "as_built"):
        other = DeepLIFT(swapped(model), rule=rule, reference=base, pool_order=order).interpret(IMAGES, "all")
        assert same(found, other)


@pytest.mark.parametrize("rule", ["rescale", "reveal_cancel"])
def test_relu_first_also_in_front_of_two_poolings(rule: Any) -> None:
    layers: list[nn.Module] = [nn.Conv2d(1, 3, 3), nn.MaxPool2d(3, 1), nn.MaxPool2d(2), nn.ReLU()]
    head: list[nn.Module] = [nn.Flatten(), nn.Linear(3 * 25, 2)]
    model = nets.randomised(nn.Sequential(*layers, *head), 4)
    moved = nn.Sequential(layers[0], layers[3], *layers[1:3], *head)
    images, base = nets.uniform(4, 1, 14, 14, low=-1), nets.uniform(1, 1, 14, 14, low=-1, seed=5)
    found, other = (DeepLIFT(each, rule=rule, reference=base).interpret(images, "all") for each in (model, moved))
    assert found.completeness_error.max() < 1e-11
    assert same(found, other)


def test_a_slope_below_zero_does_not_commute_with_max_pooling() -> None:
    """Where the function falls, it must stay behind the pooling."""
    model = nets.net(
        lambda net, x: net.head(F.leaky_relu(F.max_pool2d(net.conv(x), 2), -0.5).flatten(1)),
        conv=nn.Conv2d(1, 2, 3),
        head=nn.Linear(8, 2),
    )
    found = DeepLIFT(model, rule="reveal_cancel", reference=nets.uniform(1, 1, 6, 6, seed=3)).interpret(
        nets.uniform(3, 1, 6, 6, low=-1), 1
    )
    assert found.completeness_error.max() < 1e-11
    assert found.coverage["ruled"]["leaky_relu (reveal_cancel; max_pool2d by own sign)"] == 1


# References


def test_references_of_all_kinds() -> None:
    model = cnn()
    shared = torch.full((1, 1, 28, 28), 0.25, dtype=torch.float64)
    first = DeepLIFT(model, reference=0.25).interpret(IMAGES, 3)
    for other in (shared, shared[0], shared.numpy(), shared.expand(4, -1, -1, -1), shared.float(), [0.25], (shared,)):
        found = DeepLIFT(model, reference=other).interpret(IMAGES, 3)
        assert nets.relative(found.values, first.values) < 1e-12
        assert nets.relative(found.score, first.score) < 1e-12
    assert torch.equal(first.reference, shared.expand(4, -1, -1, -1))
    assert nets.relative(first.score, (model(IMAGES) - model(shared))[:, 3]) < 1e-12


def test_references_are_cut_into_chunks_with_the_images() -> None:
    base = nets.uniform(4, 1, 28, 28, seed=7)
    for reference in (base, [base, 0.0, base[0]]):
        explained = DeepLIFT(cnn(), rule="reveal_cancel", reference=reference)
        assert same(explained.interpret(IMAGES, [1, 2, 3, 4]), explained.interpret(IMAGES, [1, 2, 3, 4], chunk=3))


def test_several_references_are_averaged() -> None:
    base = list(nets.uniform(3, 1, 28, 28, seed=7))
    for target in (2, "all", lambda z: z.softmax(1)[:, 0]):
        single = [DeepLIFT(cnn(), reference=each).interpret(IMAGES, target) for each in base]
        found = DeepLIFT(cnn(), reference=base).interpret(IMAGES, target)
        for name in ("values", "multipliers", "score"):
            expected = torch.stack([getattr(each, name) for each in single]).mean(dim=0)
            assert nets.relative(getattr(found, name), expected) < 1e-12
        assert found.reference.shape == (4, 3, 1, 28, 28)
        assert (found.total - found.score).abs().max() < 1e-12


@pytest.mark.parametrize("shape", [(3, 1, 28, 28), (1, 1, 27, 28), (28, 28), (2, 28, 28)])
@pytest.mark.parametrize("chunk", [None, 3])
def test_references_that_do_not_fit(shape: tuple[int, ...], chunk: int | None) -> None:
    explained = DeepLIFT(cnn(), reference=torch.zeros(shape))
    with pytest.raises(ConfigError, match=r"A reference of shape .* does not fit images of shape \(4, 1, 28, 28\)"):
        explained.interpret(IMAGES, 0, chunk=chunk)


def test_metadata_of_references() -> None:
    base = torch.zeros(1, 28, 28)
    assert DeepLIFT(cnn(), reference=0.5).parameters["reference"] == 0.5
    assert DeepLIFT(cnn(), reference=[0.5]).parameters["reference"] == [0.5]  # one number per channel
    both = DeepLIFT(cnn(), reference=[base, base + 1]).parameters["reference"]
    assert [each["shape"] for each in both] == [[1, 28, 28], [1, 28, 28]]
    described = DeepLIFT(cnn(), reference=base).parameters["reference"]
    assert described["shape"] == [1, 28, 28]
    assert described == DeepLIFT(cnn(), reference=base.double()).parameters["reference"]
    assert described != DeepLIFT(cnn(), reference=base + 1).parameters["reference"]


def test_without_a_difference_there_are_no_contributions() -> None:
    for rule in ("rescale", "reveal_cancel"):
        found = DeepLIFT(cnn(), rule=rule, reference=IMAGES).interpret(IMAGES, "all")
        assert not found.values.any()
        assert torch.isfinite(found.multipliers).all()
        assert found.multipliers.any()


# Targets


def entropy(scores: Tensor) -> Tensor:
    shares = scores.softmax(dim=1)
    return -(shares * shares.log()).sum(dim=1)


@pytest.mark.parametrize("rule", ["rescale", "reveal_cancel"])
def test_functions_of_the_scores_are_explained_completely(rule: Any) -> None:
    model, base = nets.small_cnn(), nets.uniform(1, 1, 28, 28, seed=3)
    images = nets.digits(6)
    found = DeepLIFT(model, rule=rule, reference=base).interpret(images, entropy)
    assert nets.relative(found.score, entropy(model(images)) - entropy(model(base))) < 1e-12
    assert (found.total - found.score).abs().max() < 1e-6 * found.score.abs().max()


def test_the_mean_over_classes_is_subtracted() -> None:
    plain, less = (
        DeepLIFT(cnn(), reference=0.3, mean_subtraction=subtract).interpret(IMAGES, "all") for subtract in (False, True)
    )
    assert nets.relative(less.values, plain.values - plain.values.mean(dim=1, keepdim=True)) < 1e-12
    assert nets.relative(less.score, plain.score - plain.score.mean(dim=1, keepdim=True)) < 1e-12
    one = DeepLIFT(cnn(), reference=0.3, mean_subtraction=True).interpret(IMAGES, 4)
    assert nets.relative(one.values, less.values[:, 4]) < 1e-12
    weights = torch.full((4, 10), 0.7, dtype=torch.float64)
    nothing = DeepLIFT(cnn(), mean_subtraction=True).interpret(IMAGES, weights)
    assert nothing.values.abs().max() < 1e-14
    assert nothing.score.abs().max() < 1e-14
    with pytest.raises(ConfigError, match="mean_subtraction=True is for targets that are classes or weights"):
        DeepLIFT(cnn(), mean_subtraction=True).interpret(IMAGES, entropy)


def test_the_predicted_class_is_that_of_the_image() -> None:
    model = cnn()
    found = DeepLIFT(model, reference=nets.uniform(4, 1, 28, 28, seed=8)).interpret(IMAGES)
    assert torch.equal(found.target, model(IMAGES).argmax(dim=1))
    assert found.logits.shape == (4, 10)


# What it says


@pytest.mark.filterwarnings("error")
def test_float32_is_complete_to_its_own_precision() -> None:
    images = nets.digits(16, torch.float32)
    for rule in ("rescale", "reveal_cancel"):
        found = DeepLIFT(nets.small_cnn(dtype=torch.float32), rule=rule).interpret(images)
        assert found.values.dtype == found.multipliers.dtype == torch.float32
        assert found.completeness_error.max() < 1e-4
        exact = DeepLIFT(nets.small_cnn(), rule=rule).interpret(images.double())
        assert nets.relative(found.values.double(), exact.values) < 1e-4


@pytest.mark.filterwarnings("error")
def test_a_difference_of_nothing_but_rounding_is_no_reason_to_warn() -> None:
    images = nets.digits(4, torch.float32)
    DeepLIFT(nets.small_cnn(dtype=torch.float32), reference=images * (1 + 1e-7)).interpret(images)


def test_a_softmax_is_not_covered() -> None:
    model = nn.Sequential(cnn(), nn.Softmax(dim=1))
    with pytest.raises(CoverageError, match=r"softmax \(explain the scores before it\) \(1x\)"):
        DeepLIFT(model, strict=True).interpret(IMAGES, 0)
    with (
        pytest.warns(CoverageWarning, match=r"softmax \(explain the scores before it\)"),
        pytest.warns(CompletenessWarning, match="of 4 maps do not sum to the difference of their scores"),
    ):
        found = DeepLIFT(model).interpret(IMAGES * 3, 0)
    assert found.completeness_error.max() > 1e-3


NOT_COVERED: dict[str, tuple[Any, str]] = {
    "rows": (lambda net, x: net.head(x.flatten(1) - x.flatten(1).mean(0)), "an operation across images"),
    "gram": (lambda net, x: net.head((x.flatten(1) @ x.flatten(1).T) @ x.flatten(1)), "matmul across images"),
    "moved": (lambda net, x: net.head(F.relu(x.flatten(1).T).T), "get of the batch axis"),
    "turned": (lambda net, x: net.head(F.relu(x.flatten(1).transpose(0, 1)).t()), "transpose of the batch axis"),
    "normalised": (lambda net, x: net.head(F.layer_norm(x.flatten(1), (9,))), "layer_norm"),
    "settings": (lambda net, x: net.head(x.flatten(1).clamp(min=x.amin((1, 2, 3))[:, None])), "clamp whose settings"),
}


@pytest.mark.parametrize("name", NOT_COVERED)
def test_what_is_not_covered_is_named(name: str) -> None:
    function, message = NOT_COVERED[name]
    model = nets.net(function, head=nn.Linear(9, 2))
    with pytest.raises(CoverageError, match=message):
        DeepLIFT(model, strict=True, reference=0.3).interpret(nets.uniform(3, 1, 3, 3), 0)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_detour_across_images_is_said_and_survived() -> None:
    def forward(net: Any, x: Tensor) -> Tensor:
        rows = net.first(x.flatten(1)).t()
        return net.head(F.relu((rows + 0.5 * rows.tanh()).reshape(len(x), -1)))

    model = nets.net(forward, first=nn.Linear(9, 7), head=nn.Linear(7, 2))
    coverage = DeepLIFT(model, rule="reveal_cancel").interpret(nets.uniform(3, 1, 3, 3), 0).coverage
    assert coverage["ruled"]["relu (reveal_cancel; parts across images)"] == 1
    named = {"t of the batch axis", "tanh on a tensor whose first axis is not the batch", "an operation across images"}
    assert set(coverage["uncovered"]) == named


def test_an_active_dropout_drops_the_same_of_image_and_reference() -> None:
    model = nets.net(
        lambda net, x: net.head(F.relu(F.dropout(net.first(x), 0.5, training=True))),
        first=nn.Linear(6, 40),
        head=nn.Linear(40, 2),
    )
    images, base = nets.uniform(3, 6), nets.uniform(3, 6, seed=4)
    for rule in ("rescale", "reveal_cancel"):
        found = DeepLIFT(model, rule=rule, reference=base, strict=True).interpret(images, 0)
        assert (found.total - found.score).abs().max() < 1e-12
        same = DeepLIFT(model, rule=rule, reference=images, strict=True).interpret(images, 0)
        assert same.score.abs().max() < 1e-14
    with pytest.raises(CoverageError, match="dropout in training, with one reference for all images"):
        DeepLIFT(model, strict=True).interpret(images, 0)


def test_what_deeplift_says_of_itself() -> None:
    found = DeepLIFT(cnn(), rule="reveal_cancel", reference=np.float64(0.5)).interpret(IMAGES, 1)
    assert found.method == "deeplift"
    assert found.conserving
    assert found.parameters == {
        "rule": "reveal_cancel", "reference": 0.5, "pool_order": "relu_first", "mean_subtraction": False,
    }  # fmt: skip
    assert nets.relative(found.values, found.multipliers * (IMAGES - 0.5)) == 0
    mode = DeepLIFTMode(cnn(), mode="linear").interpret(IMAGES, 1)
    assert not mode.conserving
    assert mode.parameters == {"mode": "linear", "reference": 0.0, "pool_order": "relu_first"}


@pytest.mark.parametrize("rule", ["rescale", "reveal_cancel"])
def test_memory_is_freed_without_the_garbage_collector(rule: Any) -> None:
    seen: list[weakref.ref[Tensor]] = []

    def forward(net: Any, x: Tensor) -> Tensor:
        hidden = net.conv(x)
        seen.append(weakref.ref(hidden))
        return net.head((F.relu(hidden) + hidden).flatten(1))

    model = nets.net(forward, conv=nn.Conv2d(1, 2, 3), head=nn.Linear(32, 2))
    gc.collect()
    gc.disable()
    try:
        DeepLIFT(model, rule=rule).interpret(nets.uniform(2, 1, 6, 6), 0)
        assert [reference() is None for reference in seen] == [True]
    finally:
        gc.enable()
