"""Occlusion: its formula, what it keeps, its fills, its memory, and its words."""

from __future__ import annotations

from typing import Any

import nets
import pytest
import torch
from torch import Tensor, nn

from nn_interpretability import Occlusion
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.methods.occlusion import _averaged


def linear(channels: int = 2, size: int = 6) -> nn.Module:
    return nets.randomised(nn.Sequential(nn.Flatten(), nn.Linear(channels * size * size, 3)))


def saturated(_: Any, images: Tensor) -> Tensor:
    return (1 - torch.relu(1 - images.flatten(1).sum(1, keepdim=True))).expand(-1, 2)


def test_the_saturated_sum_of_the_lecture_does_not_change_under_either_window():
    """y = 1 - relu(1 - i1 - i2) at (1, 1)."""
    found = Occlusion(nets.net(saturated), window=1).interpret(torch.ones(1, 1, 1, 2, dtype=torch.float64), 0)
    assert not found.values.any()
    assert found.details["position_score"].tolist() == [[[1.0, 1.0]]]


def test_overlapping_windows_are_averaged_by_how_often_they_cover_a_pixel():
    """Written out for a linear net: covering a window takes away its weights times its pixels."""
    model, images = linear(), nets.uniform(2, 2, 6, 6, low=-1)
    found = Occlusion(model, window=(3, 2), stride=(2, 2)).interpret(images, 1)
    weight = model[1].weight[1].reshape(2, 6, 6).detach()
    total, count = torch.zeros(2, 6, 6).double(), torch.zeros(6, 6)
    for i, top in enumerate((0, 2, 4)):
        for j, left in enumerate((0, 2, 4)):
            place = (slice(top, min(top + 3, 6)), slice(left, min(left + 2, 6)))
            drop = (weight[:, *place] * images[:, :, *place]).sum((1, 2, 3))
            total[:, *place] += drop[:, None, None]
            count[place] += 1
            gap = found.score - drop - found.details["position_score"][:, i, j]
            assert gap.abs().max() < 1e-14
    assert found.details["position_score"].shape == (2, 3, 3)
    assert nets.relative(found.values[:, 0], total / count) < 1e-14


def test_covered_images_per_forward_pass_are_bounded():
    rows: list[int] = []

    def forward(model: Any, images: Tensor) -> Tensor:
        rows.append(len(images))
        return model.linear(images.flatten(1))

    model = nets.net(forward, linear=nn.Linear(36, 3))
    images = nets.uniform(5, 1, 6, 6)
    whole = Occlusion(model, window=2, chunk=1000).interpret(images)
    assert rows == [5, 45]
    rows.clear()
    parts = Occlusion(model, window=2, chunk=4).interpret(images)
    assert max(rows) == 4
    assert nets.relative(parts.values, whole.values) < 1e-12
    assert torch.equal(parts.details["position_class"], whole.details["position_class"])


def test_many_windows_on_large_images_need_no_memory_for_each_pair_of_window_and_pixel():
    """Equal falls under all windows average to that fall; each window with each pixel would be 19 gigabytes here."""
    occlusion = Occlusion(linear(), window=7, stride=1)
    along = occlusion._along_axes(torch.empty(1, 3, 224, 224))
    assert [tuple(covered.shape) for covered in along] == [(218, 224)] * 2
    maps = _averaged(torch.full((218 * 218, 2, 3), 0.25), along)
    assert maps.shape == (2, 3, 1, 224, 224)
    assert (maps - 0.25).abs().max() < 1e-14


@pytest.mark.parametrize("score", ["logit", "probability"])
def test_all_classes_are_the_classes_one_by_one(score: Any):
    model, images = nets.small_cnn(study=False), nets.digits(3)
    method = Occlusion(model, window=9, stride=8, score=score)
    every = method.interpret(images, "all")
    assert every.values.shape == (3, 10, 1, 28, 28)
    assert every.details["position_score"].shape == (3, 10, 4, 4)
    for c in (0, 7):
        one = method.interpret(images, c)
        assert torch.equal(every.values[:, c], one.values)
        assert torch.equal(every.details["position_score"][:, c], one.details["position_score"])
        assert torch.equal(every.score[:, c], one.score)


def test_a_function_of_the_scores_and_weights():
    model, images = linear(), nets.uniform(3, 2, 6, 6)
    weights = nets.uniform(3, 3, low=-1)
    by_weights = Occlusion(model, window=2).interpret(images, weights).values
    by_function = Occlusion(model, window=2).interpret(images, lambda scores: (scores * weights).sum(1)).values
    assert nets.relative(by_function, by_weights) < 1e-12
    steps = Occlusion(model, window=2).interpret(images, lambda scores: scores.argmax(1).double())  # has no derivative
    assert torch.equal(steps.details["position_score"].long(), steps.details["position_class"])
    probability = Occlusion(model, window=2, score="probability")
    squared = probability.interpret(images, lambda p: p[:, 2] ** 2)
    plain = probability.interpret(images, 2)
    assert torch.allclose(squared.details["position_score"], plain.details["position_score"] ** 2, rtol=1e-12)
    assert torch.allclose(plain.score, model(images).softmax(1)[:, 2], rtol=1e-12)


def seen(fill: Any, images: Tensor, window: int = 6) -> Tensor:
    """What a window is filled with: all covered images that the model got, but the first."""
    given: list[Tensor] = []

    def forward(model: Any, batch: Tensor) -> Tensor:
        given.append(batch.clone())
        return model.linear(batch.flatten(1))

    Occlusion(nets.net(forward, linear=nn.Linear(72, 2)), window=window, fill=fill).interpret(images)
    return given[1]


def test_fills():
    images = nets.uniform(2, 2, 6, 6)
    assert (seen("black", images) == 0).all()
    assert (seen("white", images) == 1).all()
    assert (seen(0.3, images) == 0.3).all()
    assert torch.allclose(seen("mean", images), images.mean((2, 3), keepdim=True).expand_as(images), rtol=1e-14)
    assert (seen([0.25, 0.75], images)[:, 1] == 0.75).all()
    assert torch.equal(seen(images[0], images)[1], images[0])
    blurred = seen("blur", images)
    assert blurred.std() < 0.3 * images.std()
    assert torch.equal(seen("blur", images[1:])[0], blurred[1])  # nothing leaks between images
    constant = torch.full((1, 2, 6, 6), 0.4, dtype=torch.float64)
    assert torch.allclose(seen("blur", constant), constant, rtol=1e-12)


def test_integer_models_need_no_gradients():
    """A tree, say: anything that gives scores."""
    steps = nets.net(lambda _, x: torch.stack([(x > 0.5).flatten(1).sum(1), (x < 0.2).flatten(1).sum(1)], 1).to(x))
    found = Occlusion(steps, window=3).interpret(nets.uniform(2, 1, 6, 6), 0)
    assert found.values.abs().sum() > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": 0}, "window=0"),
        ({"window": 2.5}, r"window=2\.5"),
        ({"window": 7}, "larger than the images"),
        ({"window": (2, 2, 2)}, "3 numbers, the images have 2 axes"),
        ({"window": 2, "stride": 3}, "never covered"),
        ({"stride": -1}, "stride=-1"),
        ({"window": 2, "fill": "grey"}, "'grey'"),
        ({"window": 2, "fill": [0, 1, 2]}, "fill of the windows has 3 values, the images have 2 channels"),
        ({"window": 2, "fill": float("nan")}, "must be finite"),
        ({"window": 2, "score": "loss"}, "'loss'"),
        ({"window": 2, "chunk": 0}, "chunk=0"),
    ],
)
def test_bad_hyper_parameters(options: dict[str, Any], words: str):
    with pytest.raises(ConfigError, match=words):
        Occlusion(linear(), **options).interpret(nets.uniform(1, 2, 6, 6))


def test_vectors_have_no_places_to_cover():
    with pytest.raises(DataError, match="needs images with places"):
        Occlusion(nets.randomised(nn.Linear(4, 2)), window=1).interpret(nets.uniform(2, 4))
