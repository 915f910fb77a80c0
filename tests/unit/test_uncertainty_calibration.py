"""Temperature, vector scaling and isotonic regression: what their solutions must satisfy, and what cannot be fitted."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.methods.deeplift import DeepLIFT
from nn_interpretability.methods.gradient import Gradient
from nn_interpretability.methods.integrated_gradients import IntegratedGradients
from nn_interpretability.methods.lrp import LRP
from nn_interpretability.models import build_model
from nn_interpretability.uncertainty.calibration import expected_calibration_error, nll
from nn_interpretability.uncertainty.isotonic import IsotonicCalibration
from nn_interpretability.uncertainty.temperature import TemperatureScaling, fit_temperature
from nn_interpretability.uncertainty.vector_scaling import VectorScaling, fit_vector_scaling


def overconfident(rows: int = 3000, classes: int = 5, size: float = 3.0) -> tuple[Tensor, Tensor]:
    """Logits that are ``size`` times too large for the labels drawn from them."""
    generator = torch.Generator().manual_seed(8)
    scores = 2 * torch.randn(rows, classes, dtype=torch.float64, generator=generator)
    labels = torch.multinomial(scores.softmax(1), 1, generator=generator)[:, 0]
    return size * scores, labels


def test_the_temperature_is_that_of_the_labels():
    logits, labels = overconfident()
    assert fit_temperature(logits, labels) == pytest.approx(3, rel=0.05)


def test_at_the_solution_the_logit_of_the_truth_is_the_expected_one():
    logits, labels = overconfident()
    scaled = logits / fit_temperature(logits, labels)
    truth = scaled.gather(1, labels[:, None]).mean()
    expected = (scaled.softmax(1) * scaled).sum(1).mean()
    assert float(truth - expected) == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3])
def test_the_unit_of_the_logits_has_no_effect(unit: float):
    logits, labels = overconfident()
    assert fit_temperature(unit * logits, labels) == pytest.approx(unit * fit_temperature(logits, labels), rel=1e-9)


def test_no_other_temperature_is_better():
    logits, labels = overconfident()
    best = fit_temperature(logits, labels)
    at = nll(logits / best, labels)
    for factor in np.geomspace(0.1, 10, 41):
        assert nll(logits / (best * factor), labels) >= at - 1e-14


def test_a_wrapped_model_predicts_as_before_and_knows_better_how_sure_to_be():
    logits, labels = overconfident()
    model = nn.Linear(5, 5, bias=False).double()
    model.weight.data = torch.eye(5, dtype=torch.float64)
    wrapped = TemperatureScaling(model).fit(logits[:1500], labels[:1500])
    with torch.no_grad():
        before, after = model(logits[1500:]), wrapped(logits[1500:])
    assert torch.equal(before.argmax(1), after.argmax(1))
    assert expected_calibration_error(after, labels[1500:]) < 0.3 * expected_calibration_error(before, labels[1500:])
    assert nll(after, labels[1500:]) < nll(before, labels[1500:])


def test_fitting_leaves_the_model_as_it_was_and_the_temperature_is_saved():
    logits, labels = overconfident(rows=300)
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(5, 5)).double().train()
    model[1].weight.data = torch.eye(5, dtype=torch.float64)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    wrapped = TemperatureScaling(model).fit(logits, labels)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    # The logarithm is what is kept: there and back is a rounding.
    assert wrapped.temperature == pytest.approx(fit_temperature(_evaluated(model, logits), labels), rel=1e-15)
    other = TemperatureScaling(model)
    other.load_state_dict(wrapped.state_dict())
    assert other.temperature == wrapped.temperature


def _evaluated(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([model.eval()(block) for block in images.split(250)])


@pytest.mark.parametrize("temperature", [0, -1.0, math.inf, math.nan])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(ConfigError, match=f"temperature={temperature} is not allowed: give a number above 0"):
        TemperatureScaling(nn.Identity(), temperature)


def test_pictures_that_are_all_right_have_no_best_temperature():
    labels = torch.arange(20) % 4
    with pytest.raises(DataError, match="All 20 held-out pictures are classified correctly"):
        fit_temperature(F.one_hot(labels, 4).double(), labels)


def test_labels_of_other_pictures_have_no_best_temperature():
    logits, labels = overconfident()
    with pytest.raises(DataError, match="classes have another order"):
        fit_temperature(logits, (labels + 1) % 5)


@pytest.mark.parametrize("fit", [fit_temperature, fit_vector_scaling, IsotonicCalibration])
def test_labels_out_of_range_are_refused(fit):
    with pytest.raises(ValueError, match="whole numbers from 0 to 4"):
        fit(torch.zeros(3, 5), torch.tensor([0, 1, 5]))


@pytest.mark.parametrize("fit", [fit_temperature, lambda z, y: fit_vector_scaling(z, y)[1].tolist()])
def test_neither_the_type_of_labels_nor_the_default_device_matters(fit):
    logits, labels = overconfident()
    expected = fit(logits, labels)
    with torch.device("meta"):
        assert fit(logits, labels.int()) == expected


def test_calibrated_probabilities_are_of_the_type_of_the_logits():
    logits, labels = overconfident()
    calibration = IsotonicCalibration(logits, labels.int())
    found = calibration.log_probabilities(logits.float())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), calibration.log_probabilities(logits), rtol=0, atol=1e-3)


def test_vector_scaling_finds_factors_and_offsets():
    scores, labels = overconfident(rows=20000, size=1.0)
    weight, bias = torch.tensor([0.5, 1, 2, 1, 1.5]), torch.tensor([1.0, -1, 0, 0.5, -0.5])
    found_weight, found_bias = fit_vector_scaling((scores - bias) / weight, labels)
    torch.testing.assert_close(found_weight, weight.double(), rtol=0.06, atol=0.0)
    torch.testing.assert_close(found_bias, bias.double(), rtol=0, atol=0.1)


def test_vector_scaling_is_at_a_minimum_and_no_worse_than_a_temperature():
    logits, labels = overconfident()
    weight, bias = (value.requires_grad_() for value in fit_vector_scaling(logits, labels))
    loss = F.cross_entropy(logits * weight + bias, labels)
    slopes = torch.autograd.grad(loss, (weight, bias))
    assert max(float(slope.abs().max()) for slope in slopes) < 1e-7
    assert float(loss.detach()) <= nll(logits / fit_temperature(logits, labels), labels)
    wrapped = VectorScaling(nn.Identity(), 5).fit(logits, labels)
    torch.testing.assert_close(wrapped(logits), logits * weight + bias)


def test_isotonic_regression_by_hand():
    # class 1 is true for none, one, and both of two pictures each, with rising probability
    p = torch.tensor([0.1, 0.1, 0.4, 0.4, 0.8, 0.8], dtype=torch.float64)
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    logits = torch.stack([(1 - p).log(), p.log()], 1)
    found = IsotonicCalibration(logits, labels).log_probabilities(logits).exp()
    least = 1 / 8
    expected = torch.tensor([least / (1 + least), 0.5, 1 / (1 + least)], dtype=torch.float64).repeat_interleave(2)
    torch.testing.assert_close(found[:, 1], expected)
    torch.testing.assert_close(found.sum(1), torch.ones(6, dtype=torch.float64))


def test_isotonic_regression_helps_and_needs_every_class():
    logits, labels = overconfident()
    after = IsotonicCalibration(logits[:1500], labels[:1500]).log_probabilities(logits[1500:])
    assert expected_calibration_error(after, labels[1500:]) < 0.5 * expected_calibration_error(
        logits[1500:], labels[1500:]
    )
    with pytest.raises(DataError, match="No held-out picture is of class 3: give some of each class"):
        IsotonicCalibration(logits[labels != 3], labels[labels != 3])


METHODS = {
    "gradient": Gradient,
    "lrp": lambda model: LRP(model, rule="epsilon", epsilon={"rms": 0.1}),
    "composite": lambda model: LRP(model, composite="montavon2019", input_bounds=[0, 1]),
    "integrated_gradients": lambda model: IntegratedGradients(model, steps=5),
    "rescale": lambda model: DeepLIFT(model, rule="rescale"),
    "reveal_cancel": lambda model: DeepLIFT(model, rule="reveal_cancel"),
}


@pytest.mark.parametrize("method", METHODS)
def test_the_map_of_a_logit_is_divided_by_the_temperature(method: str):
    torch.manual_seed(4)
    model = build_model("small_cnn").double()
    images = torch.rand(3, 1, 28, 28, dtype=torch.float64)
    temperature = 1.7413048
    plain = METHODS[method](model).interpret(images, 3).values
    scaled = METHODS[method](TemperatureScaling(model, temperature)).interpret(images, 3).values
    torch.testing.assert_close(scaled * temperature, plain, rtol=1e-10, atol=1e-12 * float(plain.abs().max()))


def test_the_identity_fails_where_its_conditions_do():
    torch.manual_seed(4)
    model, images = build_model("small_cnn").double(), torch.rand(2, 1, 28, 28, dtype=torch.float64)
    temperature = 4.0
    folded = build_model("small_cnn").double()
    folded.load_state_dict(model.state_dict())
    with torch.no_grad():
        for parameter in folded.classifier.fc2.parameters():
            parameter.div_(temperature)

    def gap(one: Tensor, other: Tensor) -> float:
        return float((temperature * one - other).norm() / other.norm())

    def absolute(net: nn.Module) -> Tensor:
        return LRP(net, rule="epsilon", epsilon=0.05).interpret(images, 3).values

    # the temperature in the last layer's weights, and a stabiliser of a fixed size
    assert gap(absolute(TemperatureScaling(model, temperature)), absolute(model)) < 1e-12
    assert gap(absolute(folded), absolute(model)) > 1e-2

    def probability(net: nn.Module) -> Tensor:
        return Gradient(net).interpret(images, lambda scores: scores.softmax(1)[:, 3]).values

    # a probability is not linear in the logits
    assert gap(probability(TemperatureScaling(model, temperature)), probability(model)) > 1e-2
