"""What is refused before a cluster is asked for anything."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from snakemake.resources import Resources

from nn_interpretability.config import cluster
from nn_interpretability.config.cluster import as_given, check_cluster, check_executor, check_placeholders
from nn_interpretability.errors import ConfigError

NONE = {"AccountingStorageType": "accounting_storage/none", "MinJobAge": "300 sec"}
KEPT = {"AccountingStorageType": "accounting_storage/slurmdbd", "MinJobAge": "30 sec"}


def test_default_resources_are_read_as_they_were_written() -> None:
    words = ["slurm_account=lab", "mem_mb=2 * input.size_mb", "slurm_partition=YOUR_PARTITION"]
    given = as_given(Resources.parse(words, allow_expressions=True))
    assert given["slurm_account"] == "lab"
    assert given["mem_mb"] == "2 * input.size_mb"
    assert as_given({"mem_mb": 5}) == {"mem_mb": 5}
    assert as_given(None) == {}
    with pytest.raises(ConfigError, match=r"1 placeholder \(slurm_partition: YOUR_PARTITION\)"):
        check_placeholders(given)


def test_without_placeholders_all_is_well() -> None:
    check_placeholders({})
    check_placeholders({"slurm_account": "lab", "slurm_partition": "main", "mem_mb": 4000})


@pytest.mark.parametrize(
    ("settings", "status", "first_check", "account"),
    [
        (KEPT, "sacct", 20, "lab"),
        (NONE, "squeue", 20, ""),
        (NONE, "squeue", 100, ""),
        ({}, "sacct", 20, "lab"),  # the cluster does not say
    ],
)
def test_what_can_work_is_let_through(settings: dict[str, str], status: str, first_check: int, account: str) -> None:
    check_cluster(settings, status_command=status, first_check_s=first_check, account=account)


@pytest.mark.parametrize(
    ("settings", "status", "first_check", "account", "said"),
    [
        (NONE, "sacct", 20, "", r"sacct never says .* Set slurm-status-command: squeue"),
        (NONE, None, 20, "", "sacct never says"),
        ({"MinJobAge": "300 sec", "AccountingStorageType": "(null)"}, "sacct", 20, "", "sacct never says"),
        (NONE, "squeue", 101, "", r"forgets a job 300 s after .* at most 100"),
        (NONE, "squeue", 20, "lab", r"charged to slurm_account: lab; .* Remove that line"),
    ],
)
def test_what_cannot_work_is_refused(
    settings: dict[str, str], status: str | None, first_check: int, account: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        check_cluster(settings, status_command=status, first_check_s=first_check, account=account)


def test_only_slurm_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "cluster_settings", lambda: NONE)
    settings = SimpleNamespace(status_command="sacct", init_seconds_before_status_checks=20)
    check_executor("local", None, {})
    with pytest.raises(ConfigError, match="sacct never says"):
        check_executor("slurm", settings, {})


def test_a_cluster_that_cannot_be_asked_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert cluster.cluster_settings() == {}
