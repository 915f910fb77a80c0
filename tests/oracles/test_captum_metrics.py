"""Infidelity and max-sensitivity against captum, with the same perturbations."""

from __future__ import annotations

from typing import Any

import nets
import pytest
import torch
from captum.metrics import infidelity, sensitivity_max
from torch import Tensor

from nn_interpretability import Gradient, InputXGradient, Saliency
from nn_interpretability.metrics import Infidelity, MaxSensitivity

SAMPLES = 7
TARGET = torch.tensor([7, 2, 4])


def changes() -> list[Tensor]:
    return [nets.uniform(3, 1, 28, 28, low=-0.3, high=0.2, seed=s) for s in range(SAMPLES)]


@pytest.mark.parametrize("scaled", [False, True])
def test_infidelity_is_captums(scaled: bool) -> None:
    model, images = nets.small_cnn().eval(), nets.digits(3)
    relevance = Gradient(model).interpret(images, TARGET).values
    drawn = iter(changes())

    def perturb(inputs: Tensor) -> tuple[Tensor, Tensor]:
        change = next(drawn)
        return change, inputs - change

    expected = infidelity(
        model,
        perturb,
        images,
        relevance,
        target=TARGET,
        n_perturb_samples=SAMPLES,
        max_examples_per_batch=3,
        normalize=scaled,
    )
    metric = Infidelity(model, perturbation=lambda _, s: changes()[s], samples=SAMPLES, optimal_scale=scaled)
    assert nets.relative(metric.measure(images, relevance, TARGET), expected) < 1e-10


@pytest.mark.parametrize("method", [Saliency, InputXGradient])
def test_max_sensitivity_is_captums(method: Any) -> None:
    model, images = nets.small_cnn().eval(), nets.digits(3)
    ours = method(model)
    drawn = iter(changes())

    def explain(given: tuple[Tensor] | Tensor) -> tuple[Tensor]:
        inputs = given[0] if isinstance(given, tuple) else given
        return (ours.interpret(inputs.detach(), TARGET).values,)

    expected = sensitivity_max(
        explain,
        images,
        perturb_func=lambda given, _: given + next(drawn),
        n_perturb_samples=SAMPLES,
        max_examples_per_batch=3,
    )
    found = MaxSensitivity(ours, samples=SAMPLES, perturbation=lambda _, s: changes()[s]).measure(images, TARGET)
    assert nets.relative(found, expected) < 1e-10
