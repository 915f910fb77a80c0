"""What the study promises of its own network, on 200 test digits in float64: nothing is lost, or all is accounted for.

The mean image as a reference catches errors at ties that black hides: blank windows then win by chance.
"""

from __future__ import annotations

from typing import Any

import nets
import pytest
import torch
from torch import Tensor

from nn_interpretability import LRP, DeepLIFT, DeepTaylor, IntegratedGradients
from nn_interpretability.attribution import Attribution

DIGITS = 200
needs_the_study = pytest.mark.skipif(
    not (nets.MNIST_TEST.is_file() and nets.STUDY_WEIGHTS.is_file()), reason="needs MNIST and the weights of the study"
)


def reference(name: str, images: Tensor) -> float | Tensor:
    return 0.0 if name == "zero" else images.mean(dim=0, keepdim=True)


@needs_the_study
@pytest.mark.parametrize("base", ["zero", "mean"])
@pytest.mark.parametrize("rule", ["rescale", "reveal_cancel"])
def test_deeplift_is_complete(rule: Any, base: str) -> None:
    images = nets.digits(DIGITS)
    found = DeepLIFT(nets.small_cnn(), rule=rule, reference=reference(base, images), strict=True).interpret(images)
    assert found.completeness_error.max() < 1e-9


@needs_the_study
@pytest.mark.parametrize("base", ["zero", "mean"])
def test_integrated_gradients_are_complete_up_to_the_quadrature(base: str) -> None:
    images = nets.digits(DIGITS)
    found = IntegratedGradients(nets.small_cnn(), reference=reference(base, images), steps=512).interpret(images)
    assert found.completeness_error.max() < 2e-3


BOX = {"input_rule": "z_box", "input_bounds": (0, 1)}
EXACT: dict[str, dict[str, Any]] = {
    "0": {"rule": "0"},
    "gamma": {"rule": "gamma"},
    "alpha1 beta0": {"rule": "alpha_beta", "alpha": 1, "beta": 0},
    "alpha2 beta1": {"rule": "alpha_beta", "alpha": 2, "beta": 1},
}
ACCOUNTED: dict[str, dict[str, Any]] = {
    **EXACT,
    "0, z-box": {"rule": "0", **BOX},
    "0, without biases": {"rule": "0", "bias": "ignore"},
    "gamma, without biases": {"rule": "gamma", "bias": "ignore"},
    "alpha2 beta1, without biases": {"rule": "alpha_beta", "alpha": 2, "beta": 1, "bias": "ignore"},
    "epsilon": {"rule": "epsilon"},
    "epsilon, z-box, without biases": {"rule": "epsilon", "bias": "ignore", **BOX},
    "epsilon, unsigned": {"rule": "epsilon", "epsilon": {"rms": 0.1, "signed": False}},
    "z-plus": {"rule": "z_plus"},
    "gamma, w2": {"rule": "gamma", "input_rule": "w2"},
    "epsilon, flat": {"rule": "epsilon", "input_rule": "flat"},
    "gamma, proportional": {"rule": "gamma", "pooling": "proportional"},
    "montavon2019": {"composite": "montavon2019", "input_bounds": (0, 1)},
    "small_cnn": {"composite": "small_cnn", "input_bounds": (0, 1)},
    "study2020": {"composite": "study2020", "input_bounds": (-1, 1)},
}


@pytest.mark.parametrize("rule", EXACT)
def test_lrp_loses_nothing_without_biases_and_with_the_z_box(rule: str) -> None:
    found = LRP(nets.small_cnn(), **EXACT[rule], **BOX, bias="ignore", strict=True).interpret(nets.digits(DIGITS))
    assert found.completeness_error.max() < 1e-10


def account_is_closed(found: Attribution) -> None:
    """What the map lacks is what the layers absorbed, each of which sent on all the rest."""
    trace = found.trace
    size = found.score.abs()
    assert ((found.score - found.total - trace.absorbed.sum(0)).abs() < 1e-10 * size).all()
    seen = torch.maximum(trace.received.abs(), size)
    assert ((trace.received - trace.sent - trace.absorbed).abs() < 1e-10 * seen).all()


@pytest.mark.parametrize("rule", ACCOUNTED)
def test_the_trace_accounts_for_all_that_lrp_loses(rule: str) -> None:
    explained = LRP(nets.small_cnn(), **ACCOUNTED[rule], trace=True, strict=True)
    account_is_closed(explained.interpret(nets.digits(DIGITS)))


@pytest.mark.filterwarnings("ignore:Deep Taylor decomposition starts")
def test_the_trace_accounts_for_all_that_deep_taylor_loses() -> None:
    found = DeepTaylor(nets.small_cnn(), input_bounds=(0, 1), trace=True).interpret(nets.digits(DIGITS))
    account_is_closed(found)
