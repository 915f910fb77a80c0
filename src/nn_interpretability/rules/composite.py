"""Which rule for which layer."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from nn_interpretability.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

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
    weighted
        Whether the layer has weights.
    """

    layer: str
    kind: str
    index: int = 0
    count: int = 0
    sees_input: bool = False
    weighted: bool = True


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
            if key == "*" and not place.weighted:
                continue  # everything means every layer with weights
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


class Study2020:
    """The composite of the 2020 study as it was published, thresholds and all.

    Rules go by the position of a module among all modules without children, activations and pools included: of L
    modules, those behind round(0.6 L) get LRP-0, those behind round(0.3 L) epsilon (0.1 root mean squares of the row,
    unsigned, also max-pooling), the rest alpha1-beta0, and the first one the z-box rule (with the bounds -1 and 1, in
    the study). So it depends on how a model is written, and on the study's own small network no layer with weights gets
    epsilon.

    Parameters
    ----------
    model
        A model whose layers are modules, registered in the order in which they run.
    """

    def __init__(self, model: nn.Module) -> None:
        modules = [(name, module) for name, module in model.named_modules() if not list(module.children())]
        count, pools = len(modules), 0
        self._rules: dict[str, RuleSettings | None] = {}
        for index, (name, module) in enumerate(modules):
            pool = type(module).__name__ == "MaxPool2d"
            self._rules[f"max_pool2d_{pools}" if pool else name] = self._rule(index, count, pool=pool)
            pools += pool

    def __call__(self, place: Place) -> RuleSettings | None:
        """The rule of a layer."""
        if place.layer not in self._rules:
            raise ConfigError(
                f"The composite 'study2020' counts modules; {place.layer!r} is none. Use 'montavon2019', or a mapping."
            )
        return self._rules[place.layer]

    @staticmethod
    def _rule(index: int, count: int, *, pool: bool) -> RuleSettings | None:
        epsilon = {"rule": "epsilon", "epsilon": {"rms": 0.1, "absolute": 1e-9, "signed": False}}
        if index > round(0.6 * count):
            return "0"
        if index > round(0.3 * count):
            return epsilon
        if pool:
            return None
        if index == 0:
            return "z_box"
        return {"rule": "alpha_beta", "alpha": 1.0, "beta": 0.0, "stabilizer": {"absolute": 1e-9}}


PRESETS: Mapping[str, Callable[[nn.Module], Composite]] = {
    "montavon2019": lambda _: montavon2019,
    "small_cnn": lambda _: ByName(SMALL_CNN),
    "study2020": Study2020,
}


def names_z_box(value: str | Mapping[str, RuleSettings] | Composite | None) -> bool:
    """Whether a composite is known to use the z-box rule, which needs the bounds of the pixels."""
    if isinstance(value, str):
        return value in PRESETS
    return isinstance(value, Mapping) and "z_box" in _rules_of(value)


def may_name(rules: Sequence[str], value: str | Mapping[str, RuleSettings] | Composite | None) -> bool:
    """Whether a composite may use one of some rules; of a function one cannot know."""
    if value is None or isinstance(value, str):
        return False
    return not isinstance(value, Mapping) or not _rules_of(value).isdisjoint(rules)


def _rules_of(composite: Mapping[str, RuleSettings]) -> set[str]:
    return {rule if isinstance(rule, str) else str(rule.get("rule")) for rule in composite.values()}


def composite_of(value: str | Mapping[str, RuleSettings] | Composite, model: nn.Module) -> Composite:
    """A composite for a model from the name of a preset, a mapping, or a function of the place.

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
        return PRESETS[value](model)
    if isinstance(value, Mapping):
        return ByName(value)
    if not callable(value):
        raise ConfigError(f"composite={value!r} is not allowed: give a preset, or a mapping of layer names to rules.")
    return value
