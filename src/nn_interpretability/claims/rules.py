"""The assertions of the study and the rules that decide them, from ``reference/claims.yaml``; no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from nn_interpretability.errors import ConfigError

KINDS = ("sampled", "identity")
"""Decided over pictures and training seeds, or by a theorem and a check in float64."""

SUPPORTED, NOT_SUPPORTED, UNDECIDED, NOT_RUN = "supported", "not supported", "undecided", "not run"
VERDICTS = (SUPPORTED, NOT_SUPPORTED, UNDECIDED, NOT_RUN)

_WORDS = ("id", "module", "group", "kind", "place", "assertion", "statistic", "rule")
_LISTS = ("methods", "networks", "once", "generators")
_KEYS = {*_WORDS, *_LISTS, "parameters", "version", "digest"}


@dataclass(frozen=True)
class Rule:
    """An assertion of the study and the rule that decides it.

    Attributes
    ----------
    id
        ``"c01"`` to ``"c34"``.
    module
        Its module in :mod:`nn_interpretability.claims.assertions`.
    group
        The assertions of one group are measured by one job.
    kind
        One of :data:`KINDS`.
    place
        Where the study makes the assertion.
    assertion, statistic, rule
        What is asserted; what is measured; when it holds.
    methods
        The report's notes on methods that list it.
    networks
        Networks of the configuration that are needed, of each training seed.
    once
        Networks of which the first training seed is enough, such as a judge.
    generators
        Generative models of the configuration that are needed.
    parameters
        Margins, levels and grids of the rule.
    version
        Counts the changes of the rule; verdicts by different versions are not comparable.
    digest
        The first 12 digits of the SHA-256 of all that the verdict depends on in this entry.
    """

    id: str
    module: str
    group: str
    kind: str
    place: str
    assertion: str
    statistic: str
    rule: str
    methods: tuple[str, ...]
    networks: tuple[str, ...]
    once: tuple[str, ...]
    generators: tuple[str, ...]
    parameters: Mapping[str, Any]
    version: int
    digest: str

    @property
    def full_module(self) -> str:
        """Name of the module that measures and decides."""
        return f"nn_interpretability.claims.assertions.{self.module}"


def rules_file() -> Path:
    """Where the rules are: in the package, or, in a checkout, in ``reference/``."""
    package = Path(__file__).parents[1]
    inside = package / "reference" / "claims.yaml"
    return inside if inside.exists() else package.parents[1] / "reference" / "claims.yaml"


@cache
def load_rules(path: Path | None = None) -> tuple[Rule, ...]:
    """Read the rules, in the order of the file.

    Parameters
    ----------
    path
        The file; None for the project's own.

    Raises
    ------
    ConfigError
        If an entry lacks a key or has an unknown one, a name stands twice, or a rule was changed without a new digest:
        one message for all problems.
    """
    path = rules_file() if path is None else path
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    problems = [problem for entry in entries for problem in _problems(entry)]
    for key in ("id", "module"):
        names = [entry.get(key) for entry in entries]
        problems += [f"{key} {name!r} stands twice" for name in sorted({n for n in names if names.count(n) > 1})]
    if problems:
        raise ConfigError(f"{path.name} has problems:\n" + "\n".join(f"- {problem}" for problem in problems))
    return tuple(_rule(entry) for entry in entries)


def digest_of(entry: Mapping[str, Any]) -> str:
    """The digest that belongs to an entry of the file: of its rule, kind, networks, parameters and version."""
    decisive = ("id", "kind", "statistic", "rule", "networks", "once", "generators", "parameters", "version")
    content = json.dumps({key: entry.get(key) for key in decisive}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def groups(rules: Iterable[Rule]) -> dict[str, list[Rule]]:
    """The rules by group, in order."""
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        found.setdefault(rule.group, []).append(rule)
    return found


def _problems(entry: Mapping[str, Any]) -> list[str]:
    name = entry.get("id", "an entry without id")
    missing = [key for key in (*_WORDS, "version", "digest") if key not in entry]
    problems = [f"{name}: {key} is missing" for key in missing]
    problems += [f"{name}: {key!r} is no key; the keys are {', '.join(sorted(_KEYS))}" for key in entry.keys() - _KEYS]
    if not missing and entry["kind"] not in KINDS:
        problems.append(f"{name}: kind is {entry['kind']!r}; {' and '.join(KINDS)} are allowed")
    if not missing and entry["digest"] != digest_of(entry):
        problems.append(
            f"{name}: the rule is not the one whose digest stands there ({entry['digest']}); if no verdict was given "
            f"by it yet, write digest: {digest_of(entry)}; else raise the version, too"
        )
    return problems


def _rule(entry: Mapping[str, Any]) -> Rule:
    words: dict[str, Any] = {key: " ".join(str(entry[key]).split()) for key in _WORDS}
    lists: dict[str, Any] = {key: tuple(entry.get(key, ())) for key in _LISTS}
    return Rule(
        **words,
        **lists,
        parameters=dict(entry.get("parameters", {})),
        version=entry["version"],
        digest=entry["digest"],
    )
