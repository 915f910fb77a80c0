"""What the section ``claims`` of a configuration means: jobs, and networks from several training seeds; no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nn_interpretability.claims.rules import Rule, groups, load_rules

Config = Mapping[str, Any]


def claim_groups(config: Config) -> dict[str, list[Rule]]:
    """The assertions that a run decides, by the job that measures them; none without a section ``claims``."""
    return groups(load_rules()) if config["claims"] else {}


def claim_networks(config: Config, rules: Iterable[Rule]) -> dict[str, list[str]]:
    """The networks that some assertions need: the model and its replicas, one name for each training seed.

    Networks that the configuration does not list are left out: their assertions are "not run".
    """
    listed = list(rules)
    repeated = {name for rule in listed for name in rule.networks}
    wanted = [*repeated, *(name for rule in listed for name in rule.once)]
    seeds = config["claims"]["seeds"]
    return {
        name: [replica(name, seed) for seed in range(seeds if name in repeated else 1)]
        for name in sorted(set(wanted) & set(config["models"]))
    }


def claim_generators(config: Config, rules: Iterable[Rule]) -> list[str]:
    """The generative models that some assertions need, as far as the configuration lists them."""
    return sorted({name for rule in rules for name in rule.generators} & set(config["generators"]))


def replica(model: str, seed: int) -> str:
    """The name of a model that is trained again from another seed; seed 0 is the model itself."""
    return f"{model}_seed{seed}" if seed else model


def replicas(config: Config) -> dict[str, str]:
    """The models that claims need besides those of the configuration, each with the model that it repeats."""
    rules = [rule for listed in claim_groups(config).values() for rule in listed]
    if not rules:
        return {}
    networks = claim_networks(config, rules)
    return {name: model for model, names in networks.items() for name in names if name != model}
