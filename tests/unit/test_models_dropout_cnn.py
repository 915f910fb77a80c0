"""The dropout network: the small one in evaluation mode, whole channels dropped in training mode."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nn_interpretability.models import build_model
from nn_interpretability.models.weights import load_weights


def test_order_of_the_layers():
    model = build_model("dropout_cnn")
    assert [type(layer).__name__ for layer in model.features] == ["Conv2d", "Dropout2d", "MaxPool2d", "ReLU"] * 2
    assert [type(layer).__name__ for layer in model.classifier] == ["Linear", "ReLU", "Dropout", "Linear"]
    assert {layer.p for layer in model.modules() if hasattr(layer, "p")} == {0.5}


def test_in_evaluation_mode_it_is_the_small_network():
    model, small = build_model("dropout_cnn").eval(), build_model("small_cnn")
    small.load_state_dict(model.state_dict())
    images = torch.rand(3, 1, 28, 28)
    torch.testing.assert_close(model(images), small(images), rtol=0, atol=0)


def test_in_training_mode_every_row_has_its_own_mask_of_whole_channels():
    model = build_model("dropout_cnn").train()
    torch.manual_seed(0)
    with torch.no_grad():
        maps = model.features.dropout1(model.features.conv1(torch.rand(1, 1, 28, 28).repeat(40, 1, 1, 1)))
    dropped = (maps == 0).flatten(2)
    assert torch.equal(dropped.all(2), dropped.any(2))
    assert len({tuple(row.tolist()) for row in dropped.all(2)}) > 30


def test_another_shape_is_refused_in_words():
    with pytest.raises(ValueError, match=r"dropout_cnn takes images of shape \(n, 1, 28, 28\), not \(1, 28, 28\)"):
        build_model("dropout_cnn")(torch.zeros(1, 28, 28))


def test_published_weights_fit(study_data: Path):
    load_weights(build_model("dropout_cnn"), study_data / "study2020" / "mc_dropout_cnn.pt")
