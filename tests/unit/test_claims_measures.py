"""What claims on maps measure, on pictures whose answer is known."""

import torch
from torch import nn

from nn_interpretability.claims.assertions.occluded_one_is_four import worst_occlusions
from nn_interpretability.claims.assertions.occlusion_object import distances, ink_under_windows
from nn_interpretability.claims.quality import flipping, mass_on_ink


class Linear(nn.Module):
    """Scores that are weighted sums of pixels; class 1 has ones in the lower right quarter."""

    def __init__(self, side: int = 8) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, 1, side, side))
        with torch.no_grad():
            self.weight[1, 0, side // 2 :, side // 2 :] = 1.0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.einsum("nchw,kchw->nk", images, self.weight) + torch.tensor([0.5, 0.0, 0.0])


def test_the_window_and_its_place() -> None:
    images = torch.zeros(1, 1, 8, 8)
    images[0, 0, 4:, 4:] = 1.0
    ink = ink_under_windows(images, 4, 2)
    assert ink.reshape(3, 3).tolist() == [[0, 0, 0], [0, 0.25, 0.5], [0, 0.5, 1]]
    distance = distances(8, 4, 2).reshape(3, 3)
    assert distance[1, 1] == 0
    torch.testing.assert_close(distance[0, 0], torch.tensor(8.0).sqrt())


def test_the_worst_window_covers_what_speaks_for_the_class() -> None:
    model = Linear()
    with torch.no_grad():
        model.weight[1] *= -1  # a white window there lowers the score
    covered, seen = worst_occlusions(model, torch.zeros(1, 1, 8, 8), window=4, stride=4)
    assert covered[0, 0].nonzero().amin(0).tolist() == [4, 4]
    assert covered.sum() == 16
    assert seen.tolist() == [0]


def test_flipping_is_positive_for_the_map_of_a_linear_model_and_negative_for_its_opposite() -> None:
    model, images = Linear(), torch.ones(2, 1, 8, 8)
    maps = (images * model.weight[1]).detach()
    target = torch.tensor([1, 1])
    found = flipping(model, images, maps, target)
    # least relevant first: the score stays 16 for 48 steps, then falls to 0 over 16; most relevant first the reverse
    least = (16 * 49 + sum(range(16))) / 65
    most = sum(range(1, 17)) / 65
    assert found.tolist() == [(least - most) / 16] * 2
    assert flipping(model, images, -maps, target)[0] == -found[0]


def test_mass_on_dilated_ink() -> None:
    images = torch.zeros(1, 1, 8, 8)
    images[0, 0, 4, 4] = 1.0
    assert mass_on_ink(images, torch.ones(1, 1, 8, 8)).tolist() == [9 / 64]
    assert mass_on_ink(images, torch.zeros(1, 1, 8, 8)).tolist() == [0]
