"""What Snakemake would do now to make one file: asked of Snakemake itself, which reads rules and configuration."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nn_interpretability.code_digest import digests_of_modules
from nn_interpretability.errors import ConfigError


@dataclass(frozen=True)
class Planned:
    """A job as the present rules, configuration and code have it.

    Attributes
    ----------
    rule, wildcards, params
        As the rule says now.
    inputs, outputs
        Paths of files.
    reason
        Why Snakemake would run it, in its words; empty if it would not.
    """

    rule: str
    wildcards: Mapping[str, str]
    params: Mapping[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    reason: str


def plan(
    target: str, *, snakefile: Path, configfiles: Sequence[Path], config: Mapping[str, Any], replace: bool
) -> tuple[list[Planned], Mapping[str, Mapping[str, str]]]:
    """Jobs that a file depends on, the one that makes it first, and the modules behind their digests of code.

    Parameters
    ----------
    target
        A file, as the workflow names it.
    snakefile
        The workflow.
    configfiles, replace
        Configuration files, and whether they replace those that the workflow names itself.
    config
        Keys that are set beside them.

    Raises
    ------
    ConfigError
        If the workflow refuses (the message is its own), or no rule makes the file.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.exceptions import MissingRuleException, WorkflowError
    from snakemake.settings.enums import Quietness
    from snakemake.settings.types import (
        ConfigSettings,
        DAGSettings,
        OutputSettings,
        ResourceSettings,
        StorageSettings,
    )

    with _silence(), SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        settings = ConfigSettings(configfiles=list(configfiles), config=dict(config), replace_workflow_config=replace)
        try:
            workflow = api.workflow(
                resource_settings=ResourceSettings(cores=1),
                config_settings=settings,
                storage_settings=StorageSettings(),
                snakefile=snakefile,
            )
            dag = workflow.dag(DAGSettings(targets={target}))
            dag.summary()  # the one public call that builds the DAG and runs nothing
        except MissingRuleException:
            raise ConfigError(f"No rule makes {target} under {', '.join(map(str, configfiles))}.") from None
        except (SystemExit, WorkflowError) as error:
            raise ConfigError(f"The workflow cannot be planned: {error}") from error
        found = [_planned(job, workflow._workflow.dag) for job in workflow._workflow.dag.jobs]
    return _from(target, found), digests_of_modules()


def _planned(job: Any, dag: Any) -> Planned:
    reason = dag.reason(job)
    return Planned(
        rule=str(job.rule.name),
        wildcards={key: str(value) for key, value in job.wildcards_dict.items()},
        params=dict(job.params.items()),
        inputs=tuple(map(str, job.input)),
        outputs=tuple(map(str, job.output)),
        reason=str(reason) if reason else "",
    )


def _from(target: str, jobs: Sequence[Planned]) -> list[Planned]:
    """The jobs in the order in which one meets them on the way back from a file."""
    maker = {file: job for job in jobs for file in job.outputs}
    found: list[Planned] = []
    waiting = [target]
    while waiting:
        job = maker.get(waiting.pop(0))
        if job is not None and job not in found:
            found.append(job)
            waiting += job.inputs
    return found


@contextlib.contextmanager
def _silence() -> Any:
    """Snakemake prints its summary, and logs through handlers of its own."""
    logger = logging.getLogger("snakemake.logging")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            yield
        finally:
            for handler in list(logger.handlers):
                logger.removeHandler(handler)
