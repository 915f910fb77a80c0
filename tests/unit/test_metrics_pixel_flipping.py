"""Pixel flipping: closed forms of linear models, a slow twin, and what is refused."""

from __future__ import annotations

from typing import Any

import metric_twins as twins
import nets
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.methods.fills import filled
from nn_interpretability.metrics import PixelFlipping


def linear(height: int = 3, width: int = 4, channels: int = 1) -> nn.Sequential:
    model = nets.randomised(nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, 3)))
    assert isinstance(model, nn.Sequential)
    return model


def noisy_digits(count: int = 3) -> Tensor:
    """Without two equal pixels, so that no order is a matter of luck."""
    return nets.digits(count) + 0.01 * nets.uniform(count, 1, 28, 28, seed=5)


class TestLinear:
    """With input x gradient the score falls by the relevance of what was flipped."""

    def test_the_curve_is_the_score_less_the_sorted_relevance(self) -> None:
        model, images = linear(), nets.uniform(4, 1, 3, 4, low=0.1)
        relevance = images * model[1].weight[2].reshape(1, 1, 3, 4)
        found = PixelFlipping(model).measure(images, relevance, 2)
        score = model(images)[:, 2:].detach()
        descending = relevance.flatten(1).sort(dim=1, descending=True).values.detach()
        for curve, order in (
            (found.most_relevant_first, descending),
            (found.least_relevant_first, descending.flip(1)),
        ):
            assert curve is not None
            assert nets.relative(curve, torch.cat([score, score - order.cumsum(dim=1)], dim=1)) < 1e-12

    def test_areas_by_hand(self) -> None:
        model = nn.Sequential(nn.Flatten(), nn.Linear(3, 1, bias=False)).double()
        model[1].weight.data = torch.tensor([[3.0, 1.0, 2.0]], dtype=torch.float64)
        images = torch.ones(1, 1, 1, 3, dtype=torch.float64)
        found = PixelFlipping(model).measure(images, model[1].weight.reshape(1, 1, 1, 3), 0)
        assert found.share.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
        assert found.most_relevant_first.tolist() == [[6, 3, 1, 0]]  # type: ignore[union-attr]
        assert found.least_relevant_first.tolist() == [[6, 5, 3, 0]]  # type: ignore[union-attr]
        assert found.area_between.tolist() == [1]  # (0 + 2 + 2 + 0) / 4
        assert found.area_over.tolist() == [3.5]  # (0 + 3 + 5 + 6) / 4


@pytest.mark.parametrize("fill", ["black", "white", "mean", "blur", 0.3])
@pytest.mark.parametrize("region", [1, 4])
def test_curves_are_the_twins(fill: Any, region: int) -> None:
    """Many pixels are black or white already, so that many steps change nothing."""
    model = nets.randomised(nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(189, 3)))
    images = (3 * nets.uniform(2, 2, 9, 11, low=-0.5)).clamp(0, 1)
    relevance = nets.uniform(2, 2, 9, 11, low=-1, seed=3)
    background = filled(fill, images, blur=(9 / 8, 9 / 8), name="fill")
    curves = PixelFlipping(model, fill=fill, region=region, chunk=17).measure(images, relevance, torch.tensor([2, 0]))
    for order, most_first in ((curves.most_relevant_first, True), (curves.least_relevant_first, False)):
        assert order is not None
        for i, target in enumerate((2, 0)):
            expected = twins.flipping_curve(
                twins.scorer(model, target),
                images[i].numpy(),
                relevance[i].sum(dim=0).numpy(),
                background[i].numpy(),
                region=region,
                most_first=most_first,
            )
            assert nets.relative(order[i], torch.tensor(expected, dtype=torch.float64)) < 1e-12


def test_channels_fall_together_by_their_sum() -> None:
    model, images = linear(2, 2, channels=3), nets.uniform(1, 3, 2, 2)
    relevance = nets.uniform(1, 3, 2, 2, low=-1, seed=1)
    found = PixelFlipping(model, fill=(0.1, 0.2, 0.3)).measure(images, relevance, 1)
    fill = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)[:, None, None].expand(3, 2, 2)
    expected = twins.flipping_curve(
        twins.scorer(model, 1), images[0].numpy(), relevance[0].sum(dim=0).numpy(), fill.numpy()
    )
    assert nets.relative(found.most_relevant_first[0], torch.tensor(expected, dtype=torch.float64)) < 1e-13  # type: ignore[index]


def test_a_constant_map_says_nothing() -> None:
    found = PixelFlipping(nets.small_cnn(), steps=20).measure(noisy_digits(2), torch.ones(2, 28, 28))
    assert found.area_between.tolist() == [0, 0]


def test_the_reverse_order_is_that_of_the_negative_map_also_with_ties() -> None:
    model, images = nets.small_cnn(), nets.digits(2)
    relevance = (2 * nets.uniform(2, 1, 28, 28, low=-1)).round()
    one = PixelFlipping(model, steps=28).measure(images, relevance)
    other = PixelFlipping(model, steps=28).measure(images, -relevance)
    assert one.least_relevant_first.equal(other.most_relevant_first)  # type: ignore[union-attr, arg-type]


def test_steps_are_points_of_the_full_curve() -> None:
    model, images = linear(8, 9), nets.uniform(2, 1, 8, 9)
    relevance = nets.uniform(2, 1, 8, 9, low=-1)

    def curve(**settings: Any) -> tuple[Tensor, list[float]]:
        found = PixelFlipping(model, order="most_relevant_first", **settings).measure(images, relevance)
        assert found.most_relevant_first is not None
        return found.most_relevant_first, (found.share * 72).round().tolist()

    full, everything = curve()
    assert everything == list(range(73))
    few, at = curve(steps=10)
    assert at == [round(72 * step / 10) for step in range(11)]
    assert nets.relative(few, full[:, [int(k) for k in at]]) < 1e-12
    part, at = curve(steps=4, until=0.25)
    assert at == [0, 4, 9, 14, 18]
    assert nets.relative(part, full[:, [0, 4, 9, 14, 18]]) < 1e-12


def test_steps_that_change_nothing_cost_nothing() -> None:
    rows: list[int] = []
    model = nets.small_cnn()
    model.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
    images = torch.zeros(1, 1, 28, 28, dtype=torch.float64)
    images[0, 0, 10, 10:15] = 1.0
    found = PixelFlipping(model).measure(images, nets.uniform(1, 1, 28, 28), 0)
    assert sum(rows) == 1 + 2 * 5
    assert all(len(curve[0].unique()) == 6 for curve in (found.most_relevant_first, found.least_relevant_first))  # type: ignore[index]


def test_probabilities_and_functions() -> None:
    model, images = nets.small_cnn(), noisy_digits(2)
    relevance = nets.uniform(2, 1, 28, 28, low=-1)
    settings: dict[str, Any] = {"steps": 8, "order": "most_relevant_first"}
    probability = PixelFlipping(model, score="probability", **settings).measure(images, relevance, 3)
    function = PixelFlipping(model, **settings).measure(images, relevance, lambda z: z.softmax(1)[:, 3])
    weights = torch.zeros(2, 10, dtype=torch.float64)
    weights[:, 3] = 1
    weighted = PixelFlipping(model, score="probability", **settings).measure(images, relevance, weights)
    for other in (function, weighted):
        assert nets.relative(other.most_relevant_first, probability.most_relevant_first) < 1e-12  # type: ignore[arg-type]
    assert ((probability.most_relevant_first > 0) & (probability.most_relevant_first < 1)).all()  # type: ignore[operator]


def test_functions_get_probabilities_if_these_are_asked_for_and_must_be_finite() -> None:
    model, images = nets.small_cnn(), noisy_digits(2)
    settings: dict[str, Any] = {"steps": 5, "score": "probability"}
    seen: list[Tensor] = []

    def third(scores: Tensor) -> Tensor:
        seen.append(scores)
        return scores[:, 3]

    found = PixelFlipping(model, **settings).measure(images, images, third)
    assert found.area_between.equal(PixelFlipping(model, **settings).measure(images, images, 3).area_between)
    assert all((scores.sum(dim=1) - 1).abs().max() < 1e-12 for scores in seen)
    with pytest.raises(DataError, match="function returns NaN or infinite values"):
        PixelFlipping(model, steps=5).measure(images, images, lambda z: (z[:, 3] - z[:, 3].detach() - 1).log())


def test_fills_may_be_one_image_for_each() -> None:
    model, images, fill = nets.small_cnn(), noisy_digits(2), nets.uniform(2, 1, 28, 28, seed=8)
    whole = PixelFlipping(model, steps=5, fill=fill).measure(images, images, 3).most_relevant_first
    for i in range(2):
        one = PixelFlipping(model, steps=5, fill=fill[i]).measure(images[i : i + 1], images[i : i + 1], 3)
        assert nets.relative(one.most_relevant_first, whole[i : i + 1]) < 1e-12  # type: ignore[arg-type, index]
    assert nets.relative(whole[:, -1], model(fill)[:, 3]) < 1e-12  # type: ignore[index]


def test_the_class_is_that_of_the_unchanged_image() -> None:
    model, images = nets.small_cnn(), noisy_digits(3)
    relevance = nets.uniform(3, 1, 28, 28, low=-1)
    classes = model(images).argmax(dim=1)
    found = PixelFlipping(model, steps=6).measure(images, relevance)
    expected = PixelFlipping(model, steps=6).measure(images, relevance, classes)
    assert found.area_between.equal(expected.area_between)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_chunks_and_batches_do_not_matter(chunk: int) -> None:
    model, images = nets.small_cnn(), noisy_digits(3)
    relevance = nets.uniform(3, 1, 28, 28, low=-1)
    whole = PixelFlipping(model, steps=12).measure(images, relevance)
    found = PixelFlipping(model, steps=12, chunk=chunk).measure(images, relevance)
    assert nets.relative(found.area_between, whole.area_between) < 1e-12
    single = [
        PixelFlipping(model, steps=12).measure(images[i : i + 1], relevance[i : i + 1]).area_between for i in range(3)
    ]
    assert nets.relative(torch.cat(single), whole.area_between) < 1e-12


def test_model_and_images_stay_as_they_were() -> None:
    model, images = nets.small_cnn().train(), noisy_digits(1)
    before = {name: values.clone() for name, values in model.state_dict().items()}
    copy = images.clone()
    PixelFlipping(model, steps=4).measure(images, images)
    assert model.training
    assert images.equal(copy)
    assert all(values.equal(before[name]) for name, values in model.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"fill": "grey"}, "fill='grey' is not allowed"),
        ({"steps": 0}, "steps=0 is not allowed"),
        ({"order": "random"}, "order='random' is not allowed: choose 'both'"),
        ({"score": "loss"}, "score='loss' is not allowed"),
        ({"region": 0}, "region=0 is not allowed"),
        ({"until": 1.5}, "until=1.5 is not allowed"),
        ({"chunk": 0}, "chunk=0 is not allowed"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        PixelFlipping(linear(), **settings)


def test_what_does_not_fit_is_refused() -> None:
    model, images = linear(), nets.uniform(2, 1, 3, 4)
    for relevance in (torch.ones(1, 3, 4), torch.ones(2, 4, 3)):
        with pytest.raises(DataError, match="does not fit images"):
            PixelFlipping(model).measure(images, relevance)
    with pytest.raises(ConfigError, match="steps=13 is more than the 12 regions"):
        PixelFlipping(model, steps=13).measure(images, images)
    with pytest.raises(ConfigError, match="one score for each image"):
        PixelFlipping(model).measure(images, images, "all")
    with pytest.raises(DataError, match="nothing is converted silently"):
        PixelFlipping(model).measure(images.float(), images)
    with pytest.raises(ConfigError, match="least relevant first was not asked for"):
        _ = PixelFlipping(model, order="most_relevant_first").measure(images, images).area_between


def test_settings_are_told() -> None:
    told = PixelFlipping(linear(), fill=np.float64(0.5), region=2).parameters  # type: ignore[arg-type]
    assert told == {"fill": 0.5, "steps": None, "order": "both", "score": "logit", "region": 2, "until": 1.0}
