"""What would go wrong on a Slurm cluster, found before anything is submitted."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from typing import Any

from nn_interpretability.errors import ConfigError

__all__ = ["PLACEHOLDERS", "as_given", "check_cluster", "check_executor", "check_placeholders", "cluster_settings"]

#: What ``profiles/slurm`` says where a person has to say something.
PLACEHOLDERS = {"slurm_account": "YOUR_ACCOUNT", "slurm_partition": "YOUR_PARTITION"}

# With squeue, Snakemake's plugin asks sacct all the same if jobs are forgotten sooner than this many first checks.
_CHECKS_REMEMBERED = 3


def as_given(resources: Mapping[str, Any] | None) -> dict[str, object]:
    """Return default resources of Snakemake as they were written, before any is worked out; empty for None."""
    return {name: getattr(value, "raw", value) for name, value in (resources or {}).items()}


def check_placeholders(default_resources: Mapping[str, object]) -> None:
    """Refuse default resources in which a placeholder of ``profiles/slurm`` still stands.

    Parameters
    ----------
    default_resources
        Name and value of each default resource.

    Raises
    ------
    ConfigError
        A placeholder is left; the message names all of them, and what to do.
    """
    left = [f"{name}: {word}" for name, word in PLACEHOLDERS.items() if str(default_resources.get(name)) == word]
    if left:
        raise ConfigError(
            f"The cluster's profile still has {len(left)} placeholder{'s' if len(left) > 1 else ''} "
            f"({', '.join(left)}); nothing was submitted. Write your own under default-resources in "
            "profiles/slurm/config.yaml ('sacctmgr show associations user=$USER' lists accounts, 'sinfo' partitions), "
            "or remove the line on a cluster that needs none."
        )


def check_executor(name: str, settings: Any, default_resources: Mapping[str, object]) -> None:
    """Refuse what :func:`check_cluster` refuses, if jobs go to Slurm; other executors are not looked at.

    Parameters
    ----------
    name
        Name of Snakemake's executor: ``"slurm"``, ``"local"``, ...
    settings
        Its settings, an object of the executor's own.
    default_resources
        Name and value of each default resource.
    """
    if name == "slurm":
        check_cluster(
            cluster_settings(),
            status_command=settings.status_command,
            first_check_s=settings.init_seconds_before_status_checks,
            account=str(default_resources.get("slurm_account") or ""),
        )


def check_cluster(settings: Mapping[str, str], *, status_command: str | None, first_check_s: int, account: str) -> None:
    """Refuse to run where nobody would notice that a job has ended, or where no account can be right.

    Parameters
    ----------
    settings
        Settings of the cluster, of :func:`cluster_settings`.
    status_command
        What Snakemake will ask: ``"sacct"`` (the accounting) or ``"squeue"``.
    first_check_s
        Seconds after which it asks for the first time.
    account
        The account that jobs will be charged to; empty for none.

    Raises
    ------
    ConfigError
        The cluster keeps no accounting, and the rest does not fit that; one sentence each says why, and what to do.
    """
    if not settings or _keeps_accounting(settings):
        return
    kept = f"This cluster keeps no accounting (AccountingStorageType is {settings.get('AccountingStorageType')})"
    if status_command != "squeue":
        raise ConfigError(
            f"{kept}, so {status_command or 'sacct'} never says that a job has ended, and the run would wait for ever; "
            "nothing was submitted. Set slurm-status-command: squeue in profiles/slurm/config.yaml, "
            "or give --slurm-status-command squeue."
        )
    remembered = _seconds(settings.get("MinJobAge"))
    if remembered is not None and remembered < _CHECKS_REMEMBERED * first_check_s:
        raise ConfigError(
            f"{kept}, and squeue forgets a job {remembered} s after its end (MinJobAge), too soon for a first check "
            f"after {first_check_s} s; nothing was submitted. Allowed: slurm-init-seconds-before-status-checks of at "
            f"most {remembered // _CHECKS_REMEMBERED}; set that in profiles/slurm/config.yaml."
        )
    if account:
        raise ConfigError(
            f"{kept}, and so has no accounts, but jobs would be charged to slurm_account: {account}; nothing was "
            "submitted. Remove that line from default-resources in profiles/slurm/config.yaml."
        )


def cluster_settings() -> dict[str, str]:
    """Return what the cluster says about itself (``scontrol show config``); empty where it cannot be asked."""
    try:
        told = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    pairs = (line.partition("=") for line in told.stdout.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs} if told.returncode == 0 else {}


def _keeps_accounting(settings: Mapping[str, str]) -> bool:
    kind = settings.get("AccountingStorageType", "")
    return bool(kind) and not kind.endswith("/none") and kind not in ("none", "(null)")


def _seconds(text: str | None) -> int | None:
    found = re.match(r"(\d+)", text or "")
    return int(found.group(1)) if found else None
