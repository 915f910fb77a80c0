"""The rules of LRP that the study compares, each in all layers alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNIFORM = ("zero", "epsilon", "gamma", "alpha2_beta1")


def uniform_rules(parameters: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Settings of :class:`~nn_interpretability.methods.lrp.LRP` by name, the names of :data:`UNIFORM`.

    Parameters
    ----------
    parameters
        ``gamma``, and ``epsilon_rms``, epsilon in root mean squares of a row.
    """
    return {
        "zero": {"rule": "0"},
        "epsilon": {"rule": "epsilon", "epsilon": {"rms": parameters["epsilon_rms"]}},
        "gamma": {"rule": "gamma", "gamma": parameters["gamma"]},
        "alpha2_beta1": {"rule": "alpha_beta", "alpha": 2.0, "beta": 1.0},
    }
