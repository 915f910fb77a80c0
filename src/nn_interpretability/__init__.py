"""Explain any PyTorch image classifier: create an object, call one function.

>>> from nn_interpretability import LRP
>>> heatmap = LRP(model, composite="montavon2019").interpret(images, target=3)  # doctest: +SKIP

The names below are imported when they are first used, so that ``import nn_interpretability`` costs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nn_interpretability._torchvision import install as _install_torchvision_finder

if TYPE_CHECKING:
    from nn_interpretability import metrics
    from nn_interpretability.attribution import Attribution
    from nn_interpretability.methods.cam import CAM
    from nn_interpretability.methods.deconvolution import Deconvolution
    from nn_interpretability.methods.deep_taylor import DeepTaylor
    from nn_interpretability.methods.deeplift import DeepLIFT
    from nn_interpretability.methods.expected_gradients import ExpectedGradients
    from nn_interpretability.methods.grad_cam import GradCAM
    from nn_interpretability.methods.gradient import Gradient
    from nn_interpretability.methods.guided_backprop import GuidedBackprop
    from nn_interpretability.methods.guided_grad_cam import GuidedGradCAM
    from nn_interpretability.methods.input_x_gradient import InputXGradient
    from nn_interpretability.methods.integrated_gradients import IntegratedGradients
    from nn_interpretability.methods.lrp import LRP
    from nn_interpretability.methods.occlusion import Occlusion
    from nn_interpretability.methods.saliency import Saliency
    from nn_interpretability.methods.simple_taylor import SimpleTaylor
    from nn_interpretability.methods.smoothgrad import SmoothGrad
    from nn_interpretability.models.gap_head import with_gap_head
    from nn_interpretability.stochastic.input_noise import InputNoise
    from nn_interpretability.stochastic.mc_dropout import MCDropout
    from nn_interpretability.synthesis.activation_maps import ActivationMaps, filters_of
    from nn_interpretability.synthesis.activation_maximization import ActivationMaximization
    from nn_interpretability.synthesis.class_model import ClassModel
    from nn_interpretability.synthesis.deepdream import DeepDream
    from nn_interpretability.synthesis.priors import ExpertDensity, SquaredDistance, TotalVariation
    from nn_interpretability.uncertainty.evidential import EvidentialLoss
    from nn_interpretability.uncertainty.isotonic import IsotonicCalibration
    from nn_interpretability.uncertainty.temperature import TemperatureScaling
    from nn_interpretability.uncertainty.vector_scaling import VectorScaling

__version__ = "0.1.0"

_PUBLIC = {
    "ActivationMaximization": "nn_interpretability.synthesis.activation_maximization",
    "ClassModel": "nn_interpretability.synthesis.class_model",
    "ExpertDensity": "nn_interpretability.synthesis.priors",
    "SquaredDistance": "nn_interpretability.synthesis.priors",
    "TotalVariation": "nn_interpretability.synthesis.priors",
    "ActivationMaps": "nn_interpretability.synthesis.activation_maps",
    "Attribution": "nn_interpretability.attribution",
    "CAM": "nn_interpretability.methods.cam",
    "Deconvolution": "nn_interpretability.methods.deconvolution",
    "DeepDream": "nn_interpretability.synthesis.deepdream",
    "DeepLIFT": "nn_interpretability.methods.deeplift",
    "DeepTaylor": "nn_interpretability.methods.deep_taylor",
    "EvidentialLoss": "nn_interpretability.uncertainty.evidential",
    "ExpectedGradients": "nn_interpretability.methods.expected_gradients",
    "GradCAM": "nn_interpretability.methods.grad_cam",
    "Gradient": "nn_interpretability.methods.gradient",
    "GuidedBackprop": "nn_interpretability.methods.guided_backprop",
    "GuidedGradCAM": "nn_interpretability.methods.guided_grad_cam",
    "InputNoise": "nn_interpretability.stochastic.input_noise",
    "InputXGradient": "nn_interpretability.methods.input_x_gradient",
    "IntegratedGradients": "nn_interpretability.methods.integrated_gradients",
    "IsotonicCalibration": "nn_interpretability.uncertainty.isotonic",
    "LRP": "nn_interpretability.methods.lrp",
    "MCDropout": "nn_interpretability.stochastic.mc_dropout",
    "Occlusion": "nn_interpretability.methods.occlusion",
    "Saliency": "nn_interpretability.methods.saliency",
    "SimpleTaylor": "nn_interpretability.methods.simple_taylor",
    "SmoothGrad": "nn_interpretability.methods.smoothgrad",
    "filters_of": "nn_interpretability.synthesis.activation_maps",
    "TemperatureScaling": "nn_interpretability.uncertainty.temperature",
    "VectorScaling": "nn_interpretability.uncertainty.vector_scaling",
    "with_gap_head": "nn_interpretability.models.gap_head",
}

__all__ = [
    "CAM",
    "LRP",
    "ActivationMaps",
    "ActivationMaximization",
    "Attribution",
    "ClassModel",
    "Deconvolution",
    "DeepDream",
    "DeepLIFT",
    "DeepTaylor",
    "EvidentialLoss",
    "ExpectedGradients",
    "ExpertDensity",
    "GradCAM",
    "Gradient",
    "GuidedBackprop",
    "GuidedGradCAM",
    "InputNoise",
    "InputXGradient",
    "IntegratedGradients",
    "IsotonicCalibration",
    "MCDropout",
    "Occlusion",
    "Saliency",
    "SimpleTaylor",
    "SmoothGrad",
    "SquaredDistance",
    "TemperatureScaling",
    "TotalVariation",
    "VectorScaling",
    "__version__",
    "filters_of",
    "metrics",
    "with_gap_head",
]

_install_torchvision_finder()


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return importlib.import_module(f"{__name__}.metrics")
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC, "metrics"})
