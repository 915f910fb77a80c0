"""Bad hyper-parameters of LRP are named when the object is made, not in the middle of an explanation."""

from __future__ import annotations

import pytest

from nn_interpretability import LRP
from nn_interpretability.errors import ConfigError
from nn_interpretability.models import build_model


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"composite": "montavon2019"}, "input_bounds"),
        ({"composite": {"features.conv1": "z_box"}}, "input_bounds"),
        ({"composite": {"conv2d": {"rule": "z_box"}}}, "input_bounds"),
        ({"input_rule": "z_box"}, "input_bounds"),
        ({"rule": "z_box"}, "input_bounds"),
        ({"composite": "montavon"}, "'montavon2019'"),
        ({"rule": "eps"}, "'epsilon'"),
        ({"rule": "alpha_beta", "alpha": 2.0, "beta": 0.5}, "alpha - beta must be 1"),
        ({"gamma": -1, "rule": "gamma"}, "gamma=-1"),
        ({"epsilon": {"rsm": 0.1}}, "'rsm'"),
        ({"epsilon": -0.1}, "-0.1"),
        ({"bias": "keep"}, "'keep'"),
        ({"pooling": "mean"}, "'mean'"),
        ({"input_rule": "zbox"}, "'zbox'"),
        ({"input_bounds": (0, 1, 2)}, "pair"),
    ],
)
def test_a_bad_hyper_parameter_is_named_at_once(options, words):
    with pytest.raises(ConfigError, match=words):
        LRP(build_model("small_cnn"), **options)
