"""Hyper-parameters of activation maximisation, checked before anything runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from nn_interpretability.errors import ConfigError
from nn_interpretability.synthesis.objectives import Activation, ClassLogProbability, ClassScore, Objective
from nn_interpretability.synthesis.parametrisations import Bounds
from nn_interpretability.synthesis.priors import Expert, ExpertDensity, Prior, SquaredCode, checked_weight

OBJECTIVES = ("log_probability", "score", "activation")
PARAMETRISATIONS = ("pixels", "sigmoid", "fourier")


def checked_objective(objective: str | None, layer: str | None, neuron: Sequence[int] | None) -> Objective:
    """The objective of this name; by default activation if there is a layer, else log-probability."""
    name = objective or ("activation" if layer is not None else "log_probability")
    if name not in OBJECTIVES:
        raise ConfigError(f"objective={name!r} is not allowed: choose one of {', '.join(map(repr, OBJECTIVES))}.")
    if name == "activation":
        if layer is None:
            raise ConfigError("objective='activation' is that of a layer: name one, layer=...")
        return Activation(layer, None if neuron is None else tuple(neuron))
    if layer is not None or neuron is not None:
        raise ConfigError(f"objective={name!r} is that of a class; layer and neuron are for objective='activation'.")
    return ClassLogProbability() if name == "log_probability" else ClassScore()


def checked_bounds(bounds: Bounds) -> Bounds:
    """Two finite numbers, the smaller one first; or None."""
    if bounds is None:
        return None
    try:
        low, high = (float(each) for each in bounds)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError(
            f"bounds={bounds!r} is not allowed: give (smallest, largest) with smallest < largest, or None."
        )
    return low, high


def checked_shape(shape: Sequence[int] | None) -> tuple[int, int, int] | None:
    """Three integers above 0; or None."""
    if shape is None:
        return None
    if len(shape) != 3 or not all(isinstance(each, int) and each > 0 for each in shape):
        raise ConfigError(f"image_shape={shape!r} is not allowed: give (channels, height, width), each above 0.")
    channels, height, width = shape
    return channels, height, width


def checked_parametrisation(name: str, bounds: Bounds, generator: Callable[[Tensor], Tensor] | None) -> str:
    """A name of :data:`PARAMETRISATIONS` that goes with the bounds and the generator."""
    if name not in PARAMETRISATIONS:
        raise ConfigError(
            f"parametrisation={name!r} is not allowed: choose one of {', '.join(map(repr, PARAMETRISATIONS))}."
        )
    if generator is not None and name != "pixels":
        raise ConfigError(f"parametrisation={name!r} and a generator are two descriptions of the images; give one.")
    if generator is not None and not callable(generator):
        raise ConfigError(f"The generator must be a function of codes, not {type(generator).__name__}.")
    if bounds is None and name != "pixels":
        raise ConfigError(f"parametrisation={name!r} needs bounds.")
    return name


def checked_priors(
    priors: Sequence[Prior],
    generator: Any,
    code_weight: float,
    expert: Expert | None,
    expert_weight: float,
) -> tuple[Prior, ...]:
    """All priors, those of codes and of the expert after the given ones."""
    wrong = [each for each in priors if not isinstance(each, Prior)]
    if wrong:
        raise ConfigError(f"priors has {wrong[0]!r}: a prior such as SquaredDistance(0.01) is expected.")
    checked_weight("code_weight", code_weight)
    checked_weight("expert_weight", expert_weight)
    if code_weight and generator is None:
        raise ConfigError(f"code_weight={code_weight} is for codes: there is no generator.")
    more: list[Prior] = [SquaredCode(code_weight)] if code_weight else []
    if expert is not None:
        more.append(ExpertDensity(expert, expert_weight))
    return (*priors, *more)


def checked_count(name: str, value: int, least: int = 1) -> int:
    """An integer that is not too small."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{name}={value!r} is not allowed: give an integer >= {least}.")
    return value


def checked_rate(rate: float) -> float:
    """A finite learning rate above 0."""
    number = isinstance(rate, int | float) and not isinstance(rate, bool)
    if not number or not math.isfinite(rate) or rate <= 0:
        raise ConfigError(f"learning_rate={rate!r} is not allowed: give a finite number > 0.")
    return float(rate)


def checked_threshold(threshold: float | None) -> float | None:
    """A probability above 0 and below 1; or None."""
    if threshold is None:
        return None
    number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    if not number or not 0 < threshold < 1:
        raise ConfigError(f"threshold={threshold!r} is not allowed: give a probability above 0 and below 1, or None.")
    return float(threshold)
