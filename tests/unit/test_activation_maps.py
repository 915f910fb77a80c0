"""Activation maps and filters: the layer's own values, ranked."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.models import build_model
from nn_interpretability.synthesis.activation_maps import ActivationMaps, filters_of


def model() -> nn.Module:
    torch.manual_seed(0)
    return build_model("small_cnn").eval()


def images() -> torch.Tensor:
    return torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def test_the_maps_are_what_the_layer_returns() -> None:
    found = ActivationMaps(net := model(), layer="features.conv1").interpret(images())
    torch.testing.assert_close(found.maps, net.features.conv1(images()))


def test_units_are_ranked_by_their_mean_or_maximum() -> None:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x).mean()

    maps = torch.tensor([[[[0.0, 9.0]], [[5.0, 5.0]], [[1.0, 1.0]], [[5.0, 5.0]]]])
    by_mean = ActivationMaps(Fixed(), layer="layer").interpret(maps)
    assert by_mean.order.tolist() == [[1, 3, 0, 2]]
    assert by_mean.strength.tolist() == [[4.5, 5.0, 1.0, 5.0]]
    assert by_mean.strongest(2).tolist() == [[[[5.0, 5.0]], [[5.0, 5.0]]]]
    assert ActivationMaps(Fixed(), layer="layer", rank_by="max").interpret(maps).order[0, 0] == 0


def test_the_strongest_are_those_of_each_image() -> None:
    found = ActivationMaps(model(), layer="features.conv2").interpret(images())
    for image in range(3):
        torch.testing.assert_close(found.strongest(4)[image], found.maps[image, found.order[image, :4]])
    assert found.strongest(1000).shape == found.maps.shape


def test_a_linear_layer_has_maps_of_one_place() -> None:
    assert ActivationMaps(model(), layer="classifier.fc1").interpret(images()).maps.shape[2:] == (1, 1)


def test_maps_are_a_copy_and_the_model_is_left_as_found() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True)).train()
    found = ActivationMaps(net, layer="0").interpret(images())
    assert found.maps.min() < 0  # the rectifier behind it writes in place
    assert net.training


def test_the_first_filters_are_the_weights() -> None:
    net = model()
    found = filters_of(net)
    assert torch.equal(found, net.features.conv1.weight)
    found += 1
    assert not torch.equal(found, net.features.conv1.weight)
    assert torch.equal(filters_of(net, "features.conv2"), net.features.conv2.weight)


def test_bad_input_is_named() -> None:
    with pytest.raises(ConfigError, match=r"Did you mean 'features\.conv2'"):
        ActivationMaps(model(), layer="features.conv3")
    with pytest.raises(ConfigError, match="rank_by='sum'"):
        ActivationMaps(model(), layer="features.conv1", rank_by="sum")
    with pytest.raises(ConfigError, match="not a convolution"):
        filters_of(model(), "classifier.fc1")
    with pytest.raises(ConfigError, match="no convolution"):
        filters_of(nn.Sequential(nn.Linear(2, 2)))
    with pytest.raises(DataError, match="NaN"):
        ActivationMaps(model(), layer="features.conv1").interpret(images() * float("nan"))
    with pytest.raises(DataError, match="batch"):
        ActivationMaps(model(), layer="features.conv1").interpret(torch.ones(3, dtype=torch.int64))
