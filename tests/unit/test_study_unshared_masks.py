"""Figure 22 as published: image and reference under other masks, multipliers scaled before the mean."""

from __future__ import annotations

import nets
import pytest
import torch
from torch import Tensor, nn

from nn_interpretability.errors import ConfigError
from nn_interpretability.stochastic.draws import BlockDraws
from nn_interpretability.study.as_published import PublishedDeepLIFT
from nn_interpretability.study.describe import describe
from nn_interpretability.study.unshared_masks import UnsharedMasks, to_unit_range

SEED = 5


def network() -> nn.Module:
    layers = nn.Linear(6, 20), nn.Dropout(0.5), nn.ReLU(), nn.Linear(20, 3)
    return nets.randomised(nn.Sequential(*layers), 2).eval()


def one_pass(model: nn.Module, images: Tensor, own: int, other: int) -> Tensor:
    """Rescale as the study had it, one picture at a time, with the masks of two passes; scaled to [0, 1]."""
    hidden, _, _, last = model
    mask, mask0 = (
        2.0 * (torch.from_numpy(BlockDraws([number]).uniforms(SEED, 0, (1, 20))[0, 0]) >= 0.5)
        for number in (own, other)
    )
    maps = []
    with torch.no_grad():
        for image in images:
            z, z0 = hidden(image) * mask, hidden(torch.zeros_like(image)) * mask0
            change = z - z0
            slope = torch.where(change.abs() > 1e-7, (z.relu() - z0.relu()) / (change + 1e-7), 0.01) * (z > 0)
            found = (last.weight[1] * slope * mask) @ hidden.weight
            maps.append((found - found.min()) / (found.max() - found.min()))
    return torch.stack(maps)


@pytest.mark.parametrize("shared", [False, True])
def test_passes_are_those_of_a_literal_twin(shared: bool) -> None:
    model, images = network(), nets.uniform(4, 6)
    found = UnsharedMasks(model, mode="rescale", passes=9, seed=SEED, shared_masks=shared).interpret(
        images, 1, chunk=12
    )
    expected = torch.stack([one_pass(model, images, 2 * i, 2 * i + (not shared)) for i in range(9)]).mean(dim=0)
    assert nets.relative(found.values, expected) < 1e-12
    torch.testing.assert_close(found.logits, model(images).detach())


def test_masks_of_its_own_change_the_reference_and_with_it_the_map() -> None:
    model, images = network(), nets.uniform(4, 6)
    options = {"mode": "rescale", "passes": 1, "seed": SEED}
    apart, shared = (UnsharedMasks(model, shared_masks=each, **options).interpret(images, 1) for each in (False, True))
    assert nets.relative(apart.values, shared.values) > 0.05


def test_the_published_network_runs_without_an_uncovered_operation() -> None:
    model = nets.randomised(nets.build_model("dropout_cnn")).eval()
    found = UnsharedMasks(model, mode="linear_reveal_cancel", passes=3).interpret(nets.uniform(2, 1, 28, 28), "all")
    assert found.values.shape == (2, 10, 1, 28, 28)
    assert not found.coverage["uncovered"]
    assert 0 <= float(found.values.min()) < float(found.values.max()) <= 1


def test_a_map_of_one_value_is_black() -> None:
    assert torch.equal(to_unit_range(torch.full((1, 2, 2), 3.0)), torch.zeros(1, 2, 2))
    assert to_unit_range(torch.tensor([[-1.0, 0.0, 3.0]])).tolist() == [[0, 0.25, 1]]


def test_without_dropout_there_is_no_other_mask() -> None:
    model = nn.Sequential(nn.Linear(6, 3)).double()
    with pytest.raises(ConfigError, match="no dropout"):
        UnsharedMasks(model, mode="rescale").interpret(nets.uniform(1, 6))
    with pytest.raises(ConfigError, match="passes=0 is not allowed"):
        UnsharedMasks(model, mode="rescale", passes=0)


def test_words() -> None:
    words = describe("deeplift_unshared_masks", {"mode": "linear_reveal_cancel", "passes": 1})
    assert words.settings == "one pass, picture and reference with other masks"
    assert issubclass(UnsharedMasks, PublishedDeepLIFT)
