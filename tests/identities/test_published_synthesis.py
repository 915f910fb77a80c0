"""The study's activation maximisation, literally transcribed, takes the same steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nn_interpretability.models import build_model
from nn_interpretability.models.generators import build_generator
from nn_interpretability.study.published_synthesis import BatchOfOne, PublishedMaximization, rescaled
from tests.nets import randomised, uniform


def as_published(
    model: nn.Module, start: Tensor, mean: Tensor, target: int, *, lr: float, reg: float, epochs: int, threshold: float
) -> tuple[Tensor, int]:
    """The loop of the study's notebook 1, for one image."""
    x = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([x], lr=lr, weight_decay=5e-3)
    for epoch in range(epochs):
        output = model(x)
        loss = nn.functional.cross_entropy(output, torch.tensor([target])) + reg * torch.norm(x - mean)
        if float(output.detach().softmax(1)[0, target]) >= threshold:
            return x.detach(), epoch
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return x.detach(), epochs


def test_the_search_among_pixels() -> None:
    model = randomised(build_model("small_cnn"), seed=1).eval()
    start, means = uniform(10, 1, 28, 28, seed=3), uniform(10, 1, 28, 28, seed=4)
    settings = {"steps": 30, "learning_rate": 0.02, "threshold": 0.6}
    found = PublishedMaximization(model, weight=0.05, centre=means, **settings).synthesize("all", start)
    for target in range(10):
        literal, steps = as_published(
            model, start[target, None], means[target, None], target, lr=0.02, reg=0.05, epochs=30, threshold=0.6
        )
        assert int(found.steps[target]) == steps
        torch.testing.assert_close(found.images[target], literal[0], rtol=1e-9, atol=1e-9)
    assert len(set(found.steps.tolist())) > 2


def test_the_objective_of_one_step() -> None:
    model = randomised(build_model("small_cnn"), seed=1).eval()
    image = uniform(1, 1, 28, 28, seed=5)
    search = PublishedMaximization(model, weight=0.08, centre=None, steps=0, learning_rate=0.1, threshold=0.999)
    loss = nn.functional.cross_entropy(model(image), torch.tensor([4])) + 0.08 * torch.norm(image)
    torch.testing.assert_close(search.synthesize(4, image).total[0], -loss.detach())


def test_the_start_at_the_centre_has_a_slope() -> None:
    model = randomised(build_model("small_cnn"), seed=1).eval()
    means = uniform(10, 1, 28, 28, seed=4)
    search = PublishedMaximization(model, weight=0.1, centre=means, steps=2, learning_rate=0.1, threshold=0.999)
    assert set(search.synthesize("all", means).reason) <= {"steps", "threshold"}


def test_a_batch_of_one_in_training_mode() -> None:
    torch.manual_seed(0)
    generator = build_generator("dcgan").double().train()
    codes = uniform(3, generator.latent_size, low=-2, high=2, seed=6)
    alone = torch.cat([2 * generator(code[None]) - 1 for code in codes])
    statistics = generator.state_dict()["blocks.0.1.running_mean"].clone()
    torch.testing.assert_close(BatchOfOne(generator).eval()(codes), alone)
    assert torch.equal(generator.state_dict()["blocks.0.1.running_mean"], statistics)


def test_rescaled() -> None:
    images = torch.stack([uniform(1, 4, 4, low=-3, high=5), torch.full((1, 4, 4), 0.3, dtype=torch.float64)])
    found = rescaled(images)
    assert (float(found[0].min()), float(found[0].max())) == (0.0, 1.0)
    assert not found[1].any()
