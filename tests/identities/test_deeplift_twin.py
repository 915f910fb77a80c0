"""DeepLIFT against its transcription in NumPy, and the collapse of the study's six modes into three."""

from __future__ import annotations

from typing import Any

import deeplift_twin as twin
import nets
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nn_interpretability import DeepLIFT, Gradient
from nn_interpretability.study.deeplift_modes import MODES, DeepLIFTMode

ACTIVATIONS: dict[str, Any] = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


def dense(activation: str, rule: str, seed: int = 0) -> tuple[nn.Module, list[Any], tuple[int, ...]]:
    """A net of three linear layers, for torch and for the twin."""
    act, peer = ACTIVATIONS[activation], getattr(twin, activation)(rule)
    model = nets.randomised(nn.Sequential(nn.Linear(5, 7), act(), nn.Linear(7, 6), act(), nn.Linear(6, 3)), seed)
    first, second, last = (twin.as_matrix(model[i], (n,)) for i, n in ((0, 5), (2, 7), (4, 6)))
    return model, [first, peer, second, peer, last], (5,)


def convolutional(
    activation: str, rule: str, seed: int = 0, *, pool: str = "after", overlapping: bool = False
) -> tuple[nn.Module, list[Any], tuple[int, ...]]:
    """A convolution, a nonlinearity and a max-pooling in either order, and two linear layers.

    The twin of a net that pools first is told the order that ``relu_first`` stands for by ``pool="before"``, and the
    literal one by ``pool="as_built"``.
    """
    act, peer = ACTIVATIONS[activation], getattr(twin, activation)(rule)
    pooling = nn.MaxPool2d(3, 1, padding=1) if overlapping else nn.MaxPool2d(2)
    middle = [act(), pooling] if pool == "after" else [pooling, act()]
    size = 3 * (16 if overlapping else 4)
    head = [nn.Flatten(), nn.Linear(size, 6), act(), nn.Linear(6, 3)]
    model = nets.randomised(nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), *middle, *head), seed)
    gaps = twin.windows((3, 4, 4), 3, 1, 1) if overlapping else twin.windows((3, 4, 4), 2, 2)
    between = [gaps, peer] if pool == "as_built" else [peer, gaps]
    layers = [
        twin.as_matrix(model[0], (2, 4, 4)),
        *between,
        twin.as_matrix(model[4], (size,)),
        peer,
        twin.as_matrix(model[6], (6,)),
    ]
    return model, layers, (2, 4, 4)


def expected(layers: list[Any], images: Tensor, reference: Tensor, output: int, *, linear: bool = True) -> Tensor:
    found = [
        twin.multipliers(layers, image.flatten().numpy(), base.flatten().numpy(), output, linear=linear)
        for image, base in zip(images, reference.expand_as(images), strict=True)
    ]
    return torch.from_numpy(np.stack(found)).reshape(images.shape)


NETS: dict[str, Any] = {
    "dense": lambda activation, rule, seed: (*dense(activation, rule, seed), "relu_first"),
    "pool after": lambda activation, rule, seed: (*convolutional(activation, rule, seed), "relu_first"),
    "pool before": lambda activation, rule, seed: (*convolutional(activation, rule, seed, pool="before"), "relu_first"),
    "as built": lambda activation, rule, seed: (*convolutional(activation, rule, seed, pool="as_built"), "as_built"),
    "overlapping": lambda activation, rule, seed: (
        *convolutional(activation, rule, seed, pool="before", overlapping=True),
        "relu_first",
    ),
}


def pictures(shape: tuple[int, ...], seed: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Images with some pixels as in the reference, and references: black, one for all, one for each."""
    images = nets.uniform(3, *shape, low=-1, seed=seed)
    images[:, ..., ::3] = 0
    references = {
        "zero": torch.zeros(1, *shape, dtype=torch.float64),
        "one": nets.uniform(1, *shape, low=-0.5, seed=seed + 50),
        "each": nets.uniform(3, *shape, low=-0.5, seed=seed + 60),
    }
    references["each"][0] = images[0]  # no difference at all
    return images, references


@pytest.mark.parametrize("rule", ["rescale", "reveal_cancel"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", NETS)
def test_multipliers_are_those_of_the_transcription(name: str, activation: str, rule: str) -> None:
    for seed in range(4):
        model, layers, shape, order = NETS[name](activation, rule, seed)
        images, references = pictures(shape, seed)
        for reference in references.values():
            found = DeepLIFT(model, rule=rule, reference=reference, pool_order=order, strict=True).interpret(images, 1)
            wanted = expected(layers, images, reference, 1)
            # The quotient of a small part has few digits, in the transcription as well; its contribution has all.
            assert nets.relative(found.multipliers, wanted) < 1e-10
            assert nets.relative(found.values, wanted * (images - reference)) < 1e-12
            scores = model(images)[:, 1] - model(reference.expand_as(images))[:, 1]
            assert (found.values.flatten(1).sum(1) - scores).abs().max() < 1e-13 * found.logits.abs().max() + 1e-13


@pytest.mark.parametrize("rule", ["rescale", "reveal_cancel"])
def test_at_kinks_the_limits_are_one_sided(rule: str) -> None:
    """Without biases, and with a black reference, every unit of the reference stands at the kink."""
    model, layers, shape = dense("relu", rule)
    for place in (0, 2, 4):
        model[place].bias.data.zero_()
        layers[place].bias[:] = 0
    images = nets.uniform(6, *shape, low=-1, seed=3)
    images[0] = 0
    images[1, 1:] = 0  # a unit then has a positive part alone, or a negative part alone
    found = DeepLIFT(model, rule=rule).interpret(images, 2).multipliers
    assert nets.relative(found, expected(layers, images, torch.zeros(1, *shape, dtype=torch.float64), 2)) < 1e-12


@pytest.mark.parametrize("mode", MODES)
def test_the_modes_are_those_of_the_transcription(mode: str) -> None:
    rule, linear = MODES[mode]
    for name in ("dense", "pool after", "pool before", "as built", "overlapping"):
        model, layers, shape, order = NETS[name]("relu", rule, 2)
        images, references = pictures(shape, 7)
        found = DeepLIFTMode(model, mode=mode, reference=references["each"], pool_order=order, strict=True)
        attribution = found.interpret(images, 0)
        wanted = expected(layers, images, references["each"], 0, linear=linear)
        assert nets.relative(attribution.multipliers[1:], wanted[1:]) < 1e-12
        assert (attribution.completeness_error is None) == (rule == "gradient")


def random_net(seed: int) -> tuple[nn.Module, tuple[int, ...]]:
    activation = ("relu", "tanh", "sigmoid")[seed % 3]
    if seed % 4 == 0:
        return dense(activation, "rescale", seed)[::2]
    pool = "before" if seed % 4 == 1 else "after"
    return convolutional(activation, "rescale", seed, pool=pool, overlapping=seed % 4 == 3)[::2]


def test_six_modes_are_three() -> None:
    distinct = 0.0
    for seed in range(200):
        model, shape = random_net(seed)
        images = nets.uniform(2, *shape, low=-1, seed=seed)
        reference = nets.uniform(1, *shape, low=-0.5, seed=seed + 1000)
        order = "relu_first" if seed % 2 else "as_built"
        maps = {
            mode: DeepLIFTMode(model, mode=mode, reference=reference, pool_order=order).interpret(images, 1).multipliers
            for mode in MODES
        }
        assert nets.relative(maps["linear"], maps["no_rule"]) < 1e-13
        assert nets.relative(maps["linear_rescale"], maps["rescale"]) < 1e-13
        assert nets.relative(maps["reveal_cancel"], maps["rescale"]) < 1e-11
        distinct = max(distinct, nets.relative(maps["linear_reveal_cancel"], maps["rescale"]))
        if not any(isinstance(module, nn.MaxPool2d) for module in model):
            assert nets.relative(maps["no_rule"], Gradient(model).interpret(images, 1).values) < 1e-13
    assert distinct > 0.1
