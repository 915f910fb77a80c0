"""Digit conversion: by hand, by a slow twin, and what is refused."""

from __future__ import annotations

import metric_twins as twins
import nets
import pytest
import torch
from torch import nn

from nn_interpretability import LRP
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.metrics import DigitConversion


def test_by_hand() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(5, 2, bias=False)).double()
    weights = torch.tensor([[5.0, 4.0, 3.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0, 3.0]], dtype=torch.float64)
    model[1].weight.data = weights
    images = torch.ones(1, 1, 1, 5, dtype=torch.float64)
    maps = (weights[:, None] * images[0, 0]).reshape(2, 1, 1, 1, 5)
    found = DigitConversion(model, share=0.4).measure(images, maps[0], maps[1], 0, 1)
    assert found.before.tolist() == [11]
    assert found.after.tolist() == [2]
    assert found.change.tolist() == [9]
    assert found.images.flatten().tolist() == [0, 0, 1, 1, 1]
    everything = DigitConversion(model, share=1).measure(images, maps[0], maps[1], 0, 1)
    assert everything.erased.tolist() == [4]  # the last pixel speaks for the target and stays
    assert everything.images.flatten().tolist() == [0, 0, 0, 0, 1]


def test_157_pixels_of_a_digit_as_in_the_paper() -> None:
    model, images = nets.small_cnn(), nets.digits(4)
    original, target = torch.tensor([7, 2, 1, 0]), torch.tensor([9, 1, 4, 6])
    maps = LRP(model).interpret(images, "all").values + 1e-6 * nets.uniform(4, 10, 1, 28, 28)
    rows = torch.arange(4)
    found = DigitConversion(model, chunk=3).measure(images, maps[rows, original], maps[rows, target], original, target)
    difference = (maps[rows, original] - maps[rows, target])[:, 0]
    for i in range(4):
        image, erased = twins.converted(images[i].numpy(), difference[i].numpy(), 157)
        assert found.erased[i] == erased
        assert found.images[i].equal(torch.from_numpy(image))
        logits = model(torch.stack([images[i], found.images[i]])).detach()
        odds = logits[:, original[i]] - logits[:, target[i]]
        assert found.change[i].item() == pytest.approx((odds[0] - odds[1]).item(), abs=1e-11)


def test_classes_and_shares_are_checked() -> None:
    model, images = nets.small_cnn(), nets.digits(2)
    metric = DigitConversion(model)
    with pytest.raises(ConfigError, match="are the same"):
        metric.measure(images, images, images, torch.tensor([3, 1]), torch.tensor([2, 1]))
    with pytest.raises(ConfigError, match="target=10 is not a class"):
        metric.measure(images, images, images, 1, 10)
    with pytest.raises(DataError, match="does not fit images"):
        metric.measure(images, images, images[:1], 1, 2)
    for share in (0, 1.1):
        with pytest.raises(ConfigError, match="is not allowed: give the share"):
            DigitConversion(model, share=share)
