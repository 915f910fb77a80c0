"""The names that configuration files and the command line use for methods.

The table is plain data: reading it imports no torch, so a configuration can be checked, and a workflow
planned, without paying for it.  ``tests/unit/test_registry.py`` keeps it in step with the constructors.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nn_interpretability.errors import ConfigError

if TYPE_CHECKING:
    from nn_interpretability.methods.base import Method

JSONSchema = Mapping[str, Any]


@dataclass(frozen=True)
class MethodEntry:
    """What the registry knows about one method.

    Attributes
    ----------
    module, name
        Where the class lives.
    summary
        One line for a list of methods.
    needs
        What the method asks of the model or the user, in words.
    parameters
        JSON schema of the keyword arguments of the constructor (without the model).
    """

    module: str
    name: str
    summary: str
    needs: str
    parameters: JSONSchema

    def load(self) -> type[Method]:
        """Import and return the class."""
        loaded: type[Method] = getattr(importlib.import_module(self.module), self.name)
        return loaded


def _object(properties: Mapping[str, Any]) -> JSONSchema:
    return {"type": "object", "additionalProperties": False, "properties": dict(properties)}


_STRICT = {"type": "boolean", "description": "raise instead of warn where the method has no rule for an operation"}
_STABILIZER = {
    "description": "added to a denominator: a number (absolute), or its size relative to the root mean square per row",
    "oneOf": [
        {"type": "number", "minimum": 0},
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "absolute": {"type": "number", "minimum": 0},
                "rms": {"type": "number", "minimum": 0},
                "signed": {"type": "boolean"},
            },
        },
    ],
}
_BOUND = {"oneOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}, "minItems": 1}]}
_LRP_RULE: dict[str, Any] = {
    "rule": {"enum": ["0", "epsilon", "gamma", "alpha_beta", "z_plus"]},
    "epsilon": _STABILIZER,
    "gamma": {"type": "number", "minimum": 0},
    "alpha": {"type": "number", "minimum": 0},
    "beta": {"type": "number", "minimum": 0},
    "stabilizer": _STABILIZER,
    "bias": {"enum": ["absorb", "ignore"]},
}
_ANY_RULE = {"enum": [*_LRP_RULE["rule"]["enum"], "z_box", "w2", "flat"]}
_COMPOSITE_RULE = {"oneOf": [_ANY_RULE, _object({**_LRP_RULE, "rule": _ANY_RULE})]}
_BOUNDS = {"type": "array", "items": _BOUND, "minItems": 2, "maxItems": 2}
_POOLING = {"enum": ["winner", "proportional"]}
_LAYER = {"type": "string", "description": "dotted name of a layer", "minLength": 1}
_LRP = _object(
    {
        **_LRP_RULE,
        "input_rule": {"enum": ["z_box", "w2", "flat", None]},
        "input_bounds": _BOUNDS,
        "composite": {
            "oneOf": [
                {"enum": ["montavon2019", "small_cnn", "study2020"]},
                {"type": "object", "minProperties": 1, "additionalProperties": _COMPOSITE_RULE},
                {"type": "null"},
            ]
        },
        "pooling": _POOLING,
        "layer": _LAYER,
        "trace": {"type": "boolean"},
        "strict": _STRICT,
    }
)
_DEEP_TAYLOR = _object(
    {
        "input_bounds": _BOUNDS,
        "bias": {"enum": ["ignore", "absorb"]},
        "stabilizer": _STABILIZER,
        "pooling": _POOLING,
        "layer": _LAYER,
        "trace": {"type": "boolean"},
        "strict": _STRICT,
    }
)

_LENGTH = {
    "oneOf": [
        {"type": "integer", "minimum": 1},
        {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1},
    ]
}
_OCCLUSION = _object(
    {
        "window": _LENGTH,
        "stride": {"oneOf": [*_LENGTH["oneOf"], {"type": "null"}]},
        "fill": {"oneOf": [{"enum": ["black", "white", "mean", "blur"]}, *_BOUND["oneOf"]]},
        "score": {"enum": ["logit", "probability"]},
        "chunk": {"type": "integer", "minimum": 1},
    }
)

_UPSAMPLING = {"upsampling": {"enum": ["bilinear", "bicubic", "nearest"]}, "align_corners": {"type": "boolean"}}
_GRAD_CAM = {
    **_object({"layer": _LAYER, **_UPSAMPLING, "relu": {"type": "boolean"}}),
    "required": ["layer"],
}

METHODS: Mapping[str, MethodEntry] = {
    "cam": MethodEntry(
        module="nn_interpretability.methods.cam",
        name="CAM",
        summary="class activation mapping: last feature maps times the class's weights (Zhou et al. 2016)",
        needs="a net that ends in global average pooling and a linear layer",
        parameters=_object(_UPSAMPLING),
    ),
    "grad_cam": MethodEntry(
        module="nn_interpretability.methods.grad_cam",
        name="GradCAM",
        summary="class activation mapping with mean gradients as weights, at any layer (Selvaraju et al. 2016)",
        needs="the name of a layer that returns feature maps",
        parameters=_GRAD_CAM,
    ),
    "deep_taylor": MethodEntry(
        module="nn_interpretability.methods.deep_taylor",
        name="DeepTaylor",
        summary="deep Taylor decomposition: z+ inside, z-box or w-squared at the images (Montavon et al. 2017)",
        needs="nets of ReLUs, without negative inputs to hidden layers; input_bounds for pixels in a range",
        parameters=_DEEP_TAYLOR,
    ),
    "gradient": MethodEntry(
        module="nn_interpretability.methods.gradient",
        name="Gradient",
        summary="derivative of the score with respect to each input value (Simonyan et al. 2013)",
        needs="any differentiable classifier",
        parameters=_object({}),
    ),
    "input_x_gradient": MethodEntry(
        module="nn_interpretability.methods.input_x_gradient",
        name="InputXGradient",
        summary="input times gradient; for nets of ReLUs the same as LRP-0 (Shrikumar et al. 2016)",
        needs="any differentiable classifier",
        parameters=_object({}),
    ),
    "lrp": MethodEntry(
        module="nn_interpretability.methods.lrp",
        name="LRP",
        summary="layer-wise relevance propagation with one rule or a composite of rules (Bach et al. 2015)",
        needs="convolutions, linear layers, pooling, batch norm, elementwise activations; input_bounds for z_box",
        parameters=_LRP,
    ),
    "occlusion": MethodEntry(
        module="nn_interpretability.methods.occlusion",
        name="Occlusion",
        summary="how much the score falls when a window is covered (Zeiler and Fergus 2013)",
        needs="any classifier, differentiable or not; one forward pass for each position of the window",
        parameters=_OCCLUSION,
    ),
    "simple_taylor": MethodEntry(
        module="nn_interpretability.methods.simple_taylor",
        name="SimpleTaylor",
        summary="first-order Taylor expansion around a root of the score (Bach et al. 2015)",
        needs="any differentiable classifier; its map sums to the score where the net is linear up to the root",
        parameters=_object({"root": {"enum": ["zero", "nearest"]}}),
    ),
}


def method_entry(name: str) -> MethodEntry:
    """The entry of the method called ``name``.

    Raises
    ------
    ConfigError
        If no method has this name; the message lists the names.
    """
    if name not in METHODS:
        raise ConfigError(f"There is no method {name!r}. The methods are: {', '.join(sorted(METHODS))}.")
    return METHODS[name]
