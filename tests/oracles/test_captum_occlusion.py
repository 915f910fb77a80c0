"""Occlusion against captum, and against the numbers that the 2020 study printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nets
import pytest
import torch
from captum.attr import Occlusion as Peer
from torch import nn

from nn_interpretability.data.idx import read_idx
from nn_interpretability.methods.occlusion import Occlusion
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import load_weights


@pytest.fixture(autouse=True)
def double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """captum rounds its result to float32 (``.float()``), whatever the images are."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)


CASES: dict[str, tuple[dict[str, Any], tuple[int, ...], float]] = {
    "side by side": ({"window": 7}, (28, 28), 0.0),
    "overlapping": ({"window": 7, "stride": 3}, (28, 28), 0.0),
    "clipped at the border": ({"window": 5}, (28, 28), 0.0),
    "oblong": ({"window": (3, 8), "stride": (2, 5), "fill": 0.4}, (28, 28), 0.4),
    "white": ({"window": 9, "stride": 4, "fill": "white"}, (28, 28), 1.0),
    "the whole image": ({"window": 28}, (28, 28), 0.0),
}


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize("case", CASES)
def test_occlusion_is_captums(case: str, score: str) -> None:
    settings, _, baseline = CASES[case]
    model, images = nets.small_cnn(), nets.digits(3)
    target = torch.tensor([7, 2, 4])
    found = Occlusion(model, **settings, score=score, chunk=10).interpret(images, target)
    window = settings["window"] if isinstance(settings["window"], tuple) else (settings["window"],) * 2
    stride = settings.get("stride", window)
    stride = stride if isinstance(stride, tuple) else (stride,) * 2
    forward = model if score == "logit" else nn.Sequential(model, nn.Softmax(dim=1))
    expected = Peer(forward).attribute(
        images, (1, *window), (1, *stride), baselines=baseline, target=target, perturbations_per_eval=8
    )
    assert nets.relative(found.values, expected) < 1e-12


def test_all_channels_are_covered_together() -> None:
    """captum returns the same map for each channel; ours has one."""
    model = nets.randomised(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(256, 5)), seed=1)
    images = nets.uniform(2, 3, 10, 10)
    found = Occlusion(model, window=4, stride=3).interpret(images, 2).values
    expected = Peer(model.eval()).attribute(images, (3, 4, 4), (3, 3, 3), baselines=0, target=2)
    assert nets.relative(found.expand_as(expected), expected) < 1e-12


PUBLISHED = [[99, 17, 91, 100], [92, 1, 70, 63], [99, 36, 13, 99], [100, 100, 98, 100]]


def test_the_published_percentages_of_the_digit_one(study_data: Path) -> None:
    """Figure 9 of the study: a white block of 7 x 7 pixels at 16 positions, and what the model sees at the worst."""
    model = load_weights(build_model("small_cnn"), study_data / "study2020" / "model_cnn.pt")
    raw = (study_data / "MNIST" / "raw" / "train-images-idx3-ubyte").read_bytes()
    one = torch.from_numpy(read_idx(raw, name="train", item_shape=(28, 28))[3].astype("float32") / 255)[None, None]
    found = Occlusion(model, window=7, stride=7, fill="white", score="probability").interpret(one, 1)
    assert (found.details["position_score"][0] * 100).round().int().tolist() == PUBLISHED
    seen = found.details["position_class"][0]
    assert (seen[1, 1], seen[2, 2], seen[0, 1], seen[3, 3]) == (8, 6, 7, 1)
    assert float(found.score) > 0.995
