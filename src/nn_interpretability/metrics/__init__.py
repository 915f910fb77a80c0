"""How good a map is: faithful, focused, smooth, complete, robust, and different where it should be.

A metric of maps alone is a function ``(relevance) -> (N,)``. A metric that asks the model again is a class bound to a
model, or to a method, with one verb, ``measure``. All numbers are float64, one for each image, and never NaN unless it
was asked for. :data:`nn_interpretability.metrics.registry.METRICS` lists them with direction, range and cost.

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
    "DigitConversion": "nn_interpretability.metrics.conversion",
    "Infidelity": "nn_interpretability.metrics.infidelity",
    "MaxSensitivity": "nn_interpretability.metrics.robustness",
    "ParameterRandomisation": "nn_interpretability.metrics.randomisation",
    "PixelFlipping": "nn_interpretability.metrics.pixel_flipping",
    "RandomLogit": "nn_interpretability.metrics.randomisation",
    "SensitivityN": "nn_interpretability.metrics.sensitivity_n",
    "completeness_error": "nn_interpretability.metrics.completeness",
    "cosine": "nn_interpretability.metrics.similarity",
    "dilated_ink": "nn_interpretability.metrics.localisation",
    "entropy_complexity": "nn_interpretability.metrics.complexity",
    "gini": "nn_interpretability.metrics.complexity",
    "high_frequency_share": "nn_interpretability.metrics.roughness",
    "pointing_game": "nn_interpretability.metrics.localisation",
    "relevance_mass": "nn_interpretability.metrics.localisation",
    "relevance_rank_accuracy": "nn_interpretability.metrics.localisation",
    "spearman": "nn_interpretability.metrics.similarity",
    "ssim": "nn_interpretability.metrics.similarity",
    "top_k_intersection": "nn_interpretability.metrics.similarity",
    "total_variation": "nn_interpretability.metrics.roughness",
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
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
