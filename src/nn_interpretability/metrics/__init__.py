"""How good a map is: faithful, focused, smooth, complete, robust, and different where it should be.

A metric of maps alone is a function ``(relevance) -> (N,)``. A metric that asks the model again is a class bound to a
model, or to a method, with one verb, ``measure``. All numbers are float64, one for each image, and never NaN unless it
was asked for. :mod:`nn_interpretability.metrics.registry` lists them with direction, range and cost.

The names below are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nn_interpretability.metrics.completeness import completeness_error
    from nn_interpretability.metrics.complexity import entropy_complexity, gini
    from nn_interpretability.metrics.conversion import DigitConversion
    from nn_interpretability.metrics.infidelity import Infidelity
    from nn_interpretability.metrics.localisation import (
        dilated_ink,
        pointing_game,
        relevance_mass,
        relevance_rank_accuracy,
    )
    from nn_interpretability.metrics.pixel_flipping import PixelFlipping
    from nn_interpretability.metrics.randomisation import ParameterRandomisation, RandomLogit
    from nn_interpretability.metrics.robustness import MaxSensitivity
    from nn_interpretability.metrics.roughness import high_frequency_share, total_variation
    from nn_interpretability.metrics.sensitivity_n import SensitivityN
    from nn_interpretability.metrics.similarity import cosine, spearman, ssim, top_k_intersection

_PUBLIC = {
    "DigitConversion": "conversion",
    "Infidelity": "infidelity",
    "MaxSensitivity": "robustness",
    "ParameterRandomisation": "randomisation",
    "PixelFlipping": "pixel_flipping",
    "RandomLogit": "randomisation",
    "SensitivityN": "sensitivity_n",
    "completeness_error": "completeness",
    "cosine": "similarity",
    "dilated_ink": "localisation",
    "entropy_complexity": "complexity",
    "gini": "complexity",
    "high_frequency_share": "roughness",
    "pointing_game": "localisation",
    "relevance_mass": "localisation",
    "relevance_rank_accuracy": "localisation",
    "spearman": "similarity",
    "ssim": "similarity",
    "top_k_intersection": "similarity",
    "total_variation": "roughness",
}

__all__ = [
    "DigitConversion",
    "Infidelity",
    "MaxSensitivity",
    "ParameterRandomisation",
    "PixelFlipping",
    "RandomLogit",
    "SensitivityN",
    "completeness_error",
    "cosine",
    "dilated_ink",
    "entropy_complexity",
    "gini",
    "high_frequency_share",
    "pointing_game",
    "relevance_mass",
    "relevance_rank_accuracy",
    "spearman",
    "ssim",
    "top_k_intersection",
    "total_variation",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
