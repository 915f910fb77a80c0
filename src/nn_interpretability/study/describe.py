r"""A method and its settings in a few words, for headings, tables and captions.

The words are plain text with Greek letters; ``zᴮ`` stands for :math:`z^\mathcal{B}`.  Drawing code and TeX code each
have one place that turns them into their own spelling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Description:
    """What stands above a row of maps.

    Attributes
    ----------
    heading
        The method's name.
    settings
        Its hyper-parameters; empty if it has none.
    quantity
        What a value of the map means, with its unit.
    """

    heading: str
    settings: str
    quantity: str


RELEVANCE = "relevance (logits)"
GRADIENT = "gradient (logits per unit of brightness)"
MULTIPLIER = "multiplier (logits per unit of brightness)"
SCALED_MULTIPLIER = "multiplier, each pass scaled to [0, 1]"
RECONSTRUCTION = "reconstruction"
CLASS_MAP = {"cam": "class activation (logits)", "grad_cam": "Grad-CAM"}

_PLAIN = {
    "gradient": ("Gradient", GRADIENT),
    "saliency": ("Saliency", GRADIENT),
    "guided_backprop": ("Guided backpropagation", GRADIENT),
    "input_x_gradient": ("Input × gradient", RELEVANCE),
}
"""Heading and quantity of methods whose hyper-parameters speak for themselves."""

_COMPOSITES = {
    "small_cnn": "then α1β0, ε, 0",
    "study2020": "then α1β0, 0, 0",
    "montavon2019": "then γ, ε, 0 by thirds of the layers",
}
"""Rules after the first layer, from input to output; the first has zᴮ."""


_MODES = {
    "no_rule": "NoRule",
    "rescale": "Rescale",
    "reveal_cancel": "RevealCancel",
    "linear": "Linear",
    "linear_rescale": "LinearRescale",
    "linear_reveal_cancel": "LinearRevealCancel",
}
"""DeepLIFT's modes as the study wrote them."""

_SYMBOLS = {"epsilon": "ε", "gamma": "γ", "generalised_gamma": "generalised γ", "z_box": "zᴮ", "z_plus": "z+"}


def describe(method: str, parameters: Mapping[str, Any], *, title: str = "", layers: Sequence[str] = ()) -> Description:
    """Describe an attribution method as it was configured.

    Parameters
    ----------
    method
        Name in the registry.
    parameters
        Its hyper-parameters as in the configuration.
    title
        Heading; the method's name then stands before the settings. Default: the method's name is the heading.
    layers
        Names of the model's layers in order of execution, for composites that name layers.
    """
    words = _DESCRIBED.get(method, _describe_other)(method, parameters, layers)
    if not title:
        return words
    return replace(words, heading=title, settings=", ".join(filter(None, [words.heading, words.settings])))


def _describe_other(method: str, parameters: Mapping[str, Any], _: Sequence[str]) -> Description:
    heading, quantity = _PLAIN.get(method, (method.replace("_", " "), RELEVANCE))
    return Description(heading, _plain(parameters), quantity)


def _describe_integrated_gradients(_: str, parameters: Mapping[str, Any], __: Sequence[str]) -> Description:
    reference, steps = parameters.get("reference", 0), parameters.get("steps", 64)
    points = {"midpoint": "midpoints"}.get(parameters.get("quadrature", "midpoint"))
    words = (
        f"{steps} {points or 'points, ' + str(parameters['quadrature']).replace('_', ' ')}, from {_shade(reference)}"
    )
    if parameters.get("multiply_by_inputs", True):
        return Description("Integrated gradients", words, RELEVANCE)
    return Description("Mean gradient on the path", f"integrated gradients without x − x', {words}", GRADIENT)


def _describe_smoothgrad(_: str, parameters: Mapping[str, Any], layers: Sequence[str]) -> Description:
    inner = parameters.get("of", {})
    method = inner.get("method", "gradient")
    base = describe(method, inner.get("parameters", {}), layers=layers)
    scale = {"range": " of the range", "std": " std of the picture", "absolute": ""}
    words = [f"σ = {parameters.get('sigma', 0.15):g}{scale[parameters.get('scale', 'range')]}"]
    words += [f"{parameters.get('samples', 50)} copies"]
    if parameters.get("clip"):
        words.append("clipped to [{:g}, {:g}]".format(*parameters["clip"]))
    if parameters.get("antithetic"):
        words.append("each noise with both signs")
    if method == "gradient":
        return Description("SmoothGrad", ", ".join(words), base.quantity)
    heading = f"SmoothGrad, {base.heading[0].lower()}{base.heading[1:]}"
    return Description(heading, ", ".join([*words, *filter(None, [base.settings])]), base.quantity)


def _describe_deconvolution(_: str, parameters: Mapping[str, Any], __: Sequence[str]) -> Description:
    starts = {"unit": "from the class alone", "logits": "from all logits"}
    words = starts[parameters.get("start", "unit")]
    mode, layer = parameters.get("mode"), str(parameters.get("layer")).rpartition(".")[2]
    if mode == "activation":
        words = f"from the map of one filter of {layer}"
    elif mode == "kernel":
        words = f"{words}, passed on by one filter of {layer}"
    return Description("Deconvolution", words, RECONSTRUCTION)


def _describe_occlusion(_: str, parameters: Mapping[str, Any], __: Sequence[str]) -> Description:
    window = parameters.get("window", 7)
    height, width = window if isinstance(window, Sequence) else (window, window)
    fill = parameters.get("fill", "black")
    words = f"{fill}, {height} × {width}, every {parameters.get('stride') or height} px"
    quantity = {"logit": "fall of the score (logits)", "probability": "fall of the probability"}
    return Description("Occlusion", words, quantity[parameters.get("score", "logit")])


def _describe_class_map(method: str, parameters: Mapping[str, Any], _: Sequence[str]) -> Description:
    heading = {"cam": "Class activation map", "grad_cam": "Grad-CAM"}[method]
    words = [f"at {parameters['layer']}"] if "layer" in parameters else []
    words.append(f"enlarged by {parameters.get('upsampling', 'bilinear')} interpolation")
    return Description(heading, ", ".join(words), CLASS_MAP[method])


def _describe_deeplift(_: str, parameters: Mapping[str, Any], __: Sequence[str]) -> Description:
    rule = {"rescale": "Rescale", "reveal_cancel": "RevealCancel"}.get(
        str(parameters.get("rule", "rescale")), "rules by layer"
    )
    words = f"from {_shade(parameters.get('reference', 0))}"
    if parameters.get("pool_order", "relu_first") == "as_built":
        words += ", pooling before ReLU"
    return Description(f"DeepLIFT, {rule}", words, RELEVANCE)


def _describe_deeplift_mode(_: str, parameters: Mapping[str, Any], __: Sequence[str]) -> Description:
    heading = f"DeepLIFT, {_MODES[parameters['mode']]}"
    return Description(heading, f"from {_shade(parameters.get('reference', 0))}", RELEVANCE)


def _describe_deeplift_as_published(_: str, parameters: Mapping[str, Any], __: Sequence[str]) -> Description:
    return Description(f"DeepLIFT, {_MODES[parameters['mode']]}", "multipliers from black", MULTIPLIER)


def _describe_unshared_masks(_: str, parameters: Mapping[str, Any], __: Sequence[str]) -> Description:
    passes = parameters.get("passes", 200)
    words = ["one pass" if passes == 1 else f"mean of {passes} passes"]
    words.append("masks shared" if parameters.get("shared_masks") else "picture and reference with other masks")
    return Description(f"DeepLIFT, {_MODES[parameters['mode']]}", ", ".join(words), SCALED_MULTIPLIER)


def _describe_lrp_transposed(method: str, parameters: Mapping[str, Any], _: Sequence[str]) -> Description:
    published = method.endswith("published")
    words = ["pooling as average" + (", not divided" if published else "")] if parameters.get("pooling") else []
    if published and parameters.get("random_biases", True):
        words.append("random biases")
    return Description("LRP-0 by transposed layers", ", ".join(words), RELEVANCE)


def _describe_training_mode(_: str, parameters: Mapping[str, Any], layers: Sequence[str]) -> Description:
    inner = parameters.get("of", {})
    base = describe(inner.get("method", "gradient"), inner.get("parameters", {}), layers=layers)
    return replace(base, settings=", ".join(filter(None, [base.settings, "in training mode"])))


def _shade(reference: Any) -> str:
    """A reference in words: a number is a shade of grey."""
    if not isinstance(reference, (int, float)):
        return "a picture"
    return "black" if reference == 0 else "white" if reference == 1 else f"{reference:g}"


def _describe_lrp(_: str, parameters: Mapping[str, Any], layers: Sequence[str]) -> Description:
    words: list[str] = []
    bounds = _bounds(parameters)
    composite, pooling = _without_pooling(parameters.get("composite"))
    rule = parameters.get("rule", "epsilon")
    if composite is not None:
        heading = "LRP composite"
        words += [*bounds, _composite(composite, layers)]
        bounds = []
    elif rule == "epsilon":
        heading = "LRP-ε"
        words.append(_stabilizer("ε", parameters.get("epsilon", {"rms": 0.25})))
    elif rule in {"gamma", "generalised_gamma"}:
        heading = "LRP-γ" if rule == "gamma" else "LRP-γ, generalised"
        words.append(f"γ = {parameters.get('gamma', 0.25):g}")
    elif rule == "alpha_beta":
        heading = f"LRP-{_short(parameters)}"
    else:
        heading = {"0": "LRP-0", "z_plus": "LRP-z+"}[rule]
    if parameters.get("bias") == "ignore":
        words.append("denominators without bias")
    if "stabilizer" in parameters:
        words.append(_stabilizer("stabiliser", parameters["stabilizer"]))
    words += [*bounds, *pooling]
    if parameters.get("pooling") == "proportional":
        words.append("pooling proportional")
    return Description(heading, ", ".join(words), RELEVANCE)


def _bounds(parameters: Mapping[str, Any]) -> list[str]:
    if parameters.get("input_bounds") is None:
        return []
    low, high = parameters["input_bounds"]
    return [f"zᴮ on [{_bound(low)},\N{NO-BREAK SPACE}{_bound(high)}]"]


def _without_pooling(composite: Any) -> tuple[Any, list[str]]:
    """A composite's rules for layers with weights (None if there are none), and a word on those for pooling."""
    if not isinstance(composite, Mapping):
        return composite, []
    weights = {key: rule for key, rule in composite.items() if "pool" not in key}
    pools = {_short(rule) for key, rule in composite.items() if "pool" in key} - {"0"}
    return weights or None, [f"{symbol} at pooling" for symbol in sorted(pools)]


def _composite(composite: Any, layers: Sequence[str]) -> str:
    """The rules after the first layer, from input to output."""
    if isinstance(composite, str):
        return str(_COMPOSITES.get(composite, composite))
    place = {layer: index for index, layer in enumerate(layers)}
    names = sorted(composite, key=lambda name: place.get(name, len(place)))
    rules = [_short(composite[name]) for name in names]
    if rules[0] == "zᴮ" and set(names) <= place.keys():
        return f"then {', '.join(rules[1:])}"
    return ", ".join(f"{layer}: {rule}" for layer, rule in zip(names, rules, strict=True))


def _short(rule: Any) -> str:
    settings = rule if isinstance(rule, Mapping) else {"rule": rule}
    if settings["rule"] == "alpha_beta":
        return f"α{settings.get('alpha', 1):g}β{settings.get('beta', 0):g}"
    return _SYMBOLS.get(settings["rule"], str(settings["rule"]))


def _stabilizer(symbol: str, value: Any) -> str:
    settings = value if isinstance(value, Mapping) else {"absolute": value}
    sizes = [f"{settings['rms']:g} rms"] if "rms" in settings else []
    sizes += [in_powers(settings["absolute"])] if "absolute" in settings else []
    return f"{symbol} = {' + '.join(sizes)}" + (", unsigned" if settings.get("signed", True) is False else "")


def in_powers(value: float) -> str:
    """``1e-09`` as ``10⁻⁹``, ``2e+04`` as ``2 × 10⁴`` if it is printed so, other numbers as they are."""
    mantissa, _, exponent = f"{value:g}".partition("e")
    if not exponent:
        return mantissa
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{raised}" if mantissa == "1" else f"{mantissa} × 10{raised}"


def _bound(value: Any) -> str:
    values = value if isinstance(value, (list, tuple)) else [value]
    return "/".join(f"{number:g}" for number in values).replace("-", "−")


def _plain(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} = {value}" for key, value in parameters.items())


_DESCRIBED: Mapping[str, Callable[[str, Mapping[str, Any], Sequence[str]], Description]] = {
    "cam": _describe_class_map,
    "deconvolution": _describe_deconvolution,
    "deeplift": _describe_deeplift,
    "deeplift_as_published": _describe_deeplift_as_published,
    "deeplift_mode": _describe_deeplift_mode,
    "deeplift_unshared_masks": _describe_unshared_masks,
    "grad_cam": _describe_class_map,
    "integrated_gradients": _describe_integrated_gradients,
    "lrp": _describe_lrp,
    "lrp_transposed": _describe_lrp_transposed,
    "lrp_transposed_as_published": _describe_lrp_transposed,
    "occlusion": _describe_occlusion,
    "smoothgrad": _describe_smoothgrad,
    "training_mode_left_on": _describe_training_mode,
}
"""Methods whose settings need words of their own."""
