"""Which rule for which layer."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from nn_interpretability.errors import ConfigError

RuleSettings = str | Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a layer stands in the model.

    Attributes
    ----------
    layer
        Dotted module name of the layer.
    kind
        Torch function, for example ``"conv2d"``, ``"linear"``, ``"max_pool2d"``.
    index, count
        Position among the weight layers in order of execution, and their number; both 0 for a layer without weights.
    sees_input
        Whether no weight layer stands between the layer and the images.
    """

    layer: str
    kind: str
    index: int = 0
    count: int = 0
    sees_input: bool = False


Composite = Callable[[Place], RuleSettings | None]


def montavon2019(place: Place) -> RuleSettings | None:
    """The composite of Montavon et al. (2019), by position among the weight layers.

    The z-box rule at the input, gamma (0.25) for the rest of the first third, epsilon (0.25 root mean squares of the
    row) for the second third, and LRP-0 for the last; thirds are rounded up and the last layer is always LRP-0.
    """
    if not place.count:
        return None
    third = -(-place.count // 3)
    if place.index == place.count - 1 or place.index >= 2 * third:
        return "0"
    if place.sees_input:
        return "z_box"
    if place.index < third:
        return {"rule": "gamma", "gamma": 0.25}
    return {"rule": "epsilon", "epsilon": {"rms": 0.25}}


# What the 2020 study set out to do for its small network, layer by layer; its own code counted activations and pools
# as layers, so that no weight layer got the epsilon rule.
SMALL_CNN: Mapping[str, RuleSettings] = {
    "features.conv1": "z_box",
    "features.conv2": {"rule": "alpha_beta", "alpha": 1.0, "beta": 0.0},
    "classifier.fc1": {"rule": "epsilon", "epsilon": {"rms": 0.1}},
    "classifier.fc2": "0",
}


class ByName:
    """A composite from a mapping of layer names, patterns or kinds of operation to rules.

    An exact layer name wins; after that the first key that matches, as a shell pattern (``features.*``) or as a kind
    of operation (``conv2d``, ``linear``, ``max_pool2d``).
    """

    def __init__(self, rules: Mapping[str, RuleSettings]) -> None:
        self._rules = dict(rules)

    def __call__(self, place: Place) -> RuleSettings | None:
        """The rule of a layer, or None."""
        if place.layer in self._rules:
            return self._rules[place.layer]
        for key, rule in self._rules.items():
            if key == place.kind or fnmatchcase(place.layer, key):
                return rule
        return None

    def check(self, places: Sequence[Place]) -> None:
        """Make sure that each key of the mapping matches some layer.

        Raises
        ------
        ConfigError
            Naming the keys that match nothing, and the layers there are.
        """
        known = [name for place in places for name in (place.layer, place.kind)]
        for key in self._rules:
            if key in known or any(fnmatchcase(place.layer, key) for place in places):
                continue
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            names = ", ".join(dict.fromkeys(place.layer for place in places))
            raise ConfigError(f"The composite names {key!r}, which is no layer of the model.{hint} Layers: {names}.")


PRESETS: Mapping[str, Callable[[], Composite]] = {
    "montavon2019": lambda: montavon2019,
    "small_cnn": lambda: ByName(SMALL_CNN),
}


def names_z_box(value: str | Mapping[str, RuleSettings] | Composite | None) -> bool:
    """Whether a composite is known to use the z-box rule, which needs the bounds of the pixels."""
    if isinstance(value, str):
        return value in PRESETS
    rules = value.values() if isinstance(value, Mapping) else ()
    return any(rule == "z_box" or (isinstance(rule, Mapping) and rule.get("rule") == "z_box") for rule in rules)


def composite_of(value: str | Mapping[str, RuleSettings] | Composite) -> Composite:
    """A composite from the name of a preset, a mapping, or a function of the place.

    Raises
    ------
    ConfigError
        If the name is not that of a preset, or the value none of these.
    """
    if isinstance(value, str):
        if value not in PRESETS:
            raise ConfigError(
                f"composite={value!r} is not a preset: choose one of {', '.join(map(repr, PRESETS))}, or give a "
                "mapping of layer names to rules."
            )
        return PRESETS[value]()
    if isinstance(value, Mapping):
        return ByName(value)
    if not callable(value):
        raise ConfigError(f"composite={value!r} is not allowed: give a preset, or a mapping of layer names to rules.")
    return value
