"""The numbers that the study of 2020 printed: ``reference/published.yaml``, read and checked.

The file's own head says what its keys mean.  All scalars are read as text, so that ``100.00`` keeps its digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from nn_interpretability.errors import ConfigError

DETERMINISTIC, COUNT, RANDOM_MEAN, RANDOM_START = "deterministic", "count", "random mean", "random start"
CLOCK, NOT_AVAILABLE = "clock", "not available"
COMPARED = (DETERMINISTIC, COUNT, RANDOM_MEAN, RANDOM_START)
"""Kinds that are compared, if the study's weights are there; the others never are."""
KINDS = (*COMPARED, CLOCK, NOT_AVAILABLE)
JOBS = ("networks", "passes", "searches")
"""Who computes a number: forward passes and gradients, stochastic passes, activation maximisation."""
NOTHING = "-"
_SHIPPED, _CHECKOUT = (Path(__file__).parents[up] / "reference" / "published.yaml" for up in (1, 3))
FILE = _SHIPPED if _SHIPPED.is_file() else _CHECKOUT
"""The copy inside the installed package, or that of the checkout."""
_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)")
_NAME = "^[a-z][a-z0-9_]*$"


@dataclass(frozen=True)
class Table:
    """Values of one kind that were printed in one place.

    Attributes
    ----------
    name, place, quantity, really, unit, kind
        See the head of the file; ``really`` may be empty.
    tolerance
        A number, or None: half a unit of the last printed digit.
    why, reason, job
        Empty where they do not apply.
    draws
        Random draws behind a count or a mean, else 0.
    columns
        Names; one empty name where there is one value per row.
    rows
        The values as printed, by row.
    """

    name: str
    place: str
    quantity: str
    really: str
    unit: str
    kind: str
    tolerance: float | None
    why: str
    reason: str
    job: str
    draws: int
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]

    def values(self) -> Iterator[Value]:
        """The numbers, row by row."""
        for row, printed in self.rows.items():
            for column, text in zip(self.columns, printed, strict=True):
                if text != NOTHING:
                    yield Value(self, row, column, text)


@dataclass(frozen=True)
class Value:
    """One printed number.

    Attributes
    ----------
    table, row, column
        Where it stands.
    text
        As it was printed.
    """

    table: Table
    row: str
    column: str
    text: str

    @property
    def name(self) -> str:
        """``table.row.column``, or ``table.row``."""
        return ".".join(filter(None, (self.table.name, self.row, self.column)))

    @property
    def number(self) -> float:
        """The printed number."""
        return float(self.text)

    @property
    def tolerance(self) -> float:
        """How far what is found may be from it."""
        if self.table.tolerance is not None:
            return self.table.tolerance
        return float(0.5 * 10.0 ** -len(self.text.partition(".")[2]))


def load(path: Path | None = None) -> dict[str, Table]:
    """Read and check the file.

    Parameters
    ----------
    path
        The YAML file; by default :data:`FILE`.

    Raises
    ------
    ConfigError
        If it says something that is not allowed; one message for all that is wrong.
    """
    path = path or FILE
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_Text)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise ConfigError(f"{path.name} is no YAML: {error}") from None
    problems = [_told(error) for error in Draft202012Validator(_SCHEMA).iter_errors(document)]
    if not problems:
        tables = {name: _table(name, entry) for name, entry in document.items()}
        problems = [problem for table in tables.values() for problem in _problems(table)]
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigError(f"{path.name} cannot be used:\n{listed}")
    return tables


class _Text(yaml.SafeLoader):
    """Scalars stay text; only ``<<`` keeps its meaning."""

    yaml_implicit_resolvers = {"<": [("tag:yaml.org,2002:merge", re.compile("^(?:<<)$"))]}  # noqa: RUF012


_TEXT = {"type": "string", "minLength": 1}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "propertyNames": {"pattern": _NAME},
    "minProperties": 1,
    "additionalProperties": {
        "type": "object",
        "additionalProperties": False,
        "required": ["place", "quantity", "kind", "rows"],
        "properties": {
            **dict.fromkeys(("place", "quantity", "really", "why", "reason", "columns"), _TEXT),
            "unit": {"enum": ["%", "s", ""]},
            "kind": {"enum": list(KINDS)},
            "tolerance": {"type": "string", "pattern": r"^(printed|\d+(\.\d+)?)$"},
            "draws": {"type": "string", "pattern": "^[1-9][0-9]*$"},
            "job": {"enum": list(JOBS)},
            "rows": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"pattern": _NAME},
                "additionalProperties": _TEXT,
            },
        },
    },
}


def _told(error: Any) -> str:
    where = ".".join(map(str, error.absolute_path)) or "the file"
    if error.validator == "enum":
        return f"{where} is {error.instance!r}; allowed are {', '.join(map(repr, error.validator_value))}"
    if error.validator == "pattern" and "propertyNames" in error.absolute_schema_path:
        return f"{where} has the name {error.instance!r}; a name has small letters, digits and _, a letter first"
    if error.validator == "pattern":
        wanted = {"tolerance": "'printed' or a number", "draws": "a whole number above 0"}
        return f"{where} is {error.instance!r}; allowed is {wanted.get(where.rpartition('.')[2], 'another form')}"
    return f"{where}: {error.message}"


def _table(name: str, entry: Mapping[str, Any]) -> Table:
    tolerance = entry.get("tolerance", "printed")
    return Table(
        name=name,
        tolerance=None if tolerance == "printed" else float(tolerance),
        draws=int(entry.get("draws", 0)),
        columns=tuple(entry.get("columns", "").split()) or ("",),
        rows={row: tuple(values.split()) for row, values in entry["rows"].items()},
        **{key: entry.get(key, "") for key in ("place", "quantity", "really", "unit", "kind", "why", "reason", "job")},
    )


def _problems(table: Table) -> Iterator[str]:
    compared = table.kind in COMPARED
    for key in ("why", "job") if compared else ("reason",):
        if not getattr(table, key):
            yield f"{table.name} has no {key!r}, which the kind {table.kind!r} needs"
    if (table.kind in {COUNT, RANDOM_MEAN}) != bool(table.draws):
        yield f"{table.name}: 'draws' belongs to the kinds {COUNT!r} and {RANDOM_MEAN!r}, and to no other"
    if len(set(table.columns)) < len(table.columns):
        yield f"{table.name} has the same column twice"
    for row, values in table.rows.items():
        if len(values) != len(table.columns):
            yield f"{table.name}.{row} has {len(values)} values for {len(table.columns)} columns"
        for text in values:
            if text != NOTHING and not _NUMBER.fullmatch(text):
                yield f"{table.name}.{row} has the value {text!r}; write a number as it was printed, or {NOTHING!r}"
