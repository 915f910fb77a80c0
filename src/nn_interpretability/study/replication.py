"""Every printed number beside what is found: the study's own networks, those of this run, and a verdict.

Layout of ``replication/verdicts.json`` (schema ``verdicts/1``): ``tables``, what stands above each table, and
``numbers``, in the order of ``reference/published.yaml``: ``name``, ``table``, ``row``, ``column``, ``printed``,
``verdict``, ``reason`` (empty with a verdict), ``reproduced`` and ``replicated`` (``value``, ``low``, ``high``; or
null), ``test`` (or null).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nn_interpretability.errors import DataError
from nn_interpretability.storage.product import read_json, write_json
from nn_interpretability.study.number_part import ANY, write_part
from nn_interpretability.study.numbers import entry
from nn_interpretability.study.published import CLOCK, COMPARED, NOT_AVAILABLE, RANDOM_START, Table, Value, load
from nn_interpretability.study.replicate import numbers_of, replicate
from nn_interpretability.study.verdicts import NOT_REPRODUCED, NOT_RUN, REPRODUCED, found, judged

SCHEMA = "verdicts/1"
SOURCE = "replication/verdicts.json"
_NO_SEEDS = "searches from random starts were left out (replication.seeds is 0)"

Row = dict[str, Any]


def compare(
    reproduced: Mapping[str, Path | str],
    products: Mapping[str, Path | str],
    parts: list[Path | str],
    output: Path | str,
    numbers_json: Path | str,
    *,
    settings: Mapping[str, int],
    provenance: Mapping[str, Any],
    keys: Sequence[str] = ANY,
) -> None:
    """Judge every printed number.

    Parameters
    ----------
    reproduced
        What the study's networks give: the file of each job.
    products, parts
        Products of this run by the names of their entries, and files of numbers; see
        :mod:`nn_interpretability.study.replicate`.
    output
        The verdicts.
    numbers_json
        Numbers for the report, behind ``replication.``: ``count``, ``compared``, ``reproduced``, ``not_reproduced``,
        ``not_run``, ``replicated``, ``reason`` (why more was not run, or "none"), ``list`` (what was not reproduced),
        the same counts behind ``<kind>.``, ``passes``, ``seeds``, ``pictures``, and ``test.<table>``, what test
        pictures give.
    settings
        ``passes``, ``seeds`` and ``pictures`` of the configuration.
    provenance
        What makes the files.
    """
    known = load()
    ran = {job: read_json(path) for job, path in reproduced.items()}
    ours = replicate(known, products, numbers_of(parts))
    rows = [row for table in known.values() for row in _rows(table, ran.get(table.job, {}), ours)]
    tables = {name: _described(table) for name, table in known.items()}
    write_json(output, {"schema": SCHEMA, "tables": tables, "numbers": rows, "provenance": dict(provenance)})
    write_part(numbers_json, _numbers(rows, known, settings), keys=keys)


def _described(table: Table) -> dict[str, Any]:
    keys = ("place", "quantity", "really", "unit", "kind", "why", "reason", "draws")
    return {key: getattr(table, key) for key in keys} | {"tolerance": table.tolerance}


def _rows(table: Table, ran: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[Row]:
    for value in table.values():
        measured = ran.get("measured", {}).get(value.name)
        verdict, reason, result = _verdict(value, measured, ran.get("reason"))
        yield {
            "name": value.name,
            "table": table.name,
            "row": value.row,
            "column": value.column,
            "printed": value.text,
            "verdict": verdict,
            "reason": reason,
            "reproduced": result,
            "test": None if measured is None else measured.get("test"),
            "replicated": vars(found(value, ours[value.name])) if value.name in ours else None,
        }


def _verdict(value: Value, measured: Mapping[str, Any] | None, reason: str | None) -> tuple[str, str, Any]:
    table = value.table
    if table.kind not in COMPARED:
        return NOT_RUN, table.reason, None
    if reason:
        return NOT_RUN, reason, None
    if measured is None:
        if table.kind == RANDOM_START:
            return NOT_RUN, _NO_SEEDS, None
        raise DataError(f"{value.name} is to be computed by the job {table.job!r}, which did not do so.")
    result = found(value, measured)
    return judged(value, result), "", vars(result)


def _numbers(rows: Sequence[Row], known: Mapping[str, Table], settings: Mapping[str, int]) -> dict[str, Any]:
    numbers: dict[str, Any] = {**_counts(rows), **{key: settings[key] for key in ("passes", "seeds", "pictures")}}
    for kind in (*COMPARED, CLOCK, NOT_AVAILABLE):
        some = [row for row in rows if known[row["table"]].kind == kind]
        numbers |= {f"{kind.replace(' ', '_')}.{key}": count for key, count in _counts(some).items()}
    failed = [row for row in rows if row["verdict"] == NOT_REPRODUCED]
    left_out = [row["reason"] for row in rows if row["verdict"] == NOT_RUN and known[row["table"]].kind in COMPARED]
    numbers["reason"] = "; ".join(dict.fromkeys(left_out)) or None
    numbers["list"] = "; ".join(_told(row, known[row["table"]]) for row in failed) or None
    stated = {f"replication.{key}": entry(value, source=SOURCE) for key, value in numbers.items()}
    return stated | {f"replication.test.{key}": value for key, value in _of_test(rows, known)}


def _counts(rows: Sequence[Row]) -> dict[str, int]:
    verdicts = Counter(row["verdict"] for row in rows)
    return {
        "count": len(rows),
        "compared": verdicts[REPRODUCED] + verdicts[NOT_REPRODUCED],
        "reproduced": verdicts[REPRODUCED],
        "not_reproduced": verdicts[NOT_REPRODUCED],
        "not_run": verdicts[NOT_RUN],
        "replicated": sum(row["replicated"] is not None for row in rows),
    }


def _told(row: Row, table: Table) -> str:
    where = " ".join(filter(None, (row["row"].replace("_", " "), row["column"])))
    result = row["reproduced"]
    return f"{table.place}, {where}: {row['printed']}, found {result['low']:.4g} to {result['high']:.4g}"


def _of_test(rows: Sequence[Row], known: Mapping[str, Table]) -> Iterator[tuple[str, Any]]:
    """Where a table is a single number of training pictures: the same for test pictures, with the printed decimals."""
    for name, table in known.items():
        values = list(table.values())
        if len(values) > 1 or table.job != "networks":
            continue
        (row,) = (row for row in rows if row["table"] == name)
        decimals = len(row["printed"].partition(".")[2])
        value, unit = (NOT_RUN, "") if row["test"] is None else (row["test"], table.unit)
        yield name, entry(value, decimals=decimals, unit=unit, source=SOURCE)
