"""What speaks against the results of a training: signs of swapped labels, of leaked pictures, of wrong pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

ERRORS, LEAST = 5.0, 0.05
"""Accuracies differ where it is by so many standard errors and by at least so much."""


def doubts(test: Mapping[str, Any], validation: Mapping[str, Any]) -> list[str]:
    r"""Sentences about what is hardly chance; empty where nothing is odd.

    The accuracies of the two parts, of :math:`n_t` and :math:`n_v` pictures, differ by chance with the standard error
    :math:`\sqrt{p (1 - p) (1 / n_t + 1 / n_v)}`, :math:`p` being that of both together.

    Parameters
    ----------
    test, validation
        ``accuracy`` (0 to 1), ``n`` and ``per_class`` of :func:`nn_interpretability.training.card.evaluation`.

    Returns
    -------
    list of str
        If the parts differ, one may have other labels or other pixels, or pictures that were trained on. If a class is
        right less often than by guessing while the others are learnt, its labels may be those of another class.
    """
    found = []
    gap = abs(test["accuracy"] - validation["accuracy"])
    if gap > max(LEAST, ERRORS * _standard_error(test, validation)):
        found.append(
            f"{100 * test['accuracy']:.1f} % of the test pictures are right, but {100 * validation['accuracy']:.1f} % "
            "of those for validation: one part may have other labels, other pixels, or pictures that were trained on"
        )
    for part, measured in (("test", test), ("validation", validation)):
        classes = measured["per_class"]
        if len(classes) < 2:
            continue
        for name, one in classes.items():
            others = [each["accuracy"] for other, each in classes.items() if other != name]
            chance, enough = 1 / len(classes), sorted(others)[len(others) // 2] > 0.5
            if enough and one["n"] >= 10 and one["accuracy"] < chance:
                found.append(
                    f"{100 * one['accuracy']:.1f} % of the {part} pictures of class {name} are right, fewer than by "
                    "guessing, though other classes are learnt: its labels may be those of another class"
                )
    return found


def _standard_error(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    right = one["accuracy"] * one["n"] + other["accuracy"] * other["n"]
    share = right / (one["n"] + other["n"])
    return math.sqrt(share * (1 - share) * (1 / one["n"] + 1 / other["n"]))
