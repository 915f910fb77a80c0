"""Why a product is as it is: what made it, and what has changed since, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nn_interpretability.errors import DataError
from nn_interpretability.reporting.plan import Planned, plan
from nn_interpretability.reporting.provenance import short
from nn_interpretability.storage.disk import absolute
from nn_interpretability.storage.job_record import read_code, read_run, record_of
from nn_interpretability.storage.lock import results_root
from nn_interpretability.storage.product import digest_of, recorded_digest
from nn_interpretability.storage.provenance import name_in_results, provenance

Record = Mapping[str, Any]
LONGEST = 80
_MISSING = object()


def why(product: Path | str, *, checkout: Path | str, configfiles: Sequence[Path | str] = ()) -> str:
    """What made a product, what it would be made from now, and what differs.

    Parameters
    ----------
    product
        A file of a results folder; it need not exist any more.
    checkout
        Folder with the ``Snakefile``.
    configfiles
        Configuration of the present; default: the files with which the folder's last run was made.

    Raises
    ------
    DataError
        If the file lies in no results folder.
    ConfigError
        If the workflow cannot be planned, or no rule makes the file.
    """
    path = absolute(product)
    results = results_root(path)
    if results is None:
        raise DataError(f"{product} lies in no folder of results: no run has used a folder above it.")
    name = path.relative_to(results).as_posix()
    record = record_of(results, name)
    run = read_run(results)
    files = [Path(file) for file in (configfiles or run.get("configfiles", []))]
    folder = _as_the_workflow_names(results)
    jobs, modules = plan(
        f"{folder}/{name}",
        snakefile=Path(checkout, "Snakefile"),
        configfiles=files,
        config={"results": folder},
        replace=not configfiles and run.get("replace_config", False),
    )
    code = {**modules, **read_code(results)}
    lines = [str(product), *_made_by(record), ""]
    changes = list(_of_the_file(path)) + list(differences(record, jobs[0], code))
    lines += _listed("Since then, what makes it run again:", changes) or ["Nothing that it depends on has changed."]
    for job in jobs[1:]:
        own = record_of(results, name_in_results(absolute(job.outputs[0])))
        lost = [f"{file} is missing" for file in job.outputs if not Path(file).exists()]
        lines += _listed(f"Before it, {_job(job)} would run again:", [*lost, *differences(own, job, code)])
    lines += ["", f"Snakemake: {jobs[0].reason.strip()}" if jobs[0].reason else "Snakemake would not make it again."]
    return "\n".join([*lines, *_no_reason(record)])


def differences(record: Record | None, job: Planned, code: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """What differs between the record of a job and the job as it would be now, a sentence each.

    Parameters
    ----------
    record
        Of the job that ran; None: there is none, and nothing is known to differ.
    job
        As the workflow has it now.
    code
        Modules behind digests of code, then and now.
    """
    if record is None:
        return
    if record["rule"] != job.rule:
        yield f"another rule makes it now: {job.rule} instead of {record['rule']}"
    before, now = dict(record["params"]), {key: _plain(value) for key, value in job.params.items()}
    yield from _of_code(before.pop("code", None), now.pop("code", None), code)
    yield from (f"parameter {words}" for words in _of_values(before, now, ""))
    inputs = {name_in_results(absolute(file)): Path(file) for file in job.inputs}
    for name in sorted(record["inputs"].keys() | inputs.keys()):
        if name not in inputs:
            yield f"input {name} is no longer read"
        elif name not in record["inputs"]:
            yield f"input {name} is new"
        elif not inputs[name].exists():
            yield f"input {name} is missing"
        else:
            digest = recorded_digest(inputs[name]) or digest_of(inputs[name])
            if digest != record["inputs"][name]:
                yield f"input {name} has changed: {short(record['inputs'][name])}, now {short(digest)}"


def _of_code(before: str | None, now: str | None, code: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    if before == now:
        return
    old, new = code.get(before or ""), code.get(now or "")
    if old is None or new is None:
        yield f"the code has changed: {before}, now {now} (which modules was not recorded)"
        return
    for module in sorted(old.keys() | new.keys()):
        if old.get(module) != new.get(module):
            what = "is new" if module not in old else "is no longer used" if module not in new else "has changed"
            yield f"the code has changed: {module} {what}"


def _of_values(before: Any, now: Any, path: str) -> Iterator[str]:
    """Differences of nested values, each with its path."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*before, *now]):
            place = f"{path}.{key}" if path else str(key)
            yield from _of_values(before.get(key, _MISSING), now.get(key, _MISSING), place)
    elif before is _MISSING:
        yield f"{path} is new: {_short_value(now)}"
    elif now is _MISSING:
        yield f"{path} is gone; it was {_short_value(before)}"
    elif before != now:
        yield from _of_lists(before, now, path)


def _of_lists(before: Any, now: Any, path: str) -> Iterator[str]:
    lists = isinstance(before, list) and isinstance(now, list)
    gone = [each for each in before if each not in now] if lists else []
    new = [each for each in now if each not in before] if lists else []
    if gone or new:
        words = [f"without {_short_value(gone)}"] * bool(gone) + [f"with {_short_value(new)}"] * bool(new)
        yield f"{path}: now {' and '.join(words)}"
    else:
        yield f"{path}: was {_short_value(before)}, now {_short_value(now)}"


def _of_the_file(path: Path) -> Iterator[str]:
    if not path.exists():
        yield "the file is missing"
    elif recorded_digest(path) not in (None, digest_of(path)):
        yield "the file is no longer what its job wrote: its SHA-256 differs"


def _made_by(record: Record | None) -> list[str]:
    if record is None:
        return ["No job has left a record of making it."]
    wildcards = ", ".join(f"{key}={value}" for key, value in record["wildcards"].items())
    seed = "none" if record["seed"] is None else record["seed"]
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    return [
        f"  made by   {record['rule']}{f' ({wildcards})' if wildcards else ''}",
        f"  seed      {seed}",
        f"  commit    {record['commit']}",
        f"  device    {record['device']} ({record['instruction_set']})",
        f"  versions  {versions}",
        *(f"  from      {name}  {short(digest)}" for name, digest in sorted(record["inputs"].items())),
    ]


def _no_reason(record: Record | None) -> list[str]:
    """What differs without being a reason to run again."""
    if record is None:
        return []
    now = provenance(rule="", wildcards={}, code="", inputs=[], seed=None, device="")
    notes = [f"commit: {record['commit'][:12]}, now {now['commit'][:12]}"] if record["commit"] != now["commit"] else []
    notes += [
        f"{name}: {version}, now {now['versions'].get(name)}"
        for name, version in record["versions"].items()
        if version != now["versions"].get(name)
    ]
    return _listed("Different, and no reason to run again:", notes)


def _listed(heading: str, lines: Sequence[str]) -> list[str]:
    return [heading, *(f"  - {line}" for line in lines)] if lines else []


def _job(job: Planned) -> str:
    return " ".join([job.rule, *job.wildcards.values()])


def _short_value(value: Any) -> str:
    words = repr(value)
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 3]}..."


def _plain(value: Any) -> Any:
    """A parameter as it comes back from a record."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _as_the_workflow_names(results: Path) -> str:
    """The results folder relative to the working folder, as configurations name it."""
    here = Path.cwd()
    return results.relative_to(here).as_posix() if results.is_relative_to(here) else str(results)
