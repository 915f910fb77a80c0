"""Each assertion's code on two planted data sets, one where it is true and one where it is false, says so."""

import importlib

import pytest

from nn_interpretability.claims.ledger import decided
from nn_interpretability.claims.rules import NOT_SUPPORTED, SUPPORTED, Rule, load_rules
from nn_interpretability.claims.samples import Measured, read_measured, write_measured
from nn_interpretability.claims.verdict import verdicts

RULES = load_rules()
FAMILY = 30
"""Sampled claims there are at most; each planted claim must be decided although so many are."""


def planted(rule: Rule, which: str) -> Measured:
    measured: Measured = getattr(importlib.import_module(f"planted_claims.{rule.module}"), which)()
    return measured


def verdict_of(rule: Rule, measured: Measured) -> str:
    finding = decided(rule, measured)
    family = {f"other_{n}": (rule.kind, finding) for n in range(FAMILY)}
    return verdicts({"this": (rule.kind, finding), **family})["this"].word


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.id}_{rule.module}")
def test_says_so_where_it_is_true(rule: Rule) -> None:
    assert verdict_of(rule, planted(rule, "true")) == SUPPORTED


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.id}_{rule.module}")
def test_says_so_where_it_is_false(rule: Rule) -> None:
    assert verdict_of(rule, planted(rule, "false")) == NOT_SUPPORTED


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.id}_{rule.module}")
def test_a_finding_outlives_its_file(rule: Rule, tmp_path) -> None:
    measured = planted(rule, "true")
    write_measured(tmp_path / "c.h5", measured, claim=rule.id, params={"rule_digest": rule.digest}, provenance={})
    again, params = read_measured(tmp_path / "c.h5")
    assert params["claim"] == rule.id
    assert not isinstance(again, str)
    assert decided(rule, again) == decided(rule, measured)
