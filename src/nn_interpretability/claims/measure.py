"""Measure the assertions of one group, in one job."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nn_interpretability.claims.context import Budget, Context, NotRun, Trained
from nn_interpretability.claims.rules import Rule, load_rules
from nn_interpretability.claims.samples import write_measured
from nn_interpretability.data import digits as digits_file

LOGGER = logging.getLogger("nn_interpretability")

Progress = Callable[[int, int], None]


def measure_claims(
    digits_h5: Path | str,
    outputs: Mapping[str, Path | str],
    *,
    networks: Mapping[str, Trained],
    generative: Mapping[str, Path | str],
    budget: Budget,
    seed: int,
    device: str,
    local: str | None,
    provenance: Mapping[str, Any],
    progress: Progress | None = None,
) -> None:
    """Measure some assertions of the study and write one file each.

    Parameters
    ----------
    digits_h5
        The digits of the run.
    outputs
        File of each assertion, by its id.
    networks, generative
        What the run trained.
    budget, seed, device, local
        As for :class:`~nn_interpretability.claims.context.Context`.
    provenance
        What makes the files.
    progress
        Called with the number of assertions that are measured, and of all.
    """
    digits = digits_file.load(digits_h5)
    context = Context(
        digits, networks, generative, budget, seed, device=device, local=None if local is None else Path(local)
    )
    rules = {rule.id: rule for rule in load_rules()}
    for done, (claim, path) in enumerate(outputs.items()):
        if progress is not None:
            progress(done, len(outputs))
        _measure(rules[claim], context, path, provenance)


def _measure(rule: Rule, context: Context, path: Path | str, provenance: Mapping[str, Any]) -> None:
    module = importlib.import_module(rule.full_module)
    try:
        measured = module.measure(context, rule)
    except NotRun as reason:
        measured = str(reason)
        LOGGER.info("%s (%s) is not run: %s", rule.id, rule.module, reason)
    params = {"rule_digest": rule.digest, "budget": asdict(context.budget), "data": context.digits.source}
    write_measured(path, measured, claim=rule.id, params=params, provenance=provenance)


def modules_of(rules: Sequence[Rule]) -> list[str]:
    """The modules that measure and decide some assertions, each once."""
    return sorted({rule.full_module for rule in rules})
