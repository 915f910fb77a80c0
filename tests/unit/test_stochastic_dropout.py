"""Dropout by keys: which calls, which masks, on which rows."""

from __future__ import annotations

import pytest
import torch
from nets import net, relative
from passes import AWKWARD, WrittenOut, dropout_cnn, linear_net, mask, pictures
from torch import Tensor, nn
from torch.nn import functional

from nn_interpretability import LRP, DeepLIFT, Gradient, InputXGradient, MCDropout
from nn_interpretability.engine.preserve import left_as_found
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.stochastic.draws import BlockDraws
from nn_interpretability.stochastic.dropout import Randomised
from nn_interpretability.stochastic.passes import draw_passes
from nn_interpretability.stochastic.sampler import Dropout, Noise, Randomness, Sampler, _alike

DROPOUT = Randomness(dropout=Dropout(seed=3))


def drawn(model: nn.Module, images: Tensor, passes: int = 4, **options: bool) -> Tensor:
    return draw_passes(model, images, DROPOUT, 0, passes, block=2, **options).logits


def test_a_pass_is_the_network_with_its_masks_written_out() -> None:
    model, images = dropout_cnn(), torch.rand(2, 1, 28, 28, dtype=torch.float64)
    found = drawn(model, images)
    for number in range(4):
        assert relative(found[number], WrittenOut(model, 3, number)(images)) < 1e-12


def test_late_birth_is_used_for_the_dropout_network_and_gives_the_same() -> None:
    model, images = dropout_cnn(), torch.rand(2, 1, 28, 28, dtype=torch.float64)
    late = draw_passes(model, images, DROPOUT, 0, 4, block=2)
    assert late.coverage == {"born at the first dropout": 1}
    assert relative(late.logits, drawn(model, images, late=False)) < 1e-12


def test_large_images_go_one_by_one() -> None:
    def together(*shape: int) -> list[int]:
        return [part.stop - part.start for part in Sampler(dropout_cnn(), torch.empty(shape), DROPOUT).parts(50)]

    assert together(7, 1, 28, 28) == [5, 2]
    assert together(3, 3, 224, 224) == [1, 1, 1]


@pytest.mark.parametrize("training", [False, True])
def test_the_training_flag_does_not_matter_and_stays(training: bool) -> None:
    model, images = linear_net().train(training), torch.rand(2, 6, dtype=torch.float64)
    expected = [model.b(model.a(images) * mask(3, 0, i, (8,), 0.4)) for i in range(4)]
    assert relative(drawn(model, images), torch.stack(expected)) < 1e-12
    assert model.training == training
    assert model.drop.training == training


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        (lambda h: functional.dropout(h, 0.4, False), (4, 5, 5)),
        (lambda h: functional.dropout(h.clone(), 0.4, True, True), (4, 5, 5)),
        (lambda h: functional.dropout2d(h, 0.4, training=False), (4, 1, 1)),
        (lambda h: functional.dropout2d(h.flatten(2), 0.4, training=False).reshape(h.shape), (4, 1)),
        (lambda h: functional.dropout1d(h.flatten(2), 0.4, training=False).reshape(h.shape), (4, 1)),
        (lambda h: functional.dropout3d(h[:, :, None], 0.4, training=False)[:, :, 0], (4, 1, 1, 1)),
        (lambda h: torch.dropout(h, 0.4, False), (4, 5, 5)),
        (lambda h: torch.feature_dropout(h, 0.4, False), (4, 1, 1)),
        (lambda h: torch.dropout_(h.clone(), 0.4, False), (4, 5, 5)),
    ],
)
def test_each_kind_of_dropout_has_its_mask(call: object, shape: tuple[int, ...]) -> None:
    images = torch.rand(2, 4, 5, 5, dtype=torch.float64)
    model = net(lambda m, x: m.out(call(x + 0).flatten(1)), out=nn.Linear(100, 3))  # type: ignore[operator]
    found = drawn(model, images, late=False)
    for number in range(4):
        each = mask(3, 0, number, shape, 0.4)
        rows = images.reshape(2, *(shape if shape[1:] == (5, 5) else (4, *shape[1:-1], -1))) * each
        assert relative(found[number], model.out(rows.reshape(2, -1))) < 1e-12


@pytest.mark.parametrize(
    ("name", "shape"), [("alpha_dropout", (20000,)), ("feature_alpha_dropout", (20000,))], ids=["alpha", "feature"]
)
def test_alpha_dropout_keeps_mean_and_variance_and_takes_torchs_two_values(name: str, shape: tuple[int, ...]) -> None:
    model = net(lambda m, x: getattr(functional, name)(x, 0.3), a=nn.Linear(1, 1))
    images = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = drawn(model, images, late=False)[0, 0]
    theirs = getattr(functional, name)(images, 0.3, training=True)[0]
    assert abs(float(found.mean())) < 0.03
    assert abs(float(found.var()) - 1) < 0.05
    slopes = (found / images[0], theirs / images[0])
    dropped = [float(each.mode().values) for each in (found, theirs)]
    assert dropped[0] == pytest.approx(dropped[1], rel=1e-9)
    kept = [each != value for each, value in zip((found, theirs), dropped, strict=True)]
    lines = [torch.linalg.lstsq(torch.stack([images[0][k], torch.ones_like(images[0][k])], 1), v[k]).solution
             for v, k in zip((found, theirs), kept, strict=True)]  # fmt: skip
    assert torch.allclose(lines[0], lines[1], rtol=1e-9)
    assert len(slopes) == 2


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_rates_at_both_ends(rate: float) -> None:
    model = net(lambda m, x: functional.dropout(m.drop(m.a(x)), rate), a=nn.Linear(6, 4), drop=nn.Dropout(0.5))
    images = torch.rand(2, 6, dtype=torch.float64)
    found = drawn(model, images)
    assert bool((found == 0).all()) == (rate == 1)


def test_dropout_that_is_always_on_follows_the_keys_too_and_is_off_where_nothing_is_to_be_random() -> None:
    model = net(lambda m, x: m.b(functional.dropout(m.a(x), 0.4)), a=nn.Linear(6, 8), b=nn.Linear(8, 3))
    images = torch.rand(2, 6, dtype=torch.float64)
    found = MCDropout(Gradient(model), passes=4, block=2, seed=3).interpret(images, "all")
    assert relative(found.logits[1], model.b(model.a(images) * mask(3, 0, 1, (8,), 0.4))) < 1e-12
    assert torch.equal(found.undisturbed, model.b(model.a(images)).detach())
    again = MCDropout(Gradient(model), passes=4, block=2, seed=3).interpret(images, "all")
    assert torch.equal(found.covariance, again.covariance)


def test_sources_are_numbered_in_order_and_have_masks_of_their_own() -> None:
    model = net(lambda m, x: functional.dropout(functional.dropout(x, 0.5), 0.5), a=nn.Linear(1, 1))
    images = torch.ones(1, 64, dtype=torch.float64)
    found = drawn(model, images)
    assert torch.equal(found[0, 0], mask(3, 0, 0, (64,), 0.5) * mask(3, 1, 0, (64,), 0.5))
    assert not torch.equal(mask(3, 0, 0, (64,), 0.5), mask(3, 1, 0, (64,), 0.5))


def test_batch_norm_stays_in_evaluation_mode() -> None:
    model = net(
        lambda m, x: m.out(m.drop(m.norm(m.a(x))).flatten(1)),
        a=nn.Conv2d(2, 3, 3),
        norm=nn.BatchNorm2d(3),
        drop=nn.Dropout2d(0.5),
        out=nn.Linear(48, 3),
    ).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = drawn(model, pictures())
    hidden = model.eval().norm(model.a(pictures()))
    assert relative(found[1], model.out((hidden * mask(3, 0, 1, (3, 1, 1), 0.5)).flatten(1))) < 1e-12
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("method", [Gradient, InputXGradient, LRP, DeepLIFT])
def test_awkward_networks_are_right_or_replayed(name: str, method: type) -> None:
    model, images = AWKWARD[name](), pictures(3)
    assert relative(drawn(model, images), drawn(model, images, late=False)) < 1e-12
    found = MCDropout(method(model), passes=5, block=2, seed=3).interpret(images, target="all")
    rows = MCDropout(method(model), passes=5, block=2, seed=3, products=("variance",), keep_raw=5)
    rows = rows.interpret(images, target="all")
    assert relative(found.mean, rows.raw.mean(dim=0)) < 1e-9  # type: ignore[union-attr]
    assert "born" in next(iter(found.coverage["passes"]))


def test_the_replay_says_why() -> None:
    found = draw_passes(AWKWARD["residual"](), pictures(3), DROPOUT, 0, 4, block=2)
    (why,) = found.coverage
    assert why.startswith("born at the input: RuntimeError: The size of tensor")


def test_other_values_without_an_error_are_found_by_comparison() -> None:
    found = draw_passes(AWKWARD["flipped by the batch size read before"](), pictures(3), DROPOUT, 0, 4, block=2)
    assert list(found.coverage) == ["born at the input: other scores when born late"]


def test_a_single_image_may_be_added_to_its_passes() -> None:
    model, images = AWKWARD["residual"](), pictures(1)
    found = draw_passes(model, images, DROPOUT, 0, 4, block=2)
    assert list(found.coverage) == ["born at the first dropout"]
    assert relative(found.logits, drawn(model, images, late=False)) < 1e-12


def test_rows_that_are_folded_into_the_batch_stay_together() -> None:
    """Windows of an image, as rows of their own, have masks of their own, alike in all images."""
    model = net(lambda m, x: m.drop(x.reshape(-1, 9)).reshape(len(x), -1), drop=nn.Dropout(0.5))
    images = torch.ones(2, 36, dtype=torch.float64)
    found = drawn(model, images, late=False)
    assert torch.equal(found[1, 0], mask(3, 0, 1, (4, 9), 0.5).flatten())
    assert torch.equal(found[:, 0], found[:, 1])
    assert torch.equal(found, drawn(model, images))


def test_stochastic_depth_is_named_and_off_unless_asked_for() -> None:
    from torchvision.ops import StochasticDepth

    model = net(
        lambda m, x: m.out(m.drop(x + m.depth(m.a(x)))),
        a=nn.Linear(6, 6),
        depth=StochasticDepth(0.5, "row"),
        drop=nn.Dropout(0.5),
        out=nn.Linear(6, 3),
    )
    images = torch.rand(2, 6, dtype=torch.float64)
    off = draw_passes(model, images, DROPOUT, 0, 4, block=2)
    assert off.coverage["left alone: stochastic depth depth"] == 1
    assert relative(off.logits[0], model.out((images + model.a(images)) * mask(3, 0, 0, (6,), 0.5))) < 1e-12
    asked = Randomness(dropout=Dropout(3, stochastic_depth=True))
    found = draw_passes(model, images, asked, 0, 4, block=2)
    kept = images + model.a(images) * mask(3, 0, 2, (1,), 0.5)
    assert relative(found.logits[2], model.out(kept * mask(3, 1, 2, (6,), 0.5))) < 1e-12
    assert not model.depth._forward_hooks


def test_a_model_without_dropout_is_told_what_was_looked_for() -> None:
    model = net(lambda m, x: m.a(m.off(x)), a=nn.Linear(6, 3), off=nn.Dropout(0.0))
    with pytest.raises(ConfigError, match=r"no dropout: .* dropout, dropout1d, .* with p > 0"):
        drawn(model, torch.rand(2, 6, dtype=torch.float64))


def test_a_model_with_stochastic_depth_alone_is_told_of_it() -> None:
    from torchvision.ops import StochasticDepth

    model = net(lambda m, x: m.depth(m.a(x)), a=nn.Linear(6, 3), depth=StochasticDepth(0.5, "row"))
    with pytest.raises(ConfigError, match=r"1 x stochastic depth, .* stochastic_depth=True"):
        drawn(model, torch.rand(2, 6, dtype=torch.float64))


def test_values_without_a_batch_axis_are_refused() -> None:
    model = net(lambda m, x: functional.dropout3d(x, 0.5).flatten(1), a=nn.Linear(1, 1))
    with pytest.raises(DataError, match=r"dropout3d on values of shape .* without a batch axis"):
        drawn(model, torch.rand(2, 2, 3, 3, dtype=torch.float64), late=False)


@pytest.mark.parametrize(
    "function",
    [lambda m, x: m.b(m.drop(m.a(x).T).T), lambda m, x: m.b(m.drop(m.a(x)) / len(x))],
    ids=["the batch is not the first axis", "rows depend on the number of rows"],
)
@pytest.mark.parametrize("late", [True, False])
def test_passes_that_cannot_be_computed_together_are_refused(function: object, late: bool) -> None:
    model = net(function, a=nn.Linear(6, 8), drop=nn.Dropout(0.5), b=nn.Linear(8, 3))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="other scores for a pass alone than for the same pass in a block"):
        drawn(model, torch.rand(2, 6, dtype=torch.float64), late=late)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_scores_that_differ_by_half_are_no_rounding_in_any_precision(dtype: torch.dtype) -> None:
    scores = torch.tensor([[[2.0, -1.0]]], dtype=dtype)
    assert _alike(scores * (1 + 4 * torch.finfo(dtype).eps), scores)
    assert not _alike(scores * 1.5, scores)


def test_numbers_of_a_source_have_one_shape() -> None:
    draws = BlockDraws([0, 1])
    draws.uniforms(0, 0, (3,))
    with pytest.raises(DataError, match="operation number 0"):
        draws.uniforms(0, 0, (4,))


def test_the_model_looks_like_itself_and_is_left_as_found() -> None:
    model = dropout_cnn().train()
    model.classifier.fc1.weight.grad = torch.ones_like(model.classifier.fc1.weight)
    variant = Randomised(model, 0, BlockDraws([0]), 1)
    assert dict(variant.named_modules()) == dict(model.named_modules())
    assert list(variant.parameters()) == list(model.parameters())
    images, state = torch.rand(1, 1, 28, 28, dtype=torch.float64), torch.get_rng_state()
    with left_as_found(variant):
        assert not model.classifier.dropout3.training
    MCDropout(LRP(model), passes=3, block=2).interpret(images)
    assert all(module.training for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert bool((model.classifier.fc1.weight.grad == 1).all())
    assert torch.equal(state, torch.get_rng_state())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("name", ["alexnet", "squeezenet1_0", "mobilenet_v3_small"])
def test_torchvisions_classifiers(name: str) -> None:
    from nets import torchvision_classifier

    model, images = torchvision_classifier(name), torch.rand(1, 3, 64, 64, dtype=torch.float64)
    found = draw_passes(model, images, DROPOUT, 0, 4, block=2)
    assert list(found.coverage) == ["born at the first dropout"]
    assert float((found.logits[0] - found.logits[1]).abs().max()) > 0
    assert relative(found.logits, drawn(model, images, late=False)) < 1e-9


def test_noise_is_the_same_for_all_images_and_in_units_of_each() -> None:
    images = pictures() * torch.tensor([1.0, 2.0]).reshape(2, 1, 1, 1)
    draws = BlockDraws([4, 5])
    rows = Noise(0.5, seed=2).on(images, draws).unflatten(0, (2, 2)) - images
    assert relative(rows[:, 0], rows[:, 1]) < 1e-12
    scaled = Noise(0.5, "range", seed=2).on(images, draws).unflatten(0, (2, 2)) - images
    spans = images.flatten(1).amax(dim=1) - images.flatten(1).amin(dim=1)
    assert relative(scaled, rows * spans.reshape(2, 1, 1, 1)) < 1e-12
    clipped = Noise(0.5, seed=2, clip=(0, 1)).on(images, draws)
    assert float(clipped.min()) == 0
    assert float(clipped.max()) == 1


@pytest.mark.parametrize("bad", [{"sigma": -1}, {"sigma": 1, "scale": "pixels"}, {"sigma": 1, "clip": (1, 0)}])
def test_noise_that_is_not_allowed(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="is not allowed"):
        Noise(**bad)  # type: ignore[arg-type]
