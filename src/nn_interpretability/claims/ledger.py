"""The ledger: every assertion of the study with its verdict, as ``claims.json``, and its numbers for the report."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nn_interpretability.claims.finding import Condition, Finding
from nn_interpretability.claims.rules import NOT_RUN, VERDICTS, Rule, load_rules
from nn_interpretability.claims.samples import Measured, read_measured
from nn_interpretability.claims.verdict import Verdict, verdicts
from nn_interpretability.errors import DataError
from nn_interpretability.storage.product import write_json
from nn_interpretability.study.number_part import ANY, write_part
from nn_interpretability.study.numbers import Numbers, entry

LedgerEntry = dict[str, Any]


def decide_claims(
    measured: Mapping[str, Path | str],
    output: Path | str,
    numbers_json: Path | str,
    *,
    first_commits: Mapping[str, str],
    keys: Sequence[str] = ANY,
    provenance: Mapping[str, Any],
) -> None:
    """Decide all assertions together and write the ledger.

    Parameters
    ----------
    measured
        File of each assertion, by its id.
    output
        The ledger: a list of entries with ``id``, ``statement``, ``place``, ``methods``, ``kind``, ``statistic``,
        ``value``, ``interval``, ``images``, ``seeds``, ``verdict``, ``p``, ``reason``, ``conditions``, ``note``,
        ``numbers``, ``rule``, ``rule_version``, ``rule_digest``, ``rule_commit`` and ``code_commit``.
    numbers_json
        Numbers for the report, behind ``claim.<id>.``: ``verdict``, ``value``, ``low``, ``high``, ``images``,
        ``seeds`` and, behind ``also.``, what the finding adds; ``claims.count.<verdict>``; the largest number of seeds
        and of images of any claim, ``claims.seeds`` and ``claims.images``.
    first_commits
        The commit in which each rule first appeared, by its digest; "unknown" where git does not tell.
    keys
        The numbers that the job declares.
    provenance
        What makes the ledger; each entry has the commit of the code that decided it, ``code_commit``.

    Raises
    ------
    DataError
        If an assertion was measured by another rule than the one that is there now.
    """
    rules = {rule.id: rule for rule in load_rules()}
    found = {name: read_measured(path) for name, path in measured.items()}
    for name, (_, params) in found.items():
        if params["rule_digest"] != rules[name].digest:
            raise DataError(
                f"{measured[name]} was measured for rule {params['rule_digest']} of {name}, but the rule is "
                f"{rules[name].digest} now; delete the file, and the next run measures again."
            )
    findings = {
        name: decided(rules[name], content) for name, (content, _) in found.items() if not isinstance(content, str)
    }
    given = verdicts({name: (rules[name].kind, finding) for name, finding in findings.items()})
    ledger = [
        _entry(rules[name], findings.get(name), given.get(name), content, first_commits)
        for name, (content, _) in sorted(found.items())
    ]
    write_json(output, [entry | {"code_commit": provenance["commit"]} for entry in ledger])
    write_part(numbers_json, numbers_of_ledger(ledger), keys=keys)


def decided(rule: Rule, measured: Measured) -> Finding:
    """What an assertion's own code finds in measurements."""
    finding: Finding = importlib.import_module(rule.full_module).decide(measured, rule)
    return finding


def _entry(
    rule: Rule, finding: Finding | None, verdict: Verdict | None, content: Measured | str, commits: Mapping[str, str]
) -> LedgerEntry:
    described = {
        "id": rule.id,
        "statement": rule.assertion,
        "place": rule.place,
        "methods": list(rule.methods),
        "kind": rule.kind,
        "statistic": rule.statistic,
        "rule": rule.rule,
        "rule_version": rule.version,
        "rule_digest": rule.digest,
        "rule_commit": commits.get(rule.digest, "unknown"),
    }
    if finding is None or verdict is None:
        return described | {
            **dict.fromkeys(("value", "interval", "images", "seeds", "p")),
            "verdict": NOT_RUN,
            "reason": str(content),
            "conditions": [],
            "note": "",
            "numbers": {},
        }
    first = finding.conditions[0]
    return described | {
        "value": first.value,
        "interval": list(first.interval),
        "images": finding.images,
        "seeds": finding.seeds,
        "verdict": verdict.word,
        "p": verdict.p,
        "reason": "",
        "conditions": [_condition(each) for each in finding.conditions],
        "note": finding.note,
        "numbers": dict(finding.numbers),
    }


def _condition(condition: Condition) -> dict[str, Any]:
    return {
        "words": condition.words,
        "value": condition.value,
        "interval": list(condition.interval),
        "side": condition.side,
        "bound": condition.bound,
        "p_for": condition.p_for,
        "p_against": condition.p_against,
    }


def numbers_of_ledger(ledger: list[LedgerEntry], *, source: str = "claims.json") -> Numbers:
    """The numbers that the report states of a ledger."""
    numbers: Numbers = {}
    for verdict in VERDICTS:
        count = sum(each["verdict"] == verdict for each in ledger)
        numbers[f"claims.count.{verdict.replace(' ', '_')}"] = entry(count, source=source)
    numbers["claims.count.all"] = entry(len(ledger), source=source)
    for key in ("seeds", "images"):
        numbers[f"claims.{key}"] = entry(max((each[key] or 0 for each in ledger), default=0), source=source)
    for each in ledger:
        low, high = each["interval"] or (None, None)
        found: dict[str, Any] = {"verdict": each["verdict"], "images": each["images"], "seeds": each["seeds"]}
        numbers |= {f"claim.{each['id']}.{key}": entry(value, source=source) for key, value in found.items()}
        also = {f"also.{key}": value for key, value in each["numbers"].items()}
        values = {"value": each["value"], "low": low, "high": high, **also}
        numbers |= {f"claim.{each['id']}.{key}": entry(value, digits=3, source=source) for key, value in values.items()}
    return numbers
