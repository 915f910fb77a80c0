"""What maps over passes must be: literal loops, sums, and the same bits however the work is cut."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from nets import digits, relative
from passes import WrittenOut, bias_free_net, dropout_cnn, linear_net, mask, pictures
from torch import Tensor, nn

from nn_interpretability import (
    LRP,
    DeepLIFT,
    DeepTaylor,
    ExpectedGradients,
    GradCAM,
    Gradient,
    GuidedBackprop,
    InputNoise,
    InputXGradient,
    IntegratedGradients,
    MCDropout,
    Occlusion,
    SmoothGrad,
)
from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.base import Method
from nn_interpretability.stochastic.information import (
    evidential_uncertainty,
    expected_entropy,
    mutual_information,
    pass_weights,
    predictive_entropy,
)
from nn_interpretability.stochastic.merge import merge_passes
from nn_interpretability.stochastic.noise import normals
from nn_interpretability.stochastic.passes import attribute_passes, draw_passes
from nn_interpretability.stochastic.sampler import Dropout, Noise, Randomness

Make = Callable[[nn.Module], Method]
ALL = ("mean", "covariance", "by_predicted_class", "variance")
METHODS: dict[str, Make] = {
    "gradient": Gradient,
    "input x gradient": InputXGradient,
    "LRP, composite": lambda m: LRP(m, composite="small_cnn", input_bounds=(0, 1)),
    "LRP, epsilon": LRP,
    "DeepLIFT, rescale": lambda m: DeepLIFT(m, reference=0.1),
    "DeepLIFT, reveal_cancel": lambda m: DeepLIFT(m, rule="reveal_cancel", reference=0.1),
}
OTHERS: dict[str, Make] = {
    "deep Taylor": lambda m: DeepTaylor(m, input_bounds=(0, 1)),
    "guided backpropagation": GuidedBackprop,
    "Grad-CAM": lambda m: GradCAM(m, layer="features.relu2"),
    "integrated gradients": lambda m: IntegratedGradients(m, steps=3),
    "expected gradients": lambda m: ExpectedGradients(m, references=[0, 0.1, 0.3, 0.5, 0.8, 1], samples=7),
    "occlusion": lambda m: Occlusion(m, window=14, stride=14),
    "SmoothGrad": lambda m: SmoothGrad(Gradient(m), samples=3),
    "LRP at a layer": lambda m: LRP(m, layer="features.relu2"),
    "DeepLIFT, mean subtraction": lambda m: DeepLIFT(m, mean_subtraction=True),
}
PASSES, SEED = 7, 3


def cloud(make: Make, model: nn.Module, images: Tensor, target: Any = "all", **options: Any) -> Any:
    return MCDropout(make(model), **{"passes": PASSES, "block": 3, "seed": SEED, **options}).interpret(images, target)


def each_pass(make: Make, model: nn.Module, images: Tensor, target: Any = "all") -> list[Any]:
    """The slow literal loop: for each pass, a network with its masks written out."""
    return [make(WrittenOut(model, SEED, i)).interpret(images, target) for i in range(PASSES)]


@pytest.mark.filterwarnings("ignore:Deep Taylor decomposition starts from")
@pytest.mark.parametrize("name", [*METHODS, *OTHERS])
def test_algorithm_1_is_a_literal_loop(name: str) -> None:
    make, model, images = {**METHODS, **OTHERS}[name], dropout_cnn(), digits(2)
    loop = each_pass(make, model, images)
    found = cloud(make, model, images)
    values = torch.stack([each.values for each in loop])
    scores = torch.stack([each.score for each in loop])
    assert relative(found.mean, values.mean(dim=0)) < 1e-10
    assert relative(found.score_mean, scores.mean(dim=0)) < 1e-10
    change = (scores - scores.mean(dim=0)).reshape(*scores.shape, *([1] * (values.dim() - 3)))
    assert relative(found.covariance, (change * values).mean(dim=0)) < 1e-9
    where = next(iter(found.coverage["passes"]))
    assert where == ("born at the first dropout" if name in METHODS else "born at the input: " + where[19:])


@pytest.mark.parametrize("name", [*METHODS, "deep Taylor", "guided backpropagation"])
@pytest.mark.filterwarnings("ignore:Deep Taylor decomposition starts from")
def test_approach_1_starts_each_pass_from_what_it_predicts(name: str) -> None:
    make, model, images = {**METHODS, **OTHERS}[name], dropout_cnn(), digits(2)
    loop = each_pass(make, model, images, None)
    expected = torch.zeros(2, 10, 1, 28, 28, dtype=torch.float64)
    counts = torch.zeros(2, 10, dtype=torch.int64)
    for one in loop:
        for image, k in enumerate(one.target):
            expected[image, k] += one.values[image]
            counts[image, k] += 1
    for target in ("all", 1):
        found = cloud(make, model, images, target)
        assert torch.equal(found.counts, counts)
        assert found.counts.sum(dim=1).tolist() == [PASSES, PASSES]
        assert relative(found.by_predicted_class, expected / counts.clamp(min=1).reshape(2, 10, 1, 1, 1)) < 1e-10


@pytest.mark.parametrize("late", [True, False])
def test_a_target_sorted_by_predicted_class(late: bool) -> None:
    model, images = dropout_cnn(), digits(2)
    loop = each_pass(Gradient, model, images, 4)
    products = ("target_by_predicted_class", *(() if late else ("variance",)))
    found = cloud(Gradient, model, images, 4, products=products)
    total = (found.target_by_predicted_class * found.counts.reshape(2, 10, 1, 1, 1)).sum(dim=1) / PASSES
    assert relative(total, torch.stack([each.values for each in loop]).mean(dim=0)) < 1e-10
    k = int(loop[0].logits[0].argmax())
    same = [each.values[0] for each in loop if int(each.logits[0].argmax()) == k]
    assert relative(found.target_by_predicted_class[0, k], torch.stack(same).mean(dim=0)) < 1e-10


@pytest.mark.parametrize("name", METHODS)
def test_summed_products_are_sums_of_the_maps_of_each_pass(name: str) -> None:
    make, model, images = METHODS[name], dropout_cnn(), digits(2)
    summed = cloud(make, model, images)
    single = cloud(make, model, images, products=ALL, keep_raw=PASSES)
    assert list(single.coverage["passes"]) == ["born at the input: maps of each pass are asked for"]
    for product in ALL[:3]:
        assert relative(getattr(summed, product), getattr(single, product)) < 1e-10
    assert relative(single.raw.mean(dim=0), single.mean) < 1e-10
    assert relative(single.variance, single.raw.var(dim=0, correction=0)) < 1e-9
    assert torch.equal(single.quantile(0.5), single.raw.quantile(0.5, dim=0))
    spread = single.coefficient_of_variation * single.mean.abs()
    assert relative(spread, torch.where(single.mean == 0, 0.0, single.variance.sqrt())) < 1e-10


@pytest.mark.parametrize("make", [InputXGradient, LRP, IntegratedGradients])
def test_the_covariance_map_sums_to_the_variance(make: Make) -> None:
    model, images = bias_free_net(), pictures()
    options = {"rule": "0"} if make is LRP else {"reference": 0.0, "steps": 1} if make is IntegratedGradients else {}
    found = cloud(lambda m: make(m, **options), model, images, passes=40, block=8)  # type: ignore[call-arg]
    assert relative(found.covariance.flatten(2).sum(dim=2), found.score_variance) < 1e-10
    variance = found.logits.double().var(dim=0, correction=0)
    assert relative(found.score_variance, variance) < 1e-10


@pytest.mark.parametrize("name", ["DeepLIFT, rescale", "DeepLIFT, reveal_cancel"])
@pytest.mark.parametrize("noisy", [False, True])
def test_with_a_reference_it_sums_to_the_variance_of_the_difference(name: str, noisy: bool) -> None:
    model, images = dropout_cnn(), digits(2)
    method = MCDropout(METHODS[name](model), passes=20, block=5, seed=1)
    found = (InputNoise(method, sigma=0.3) if noisy else method).interpret(images, "all")
    assert relative(found.covariance.flatten(2).sum(dim=2), found.score_variance) < 1e-9
    assert relative(found.mean.flatten(2).sum(dim=2), found.score_mean) < 1e-9


def test_the_covariance_map_is_that_of_a_literal_loop() -> None:
    """Maps of passes, centred, times their centred scores, averaged over passes."""
    model, images = dropout_cnn(), digits(2)
    make = METHODS["LRP, epsilon"]
    loop = each_pass(make, model, images, 1)
    found = cloud(make, model, images, 1)
    maps, scores = torch.stack([each.values for each in loop]), torch.stack([each.score for each in loop])
    expected = torch.zeros_like(found.covariance)
    for one, score in zip(maps, scores, strict=True):
        expected += (one - maps.mean(dim=0)) * (score - scores.mean(dim=0)).reshape(2, 1, 1, 1) / PASSES
    assert relative(found.covariance, expected) < 1e-12


def covlrp(raw: Tensor) -> Tensor:
    """The matrix of Bley et al. 2024: covariances over the members of an ensemble of their maps, ``(N, d, d)``."""
    centred = raw.flatten(2) - raw.flatten(2).mean(dim=0)
    return torch.einsum("pni,pnj->nij", centred, centred) / len(raw)


@pytest.mark.parametrize("make", [InputXGradient, lambda m: LRP(m, rule="gamma", stabilizer=0)])
def test_for_complete_maps_it_is_the_row_sums_of_covlrps_matrix(make: Make) -> None:
    model, images = bias_free_net(), pictures()
    summed = cloud(make, model, images, 1)  # from sums over passes alone
    matrix = covlrp(cloud(make, model, images, 1, products=ALL, keep_raw=PASSES).raw)
    assert relative(summed.covariance.flatten(1), matrix.sum(dim=2)) < 1e-12
    assert relative(summed.score_variance, matrix.sum(dim=(1, 2))) < 1e-12


def test_where_biases_take_their_share_the_rest_is_the_covariance_with_it() -> None:
    model, images = dropout_cnn(), digits(2)
    make = METHODS["LRP, epsilon"]
    scores = torch.stack([each.score for each in each_pass(make, model, images, 1)])
    found = cloud(make, model, images, 1, products=ALL, keep_raw=PASSES)
    lost = scores - found.raw.flatten(2).sum(dim=2)
    centred = (found.raw - found.raw.mean(dim=0)).flatten(2)
    rest = torch.einsum("pn,pni->ni", lost - lost.mean(dim=0), centred) / PASSES
    rows = covlrp(found.raw).sum(dim=2)
    assert relative(found.covariance.flatten(1), rows + rest) < 1e-12
    assert relative(found.covariance.flatten(1), rows) > 1e-3


def test_the_mean_over_passes_of_a_linear_model_is_the_map_of_the_mean_mask() -> None:
    model, images = linear_net(), torch.rand(2, 6, dtype=torch.float64)
    found = cloud(Gradient, model, images, passes=400, block=50)
    mean = torch.stack([mask(SEED, 0, i, (8,), 0.4) for i in range(400)]).mean(dim=0)
    exact = torch.einsum("kj,j,ji->ki", model.b.weight, mean, model.a.weight)
    assert relative(found.mean[0], exact) < 1e-12
    deterministic = Gradient(model).interpret(images, "all").values
    deviation = math.sqrt(0.4 / 0.6 / 400)  # of a mean mask
    size = torch.einsum("kj,ji->kji", model.b.weight, model.a.weight).square().sum(dim=1).sqrt() * deviation
    assert bool(((found.mean - deterministic).abs() < 5 * size).all())
    assert float((found.mean - deterministic).abs().max()) > 0


def test_an_image_that_is_its_own_reference_has_no_contributions_in_any_pass() -> None:
    images = digits(2)
    for rule in ("rescale", "reveal_cancel"):
        found = MCDropout(DeepLIFT(dropout_cnn(), rule=rule, reference=images), passes=6, block=3, keep_raw=6)
        result = found.interpret(images, "all")
        assert bool((result.raw == 0).all())
        assert float(result.score_mean.abs().max()) < 1e-12
        assert float(result.logits.var(dim=0).max()) > 0


def test_all_methods_classes_and_images_see_the_same_passes() -> None:
    model, images = dropout_cnn(), digits(2)
    twice = images[[0, 0]]
    found = [cloud(make, model, twice, target) for make in METHODS.values() for target in ("all", 3)]
    assert all(relative(each.logits, found[0].logits) < 1e-12 for each in found)
    assert relative(found[0].logits[:, 0], found[0].logits[:, 1]) < 1e-12
    assert float((found[0].logits[0] - found[0].logits[1]).abs().max()) > 0
    alone = cloud(Gradient, model, images[1:], 3)
    both = cloud(Gradient, model, images, 3)
    assert relative(both.mean[1:], alone.mean) < 1e-12


@pytest.mark.parametrize("name", ["LRP, composite", "DeepLIFT, rescale"])
@pytest.mark.parametrize("products", [ALL[:3], ALL], ids=["summed", "per pass"])
def test_many_images_are_explained_as_few_are(name: str, products: tuple[str, ...]) -> None:
    """Blocks of 50 passes take 5 images at a time."""
    model, images = dropout_cnn(), digits(12)
    many = cloud(METHODS[name], model, images, 3, passes=6, block=50, products=products, keep_raw=len(products) - 3)
    few = [cloud(METHODS[name], model, each, 3, passes=6, block=50, products=products) for each in images.split(3)]
    for product in products:
        assert relative(getattr(many, product), torch.cat([getattr(each, product) for each in few])) < 1e-9
    assert torch.equal(many.counts, torch.cat([each.counts for each in few]))


@pytest.mark.parametrize(
    "make", [lambda m: LRP(m, trace=True), lambda m: LRP(m, strict=True), lambda m: DeepLIFT(m, strict=True)]
)
def test_methods_with_an_account_or_strict(make: Make) -> None:
    model, images = dropout_cnn(), digits(3)
    plain = LRP if isinstance(make(model), LRP) else DeepLIFT
    assert relative(cloud(make, model, images).mean, cloud(plain, model, images).mean) < 1e-10


def test_several_references_are_averaged_over() -> None:
    model, images = dropout_cnn(), digits(2)
    references = [torch.zeros(1, 28, 28, dtype=torch.float64), torch.full((1, 28, 28), 0.3, dtype=torch.float64)]
    found = cloud(lambda m: DeepLIFT(m, reference=references), model, images)
    each = [cloud(lambda m, r=r: DeepLIFT(m, reference=r), model, images) for r in references]  # type: ignore[misc]
    assert relative(found.mean, (each[0].mean + each[1].mean) / 2) < 1e-10
    assert relative(found.score_mean, (each[0].score_mean + each[1].score_mean) / 2) < 1e-10
    assert relative(found.covariance.flatten(2).sum(dim=2), found.score_variance) < 1e-9
    with pytest.raises(ConfigError, match="one reference, not 2"):
        cloud(lambda m: DeepLIFT(m, reference=references), model, images, mutual_information)


def test_relevance_passes_an_active_dropout_unchanged() -> None:
    """What dropout receives it hands to the units that are kept, without a factor 1 / (1 - p)."""
    model, images = dropout_cnn(), digits(2)
    for at in ("classifier.relu3", "classifier.dropout3"):
        found = cloud(lambda m, at=at: LRP(m, layer=at), model, images, 3, keep_raw=PASSES)  # type: ignore[misc]
        loop = [WrittenOut(model, SEED, i) for i in range(PASSES)]
        scores = torch.stack([each(images)[:, 3] - model.classifier.fc2.bias[3] for each in loop])
        if at == "classifier.relu3":
            kept = found.raw
            assert torch.equal(kept == 0, (kept == 0) | torch.stack([each.masks[2] == 0 for each in loop])[:, None])
    zero = cloud(lambda m: LRP(m, rule="0", layer="classifier.relu3"), model, images, 3, keep_raw=PASSES)
    assert relative(zero.raw.sum(dim=2), scores) < 1e-12


def test_noise_passes_are_explanations_of_the_noisy_images() -> None:
    model, images = dropout_cnn(), digits(2)
    found = InputNoise(Gradient(model), sigma=0.4, passes=5, block=2, seed=9, keep_raw=5).interpret(images, 3)
    noisy = [images + 0.4 * torch.from_numpy(normals(9, i, (1, 28, 28), source=2**32)) for i in range(5)]
    maps = torch.stack([Gradient(model).interpret(each, 3).values for each in noisy])
    assert relative(found.raw, maps) < 1e-12
    assert relative(found.logits, torch.stack([model.eval()(each) for each in noisy])) < 1e-12


def test_noise_and_dropout_in_the_same_pass() -> None:
    model, images = dropout_cnn(), digits(2)
    noise = InputNoise(MCDropout(DeepLIFT(model), passes=5, block=2, seed=SEED), sigma=0.4, seed=9)
    found = noise.interpret(images, 3)
    noisy = [images + 0.4 * torch.from_numpy(normals(9, i, (1, 28, 28), source=2**32)) for i in range(5)]
    loop = [DeepLIFT(WrittenOut(model, SEED, i)).interpret(each, 3) for i, each in enumerate(noisy)]
    assert relative(found.mean, torch.stack([each.values for each in loop]).mean(dim=0)) < 1e-10
    assert list(found.coverage["passes"]) == ["born at the input: noise on the input"]


def test_independent_masks_are_other_passes_for_each_class() -> None:
    model, images = dropout_cnn(), digits(1)
    found = cloud(Gradient, model, images, passes=4, block=2, independent_masks=True)
    counts = torch.zeros(10, dtype=torch.int64)
    for k in range(10):
        loop = [WrittenOut(model, SEED, i * 10 + k) for i in range(4)]
        maps = torch.stack([Gradient(each).interpret(images, k).values for each in loop])
        assert relative(found.mean[:, k], maps.mean(dim=0)) < 1e-10
        counts[k] = sum(int(each(images).argmax()) == k for each in loop)
    assert torch.equal(found.counts[0], counts)
    assert found.logits.shape == (10, 4, 1, 10)


# The same bits


def chunks(make: Make, size: int, total: int, randomness: Randomness, **options: Any) -> list[Any]:
    model, images = dropout_cnn(torch.float32), digits(1, torch.float32)
    ranges = [(begin, min(begin + size, total)) for begin in range(0, total, size)]
    drawn = [draw_passes(model, images, randomness, *each) for each in ranges]
    return [(each, attribute_passes(make(model), images, each, randomness, "all", **options)) for each in drawn]


KINDS = {
    "dropout": Randomness(dropout=Dropout(SEED)),
    "noise": Randomness(noise=Noise(0.3, seed=4)),
    "both": Randomness(Dropout(SEED), Noise(0.3, seed=4)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("products", [ALL[:3], ALL], ids=["summed", "per pass"])
def test_chunks_and_the_order_of_jobs_do_not_change_a_bit(kind: str, products: tuple[str, ...]) -> None:
    total, results = 280, []
    for size in (50, 250, 1000):
        parts = chunks(LRP, size, total, KINDS[kind], products=products)
        for seed in range(2):
            random.Random(seed).shuffle(parts)
            results.append(merge_passes(parts, total))
    first, *rest = results
    for other in rest:
        for product in (*products, "logits", "score_variance"):
            assert torch.equal(getattr(first, product), getattr(other, product)), product


def test_the_wrapper_has_the_bits_of_the_jobs() -> None:
    model, images = dropout_cnn(torch.float32), digits(1, torch.float32)
    jobs = merge_passes(chunks(LRP, 100, 130, KINDS["dropout"]), 130)
    for chunk in (50, 250):
        found = MCDropout(LRP(model), passes=130, chunk=chunk, seed=SEED).interpret(images, "all")
        assert all(torch.equal(getattr(found, name), getattr(jobs, name)) for name in ALL[:3])


def test_blocks_added_in_another_order_have_other_bits() -> None:
    """So that the tests of equal bits can fail."""
    ((drawn, part),) = chunks(LRP, 1000, 280, KINDS["dropout"], products=ALL)
    drawn, part = (replace(each, **_in_float64(each)) for each in (drawn, part))
    swapped = replace(part, sums={name: values[[0, 5, 2, 3, 4, 1]] for name, values in part.sums.items()})
    expected, found = (merge_passes([(drawn, each)]) for each in (part, swapped))
    assert relative(found.covariance, expected.covariance) < 1e-12
    assert not torch.equal(found.covariance, expected.covariance)


def _in_float64(part: Any) -> dict[str, Tensor]:
    """Results have the type of the scores; so they keep all the bits of the sums."""
    return {"logits": part.logits.double()} if hasattr(part, "logits") else {}


def test_more_passes_keep_those_there_are() -> None:
    few, many = (cloud(Gradient, dropout_cnn(), digits(2), passes=n) for n in (5, 9))
    assert torch.equal(many.logits[:3], few.logits[:3])
    assert relative(many.logits[:5], few.logits) < 1e-12


# Functions of all passes


@pytest.mark.parametrize("function", [predictive_entropy, expected_entropy, mutual_information, evidential_uncertainty])
@pytest.mark.parametrize("name", ["DeepLIFT, rescale", "DeepLIFT, reveal_cancel", "input x gradient"])
def test_functions_of_all_passes_are_explained_completely(function: Any, name: str) -> None:
    complete = name != "input x gradient"
    model = dropout_cnn() if complete else bias_free_net()
    images = digits(2) if complete else pictures()
    wrapper = MCDropout(METHODS[name](model), passes=11, block=4, seed=SEED)
    found = wrapper.interpret(images, function)
    total = found.mean.flatten(1).sum(dim=1)
    assert relative(total, found.score_mean) < (2e-4 if function is evidential_uncertainty and complete else 1e-6)
    value = function(found.logits)
    origin = torch.zeros_like(found.logits)
    if complete:
        loop = [WrittenOut(model, SEED, i) for i in range(11)]
        origin = torch.stack([each(torch.full_like(images, 0.1)) for each in loop])
    assert relative(found.score_mean, value - function(origin)) < 1e-10
    assert found.covariance is None
    assert found.score_variance is None


def test_a_function_is_explained_under_inference_mode_with_the_same_bits() -> None:
    method, images = MCDropout(LRP(dropout_cnn()), passes=5, block=5), digits(2)
    expected = method.interpret(images, mutual_information)
    with torch.inference_mode():
        found = method.interpret(images.clone(), mutual_information)
    assert torch.equal(found.mean, expected.mean)
    assert not found.mean.is_inference()


def test_weights_of_passes_sum_to_the_change() -> None:
    scores = 3 * torch.randn(50, 2, 10, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    origin = torch.randn(50, 2, 10, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for start in (None, origin):
        weights, explained = pass_weights(mutual_information, scores, start)
        base = torch.zeros_like(scores) if start is None else start
        assert relative((weights * (scores - base)).sum(dim=2).mean(dim=0), explained) < 1e-9
        assert relative(explained, mutual_information(scores) - mutual_information(base)) < 1e-12


def test_a_function_may_be_explained_in_chunks() -> None:
    model, images, randomness = dropout_cnn(), digits(2), KINDS["dropout"]
    drawn = [draw_passes(model, images, randomness, *each, block=4) for each in ((0, 8), (8, 11))]
    weights, _ = pass_weights(mutual_information, torch.cat([each.logits for each in drawn]))
    parts = [
        (each, attribute_passes(LRP(model), images, each, randomness, weights[each.begin : each.end], products=()))
        for each in drawn
    ]
    whole = MCDropout(LRP(model), passes=11, block=4, seed=SEED).interpret(images, mutual_information)
    assert torch.equal(merge_passes(parts, 11).mean, whole.mean)


def test_known_values_of_information() -> None:
    members = torch.tensor([[[0.9, 0.1]], [[0.1, 0.9]]], dtype=torch.float64).log()
    assert float(predictive_entropy(members)) == pytest.approx(math.log(2))
    assert float(expected_entropy(members)) == pytest.approx(0.325083, abs=1e-6)
    assert float(mutual_information(members)) == pytest.approx(0.368064, abs=1e-6)
    assert float(evidential_uncertainty(torch.tensor([[[2.0, -1.0]], [[-1.0, -2.0]]]))) == pytest.approx(0.75)
    certain = torch.tensor([[[1e4, 0.0, -1e4]]], dtype=torch.float64)
    assert float(predictive_entropy(certain)) == 0
