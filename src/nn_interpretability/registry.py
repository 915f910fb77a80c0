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
    from torch import nn

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
    values
        What a value of the map is.
    conserves
        Whether the values sum to the explained score.
    cost
        In forward (F) and backward (B) passes over the images; K is the number of classes.
    paper
        Where the method is from: authors and year.
    """

    module: str
    name: str
    summary: str
    needs: str
    parameters: JSONSchema
    values: str = ""
    conserves: str = ""
    cost: str = ""
    paper: str = ""

    def load(self) -> type[Method]:
        """Import and return the class."""
        loaded: type[Method] = getattr(importlib.import_module(self.module), self.name)
        return loaded

    def build(self, model: nn.Module, parameters: Mapping[str, Any]) -> Method:
        """The method on a model; a method around another one (``of``) is built around it."""
        given = dict(parameters)
        if "of" not in self.parameters["properties"]:
            return self.load()(model, **given)
        inner = given.pop("of", {})
        base = method_entry(inner.get("method", _DEFAULT_BASE)).build(model, inner.get("parameters", {}))
        around: Any = self.load()
        built: Method = around(base, **given)
        return built


def _object(properties: Mapping[str, Any], *required: str) -> JSONSchema:
    schema = {"type": "object", "additionalProperties": False, "properties": dict(properties)}
    return {**schema, "required": list(required)} if required else schema


_STRICT = {"type": "boolean", "description": "raise instead of warn where the method has no rule for an operation"}
_STABILIZER: dict[str, Any] = {
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
    "rule": {"enum": ["0", "epsilon", "gamma", "generalised_gamma", "alpha_beta", "z_plus"]},
    "epsilon": _STABILIZER,
    "gamma": {"type": "number", "minimum": 0},
    "alpha": {"type": "number", "minimum": 0},
    "beta": {"type": "number", "minimum": 0},
    "stabilizer": _STABILIZER,
    "bias": {"enum": ["absorb", "ignore"]},
}
_ANY_RULE = {"enum": [*_LRP_RULE["rule"]["enum"], "z_box", "w2", "flat"]}
_COMPOSITE_RULE = {"oneOf": [_ANY_RULE, _object({**_LRP_RULE, "rule": _ANY_RULE})]}
POOLS = r"^[*]?(adaptive_)?max_pool([123]d)?(_[0-9]+|[*])?$"  # names of max-pooling, and patterns for some of it
_POOL_NAMES = {"enum": ["0", "epsilon"]}
_POOL_RULE = {"oneOf": [_POOL_NAMES, _object({"rule": _POOL_NAMES, "epsilon": _STABILIZER}, "rule")]}
_BOUNDS = {"type": "array", "items": _BOUND, "minItems": 2, "maxItems": 2}
_POOLING = {"enum": ["winner", "proportional"]}
_LAYER = {"type": "string", "description": "dotted name of a layer", "minLength": 1}
_ANY_LAYER = {**_LAYER, "type": ["string", "null"]}
_LRP = _object(
    {
        **_LRP_RULE,
        "input_rule": {"enum": ["z_box", "w2", "flat", None]},
        "input_bounds": _BOUNDS,
        "composite": {
            "oneOf": [
                {"enum": ["montavon2019", "small_cnn", "study2020"]},
                {
                    "type": "object",
                    "minProperties": 1,
                    "patternProperties": {POOLS: _POOL_RULE},
                    "additionalProperties": _COMPOSITE_RULE,
                },
                {"type": "null"},
            ]
        },
        "pooling": _POOLING,
        "layer": _ANY_LAYER,
        "trace": {"type": "boolean"},
        "strict": _STRICT,
    }
)
_NULL = {"type": "null"}
_DEEP_TAYLOR = _object(
    {
        "input_bounds": {"oneOf": [_BOUNDS, _NULL]},
        "bias": {"enum": ["ignore", "absorb"]},
        "stabilizer": {**_STABILIZER, "oneOf": [*_STABILIZER["oneOf"], _NULL]},
        "pooling": _POOLING,
        "layer": _ANY_LAYER,
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
_GRAD_CAM = {"layer": _LAYER, **_UPSAMPLING, "relu": {"type": "boolean"}}

_REFERENCE = {"description": "what the image is compared with: one number, or one per channel", **_BOUND}
_SEED = {"type": "integer", "minimum": 0}
_ACTIVATIONS = {
    "enum": ["relu", "all"],
    "description": "relu: ReLU and its clipped forms; all: every elementwise activation, beyond what the papers define",
}
_DEFAULT_BASE = "gradient"

_DEEPLIFT_RULE = {"enum": ["rescale", "reveal_cancel"]}
_DEEPLIFT = _object(
    {
        "rule": {
            "oneOf": [
                _DEEPLIFT_RULE,
                {"type": "object", "minProperties": 1, "additionalProperties": _DEEPLIFT_RULE},
            ]
        },
        "reference": _REFERENCE,
        "pool_order": {"enum": ["relu_first", "as_built"]},
        "mean_subtraction": {"type": "boolean"},
        "strict": _STRICT,
    }
)

METHODS: dict[str, MethodEntry] = {
    "deeplift": MethodEntry(
        module="nn_interpretability.methods.deeplift",
        name="DeepLIFT",
        summary="contributions to the difference from a reference",
        values="contribution to the difference of the score from that of a reference",
        conserves="exactly, from the reference",
        cost="2 F + 1 B; RevealCancel about 4 F + 2 B",
        paper="Shrikumar et al. 2017",
        needs="weighted sums, elementwise functions, pooling, batch norm, products; scores before a softmax",
        parameters=_DEEPLIFT,
    ),
    "cam": MethodEntry(
        module="nn_interpretability.methods.cam",
        name="CAM",
        summary="class activation mapping: last feature maps times the class's weights",
        values="weight of the class at each place, `(N, 1, H, W)`",
        conserves="its mean and the bias do, before it is enlarged",
        cost="1 F",
        paper="Zhou et al. 2016",
        needs="a net that ends in global average pooling and a linear layer",
        parameters=_object(_UPSAMPLING),
    ),
    "grad_cam": MethodEntry(
        module="nn_interpretability.methods.grad_cam",
        name="GradCAM",
        summary="class activation mapping with mean gradients as weights, at any layer",
        values="weight of the class at each place, from gradients, `(N, 1, H, W)`",
        conserves="no",
        cost="1 F + 1 B",
        paper="Selvaraju et al. 2016",
        needs="the name of a layer that returns feature maps",
        parameters=_object(_GRAD_CAM, "layer"),
    ),
    "deep_taylor": MethodEntry(
        module="nn_interpretability.methods.deep_taylor",
        name="DeepTaylor",
        summary="deep Taylor decomposition: z+ inside, z-box or w-squared at the images",
        values="share of max(0, score), >= 0",
        conserves="but for units that fire from their bias alone",
        cost="as `lrp`",
        paper="Montavon et al. 2017",
        needs="nets of ReLUs, without negative inputs to hidden layers; input_bounds for pixels in a range",
        parameters=_DEEP_TAYLOR,
    ),
    "gradient": MethodEntry(
        module="nn_interpretability.methods.gradient",
        name="Gradient",
        summary="derivative of the score with respect to each input value",
        values="change of the score per unit of the pixel, signed",
        conserves="no",
        cost="1 F + 1 B (K B for all classes)",
        paper="Simonyan et al. 2013",
        needs="any differentiable classifier",
        parameters=_object({}),
    ),
    "input_x_gradient": MethodEntry(
        module="nn_interpretability.methods.input_x_gradient",
        name="InputXGradient",
        summary="input times gradient; for nets of ReLUs the same as LRP-0",
        values="pixel times gradient",
        conserves="up to the part of the biases, in nets of ReLUs",
        cost="1 F + 1 B",
        paper="Shrikumar et al. 2016",
        needs="any differentiable classifier",
        parameters=_object({}),
    ),
    "lrp": MethodEntry(
        module="nn_interpretability.methods.lrp",
        name="LRP",
        summary="layer-wise relevance propagation with one rule or a composite of rules",
        values="share of the score",
        conserves="by rule",
        cost="1 F + 1 B, and one convolution per part of the rule",
        paper="Bach et al. 2015",
        needs="convolutions, linear layers, pooling, batch norm, elementwise activations; input_bounds for z_box",
        parameters=_LRP,
    ),
    "occlusion": MethodEntry(
        module="nn_interpretability.methods.occlusion",
        name="Occlusion",
        summary="how much the score falls when a window is covered",
        values="fall of the score under a window, `(N, 1, H, W)`",
        conserves="no",
        cost="one F for each position",
        paper="Zeiler and Fergus 2013",
        needs="any classifier, differentiable or not; one forward pass for each position of the window",
        parameters=_OCCLUSION,
    ),
    "simple_taylor": MethodEntry(
        module="nn_interpretability.methods.simple_taylor",
        name="SimpleTaylor",
        summary="first-order Taylor expansion around a root of the score",
        values="share of the score, to first order around a root",
        conserves="where the net is linear up to the root",
        cost="1 F + 1 B; nearest root: about 30 F + 1 B more",
        paper="Bach et al. 2015",
        needs="any differentiable classifier; its map sums to the score where the net is linear up to the root",
        parameters=_object({"root": {"enum": ["zero", "nearest"]}}),
    ),
    "saliency": MethodEntry(
        module="nn_interpretability.methods.saliency",
        name="Saliency",
        summary="largest magnitude of the gradient over the channels of each pixel",
        values="largest magnitude of the gradient over channels, `(N, 1, H, W)`, >= 0",
        conserves="no",
        cost="as `gradient`",
        paper="Simonyan et al. 2013",
        needs="any differentiable classifier",
        parameters=_object({}),
    ),
    "guided_backprop": MethodEntry(
        module="nn_interpretability.methods.guided_backprop",
        name="GuidedBackprop",
        summary="gradient with negative signals stopped at every ReLU",
        values="gradient without negative signals at ReLUs",
        conserves="no",
        cost="1 F + 1 B",
        paper="Springenberg et al. 2014",
        needs="ReLUs",
        parameters=_object({"activations": _ACTIVATIONS, "strict": _STRICT}),
    ),
    "guided_grad_cam": MethodEntry(
        module="nn_interpretability.methods.guided_grad_cam",
        name="GuidedGradCAM",
        summary="guided backpropagation times the enlarged Grad-CAM",
        values="guided backpropagation times Grad-CAM",
        conserves="no",
        cost="2 F + 2 B",
        paper="Selvaraju et al. 2016",
        needs="ReLUs, and the name of a layer that returns feature maps",
        parameters=_object({**_GRAD_CAM, "activations": _ACTIVATIONS, "strict": _STRICT}, "layer"),
    ),
    "deconvolution": MethodEntry(
        module="nn_interpretability.methods.deconvolution",
        name="Deconvolution",
        summary="reconstruction by the mirrored network, whole or per filter",
        values="reconstruction by the mirrored network; per filter `(N, filters, C, H, W)`",
        conserves="no",
        cost="1 F + 1 B; per filter 1 F + (1 F + 1 B) for each filter, in one batch",
        paper="Zeiler and Fergus 2014",
        needs="ReLUs; max-pooling, convolutions, linear layers; a layer for reconstructions per filter",
        parameters=_object(
            {
                "start": {"enum": ["unit", "logits"]},
                "mode": {"enum": ["activation", "kernel", None]},
                "layer": {"type": ["string", "null"], "minLength": 1, "description": "dotted name"},
                "activations": _ACTIVATIONS,
                "strict": _STRICT,
            }
        ),
    ),
    "integrated_gradients": MethodEntry(
        module="nn_interpretability.methods.integrated_gradients",
        name="IntegratedGradients",
        summary="mean gradient on the line from a reference, times the difference",
        values="share of the score's change from a reference",
        conserves="up to the quadrature; without the factor x - x' no",
        cost="`steps` (F + B) + 2 F",
        paper="Sundararajan et al. 2017",
        needs="any differentiable classifier; a reference",
        parameters=_object(
            {
                "reference": _REFERENCE,
                "steps": {"type": "integer", "minimum": 1},
                "quadrature": {"enum": ["midpoint", "trapezoid", "left", "right", "gauss_legendre"]},
                "multiply_by_inputs": {"type": "boolean", "description": "false: the mean gradient alone"},
            }
        ),
    ),
    "expected_gradients": MethodEntry(
        module="nn_interpretability.methods.expected_gradients",
        name="ExpectedGradients",
        summary="integrated gradients averaged over many references",
        values="share of the score's change from the mean over references",
        conserves="in expectation",
        cost="`samples` (F + B) + 1 F, and F of the references",
        paper="Erion et al. 2021",
        needs="any differentiable classifier; references",
        parameters=_object(
            {
                "references": {
                    "type": "array",
                    "items": {"type": "number"},
                    "minItems": 1,
                    "description": "constant images",
                },
                "samples": {"type": "integer", "minimum": 1},
                "seed": _SEED,
            },
            "references",
        ),
    ),
}


def _method_of(methods: Mapping[str, MethodEntry]) -> JSONSchema:
    """A method and its hyper-parameters, for methods around another one."""
    schema = _object({"method": {"enum": sorted(methods)}, "parameters": {"type": "object"}}, "method")
    cases = [
        {
            "if": {"properties": {"method": {"const": name}}, "required": ["method"]},
            "then": {"properties": {"parameters": dict(method.parameters)}},
        }
        for name, method in sorted(methods.items())
    ]
    return {**schema, "description": f"the method around which it goes; {_DEFAULT_BASE} if left out", "allOf": cases}


METHODS["smoothgrad"] = MethodEntry(
    module="nn_interpretability.methods.smoothgrad",
    name="SmoothGrad",
    summary="mean map of noisy copies of an image, for any method",
    values="mean of another method's maps over noisy copies; `variance`",
    conserves="no",
    cost="`samples` + 1 times the other method",
    paper="Smilkov et al. 2017",
    needs="what the method that is smoothed needs",
    parameters=_object(
        {
            "of": _method_of(METHODS),
            "samples": {"type": "integer", "minimum": 1},
            "sigma": {"type": "number", "minimum": 0, "description": "noise level in units of scale"},
            "scale": {"enum": ["range", "std", "absolute"]},
            "clip": {
                "type": ["array", "null"],
                "items": {"type": "number"},
                "minItems": 2,
                "maxItems": 2,
                "description": "lowest and highest value of a noisy pixel, for methods that need bounds",
            },
            "seed": _SEED,
            "antithetic": {"type": "boolean", "description": "use each noise with both signs"},
        }
    ),
)


_MODES = ["no_rule", "rescale", "reveal_cancel", "linear", "linear_rescale", "linear_reveal_cancel"]
_TRANSPOSED_POOLING = {
    "enum": ["winner", "average"],
    "description": "as built, or every max-pool taken for an average on the way back",
}

STUDY_METHODS: dict[str, MethodEntry] = {
    "deeplift_mode": MethodEntry(
        module="nn_interpretability.study.deeplift_modes",
        name="DeepLIFTMode",
        summary="DeepLIFT in one of the six modes of the 2020 study, with correct mathematics",
        needs="what deeplift needs",
        parameters=_object(
            {
                "mode": {"enum": _MODES},
                "reference": _REFERENCE,
                "pool_order": {"enum": ["relu_first", "as_built"]},
                "strict": _STRICT,
            },
            "mode",
        ),
    ),
    "deeplift_as_published": MethodEntry(
        module="nn_interpretability.study.as_published",
        name="PublishedDeepLIFT",
        summary="DeepLIFT as the 2020 study published it: wrong",
        needs="linear layers, ReLUs and pooling",
        parameters=_object({"mode": {"enum": _MODES}}, "mode"),
    ),
    "deeplift_unshared_masks": MethodEntry(
        module="nn_interpretability.study.unshared_masks",
        name="UnsharedMasks",
        summary="DeepLIFT over passes with dropout on, as the 2020 study published it: wrong",
        needs="linear layers, ReLUs, pooling and dropout",
        parameters=_object(
            {
                "mode": {"enum": _MODES},
                "passes": {"type": "integer", "minimum": 1},
                "seed": _SEED,
                "shared_masks": {"type": "boolean"},
            },
            "mode",
        ),
    ),
    "lrp_transposed": MethodEntry(
        module="nn_interpretability.study.lrp_transposed",
        name="TransposedLRP",
        summary="LRP-0 layer by layer through transposed layers: slow, literal, equal to LRP-0",
        needs="convolutions, max-pools, ReLUs and linear layers that run one after the other",
        parameters=_object({"pooling": _TRANSPOSED_POOLING}),
    ),
    "lrp_transposed_as_published": MethodEntry(
        module="nn_interpretability.study.as_published",
        name="PublishedTransposedLRP",
        summary="LRP-0 through transposed layers as the 2020 study published it: wrong",
        needs="what lrp_transposed needs",
        parameters=_object({"pooling": _TRANSPOSED_POOLING, "random_biases": {"type": "boolean"}, "seed": _SEED}),
    ),
    "training_mode_left_on": MethodEntry(
        module="nn_interpretability.study.as_published",
        name="TrainingModeLeftOn",
        summary="a method on a network in training mode, as the 2020 study left its networks: wrong",
        needs="what the method needs; dropout or batch norm, else nothing is different",
        parameters=_object({"of": _method_of(METHODS), "seed": _SEED}),
    ),
}
"""Methods for comparisons within the study. A configuration may name them; lists for users leave them out."""


def method_entry(name: str) -> MethodEntry:
    """The entry of the method called ``name``, of the study's own methods too.

    Raises
    ------
    ConfigError
        If no method has this name; the message lists the names.
    """
    if name not in configurable():
        raise ConfigError(f"There is no method {name!r}. The methods are: {', '.join(sorted(METHODS))}.")
    return configurable()[name]


def configurable() -> Mapping[str, MethodEntry]:
    """All methods that a configuration may name: the public ones, and those of the study alone."""
    return {**METHODS, **STUDY_METHODS}


def method_modules(name: str, parameters: Mapping[str, Any]) -> list[str]:
    """The modules of a method and of the method that it is around: what a job that uses it imports.

    Raises
    ------
    ConfigError
        If there is no such method.
    """
    entry = method_entry(name)
    modules = [entry.module]
    if "of" in entry.parameters["properties"]:
        inner = parameters.get("of", {})
        modules += method_modules(inner.get("method", _DEFAULT_BASE), inner.get("parameters", {}))
    return modules
