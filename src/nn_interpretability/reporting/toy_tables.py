r"""Tables of networks whose right explanation is known: answers at one input, two networks of one function, matrices.

What they say comes from the numbers behind ``toys.``; where a run has no toys they have no rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nn_interpretability.reporting.tex import escape, number, printed_entry

Numbers = Mapping[str, Mapping[str, Any]]

_TOYS = ("saturation", "threshold", "thresholded", "minimum")


def answers_table(numbers: Numbers) -> tuple[list[str], list[list[str]]]:
    """Head and rows: per method the shares of the inputs of each toy, and at the top the score that they share."""
    found = _behind(numbers, "answer")
    score = ["score less that at zero", *(_printed(found, f"{toy}.score") for toy in _TOYS)]
    rows = [
        [_heading(numbers, method), *(_shares(found, f"{toy}.{method}") for toy in _TOYS)]
        for method in _second(found, "saturation")
    ]
    return ["method", *_TOYS], [score, *rows] if rows else []


def pair_table(numbers: Numbers) -> tuple[list[str], list[list[str]]]:
    """Head and rows: per method the shares of both inputs, for either network, and whether they are equal."""
    found = _behind(numbers, "pair")
    rows = []
    for method in _second(found, "f"):
        both = [[value["value"] for value in _values(found, f"{network}.{method}")] for network in ("f", "g")]
        equal = max(abs(one - other) for one, other in zip(*both, strict=True)) < 0.005
        rows.append(
            [
                _heading(numbers, method),
                *(_shares(found, f"{network}.{method}") for network in ("f", "g")),
                "yes" if equal else "no",
            ]
        )
    return ["method", "$f$", "$g$", "equal"], rows


def matrices(numbers: Numbers) -> str:
    r"""Definitions for ``\toymatrix{name}``, each a matrix to be set in a formula."""
    cells: dict[str, dict[tuple[int, int], str]] = {}
    for key, value in _behind(numbers, "matrix").items():
        name, row, column = key.rsplit(".", 2)
        cells.setdefault(name, {})[int(row), int(column)] = number(str(value["text"]))
    lines = [r"\providecommand{\toymatrix}[1]{\result{matrix.#1}}"]
    for name, found in sorted(cells.items()):
        height, width = (1 + max(place[axis] for place in found) for axis in (0, 1))
        body = r" \\ ".join(" & ".join(found[y, x] for x in range(width)) for y in range(height))
        lines.append(rf"\DefineResult{{matrix.{name}}}{{\begin{{bmatrix*}}[r]{body}\end{{bmatrix*}}}}")
    return "".join(line + "\n" for line in lines)


def _behind(numbers: Numbers, kind: str) -> dict[str, Mapping[str, Any]]:
    """Numbers of one kind, by what follows ``toys.<entry>.<kind>.``, of the first entry that has any."""
    found: dict[str, Mapping[str, Any]] = {}
    for key, value in numbers.items():
        parts = key.split(".", 3)
        if parts[0] == "toys" and len(parts) == 4 and parts[2] == kind:
            found.setdefault(parts[3], value)
    return found


def _second(found: Mapping[str, Any], first: str) -> list[str]:
    """The methods that have something to say of one network, in the order in which they are drawn."""
    methods = {key.split(".")[1] for key in found if key.startswith(f"{first}.")} - {"score"}
    return sorted(methods, key=lambda method: (_ORDER.index(method) if method in _ORDER else len(_ORDER), method))


_ORDER = (
    "gradient",
    "input_x_gradient",
    "occlusion",
    "integrated_gradients",
    "deeplift_rescale",
    "deeplift_reveal_cancel",
    "lrp_0",
    "lrp_0_ignore",
    "lrp_epsilon",
    "lrp_alpha1_beta0",
    "deeplift_rescale_published",
    "deeplift_reveal_cancel_published",
)


def _heading(numbers: Numbers, method: str) -> str:
    return escape(str(_behind(numbers, "heading")[method]["value"]))


def _values(found: Mapping[str, Mapping[str, Any]], key: str) -> list[Mapping[str, Any]]:
    return [found[f"{key}.{place}"] for place in range(2) if f"{key}.{place}" in found]


def _shares(found: Mapping[str, Mapping[str, Any]], key: str) -> str:
    shares = ",\\ ".join(printed_entry(value) for value in _values(found, key))
    return f"$({shares})$"


def _printed(found: Mapping[str, Mapping[str, Any]], key: str) -> str:
    return printed_entry(found[key]) if key in found else "--"
