"""What profiles/slurm submits, to the word, and what is refused before anything is submitted; without any Slurm.

Programs that write down how they were called stand for Slurm's. The run on a real Slurm is in tests/cluster.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from workflow_runs import REPOSITORY, environment

PROFILE = REPOSITORY / "profiles" / "slurm"
STUDY = REPOSITORY / "tests" / "cluster" / "study.yaml"
CPU_TARGET, GPU_TARGET = "results/probes/turning.h5", "results/models/dropout_cnn/weights.safetensors"

ACCOUNTING = "AccountingStorageType   = accounting_storage/slurmdbd\nMinJobAge               = 300 sec"
NO_ACCOUNTING = "AccountingStorageType   = accounting_storage/none\nMinJobAge               = 300 sec"
PROGRAMS = {
    # One file per submission, a word per line; then it is refused, so that no test waits for a job.
    "sbatch": """printf '%s\\n' sbatch "$@" > "$(mktemp "$CALLS/sbatch.XXXXXX")"
echo "a test submits nothing" >&2; exit 1""",
    "scontrol": 'cat "$CALLS/config"',
    **dict.fromkeys(("squeue", "sacct", "sinfo", "scancel", "sacctmgr", "sshare"), ":"),
}


@dataclass(frozen=True)
class Cluster:
    """Programs that stand for Slurm's, and a profile."""

    folder: Path

    def profile(self, *replacements: tuple[str, str]) -> str:
        """Write the profile as a person would edit it."""
        text = (PROFILE / "config.yaml").read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        folder = self.folder / "profile"
        folder.mkdir(exist_ok=True)
        (folder / "config.yaml").write_text(text, encoding="utf-8")
        return str(folder)

    def run(self, profile: str, *arguments: str, settings: str = ACCOUNTING) -> subprocess.CompletedProcess[str]:
        (self.folder / "calls" / "config").write_text(settings, encoding="utf-8")
        words = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
        words += ["--workflow-profile", profile, "--configfile", str(STUDY), *arguments]
        path = os.pathsep.join([str(self.folder / "bin"), os.environ["PATH"]])
        env = environment(PATH=path, CALLS=str(self.folder / "calls"), NN_INTERPRETABILITY_PRETEND_GPU="0")
        return subprocess.run(words, cwd=self.folder, env=env, capture_output=True, text=True, timeout=300, check=False)

    def submitted(self) -> dict[str, list[str]]:
        """Return the words of each submission, by the job's comment."""
        calls = [file.read_text().splitlines() for file in (self.folder / "calls").glob("sbatch.*")]
        return {words[words.index("--comment") + 1]: words for words in calls}


EDITED = (("YOUR_ACCOUNT", "lab"), ("YOUR_PARTITION", "gpu-nodes"))
# The executor ends only after its first look at jobs, also if there are none.
IMPATIENT = (*EDITED, ("seconds-before-status-checks: 20", "seconds-before-status-checks: 1"))


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    for name in ("bin", "calls"):
        (tmp_path / name).mkdir()
    for name, text in PROGRAMS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return Cluster(tmp_path)


def options(words: list[str], folder: Path) -> list[str]:
    """Return the words of a submission up to the command of the job, without what differs from run to run."""
    name = words[words.index("--job-name") + 1]
    assert re.fullmatch(r"[0-9a-f-]{36}", name)
    (command,) = [number for number, word in enumerate(words) if word.startswith("--wrap=")]
    return [word.replace(name, "RUN").replace(str(folder), "FOLDER") for word in words[:command]]


def test_the_words_of_a_job_with_a_gpu_and_of_one_without(cluster: Cluster) -> None:
    told = cluster.run(cluster.profile(*IMPATIENT), "--retries", "0", "--keep-going", "--", CPU_TARGET, GPU_TARGET)
    assert told.returncode == 1
    assert "a test submits nothing" in told.stderr
    logs = "FOLDER/.snakemake/slurm_logs"
    common = ["-A", "lab", "-p", "gpu-nodes", "-t", "60", "--mem", "4000", "--requeue"]
    cpu, gpu = "rule_select_probes_wildcards_turning", "rule_train_model_wildcards_dropout_cnn"
    submitted = cluster.submitted()
    assert submitted.keys() == {cpu, gpu}
    start = ["sbatch", "--parsable", "--job-name", "RUN", "--output"]
    assert options(submitted[cpu], cluster.folder) == [
        *start, f"{logs}/rule_select_probes/turning/%j.log", "--export=ALL", "--comment", cpu,
        *common, "--ntasks=1", "--cpus-per-task=1", "-D", "FOLDER",
    ]  # fmt: skip
    # The head node has no GPU, and the job asks for one all the same: the profile says device=cuda.
    assert options(submitted[gpu], cluster.folder) == [
        *start, f"{logs}/rule_train_model/dropout_cnn/%j.log", "--export=ALL", "--comment", gpu,
        *common, "--cpus-per-task=1", "-D", "FOLDER", "--gpus=1",
    ]  # fmt: skip
    # What makes the digits stayed on the head node.
    assert (cluster.folder / "results" / "data" / "digits.h5").exists()


def test_device_cpu_asks_for_no_gpu(cluster: Cluster) -> None:
    cluster.run(
        cluster.profile(*IMPATIENT), "--retries", "0", "--config", "device=cpu", "--", GPU_TARGET
    )  # fmt: skip
    (words,) = cluster.submitted().values()
    assert not [word for word in words if word.startswith("--gpus")]


@pytest.mark.parametrize("dry", [False, True])
def test_placeholders_are_refused(cluster: Cluster, dry: bool) -> None:
    told = cluster.run(cluster.profile(), *(["--dry-run"] if dry else []), "--", GPU_TARGET)
    assert told.returncode == 1
    assert "still has 2 placeholders (slurm_account: YOUR_ACCOUNT, slurm_partition: YOUR_PARTITION)" in told.stderr
    assert "nothing was submitted" in told.stderr
    assert "profiles/slurm/config.yaml" in told.stderr
    assert "Traceback" not in told.stderr
    assert cluster.submitted() == {}
    assert not (cluster.folder / "results").exists()


def test_a_placeholder_that_was_forgotten_is_refused(cluster: Cluster) -> None:
    told = cluster.run(cluster.profile(EDITED[0]), "--", GPU_TARGET)
    assert told.returncode == 1
    assert "still has 1 placeholder (slurm_partition: YOUR_PARTITION)" in told.stderr


@pytest.mark.parametrize(
    ("replacements", "said"),
    [
        (EDITED, "so sacct never says that a job has ended"),
        ((*EDITED, ("# slurm-status-command", "slurm-status-command")), "no accounts, but jobs would be charged to"),
    ],
)
def test_a_cluster_without_accounting(cluster: Cluster, replacements: tuple[tuple[str, str], ...], said: str) -> None:
    told = cluster.run(cluster.profile(*replacements), "--", GPU_TARGET, settings=NO_ACCOUNTING)
    assert told.returncode == 1
    assert "This cluster keeps no accounting (AccountingStorageType is accounting_storage/none)" in told.stderr
    assert said in told.stderr
    assert "Traceback" not in told.stderr
    assert cluster.submitted() == {}
    assert not (cluster.folder / "results" / "data").exists()


def test_retries_are_in_the_profile_alone() -> None:
    assert yaml.safe_load((PROFILE / "config.yaml").read_text())["retries"] == 2
    rules = sorted((REPOSITORY / "workflow" / "rules").glob("*.smk"))
    assert not [rule for rule in rules if re.search(r"^\s*retries:", rule.read_text(), flags=re.MULTILINE)]


def test_both_profiles_agree_on_what_has_nothing_to_do_with_the_cluster() -> None:
    here, there = (yaml.safe_load((PROFILE.parent / name / "config.yaml").read_text()) for name in ("default", "slurm"))
    assert {name: there[name] for name in here if name not in ("resources", "retries")} == {
        name: value for name, value in here.items() if name not in ("resources", "retries")
    }
    assert "resources" not in there  # one GPU job at a time is for one card
