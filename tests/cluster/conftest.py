"""One run of the small study on the test cluster, and one without it, shared by all tests of this folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import slurm_runs as slurm
from workflow_runs import snapshot


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the code; skip where no test cluster runs."""
    reason = slurm.why_no_cluster()
    if reason:
        pytest.skip(reason)
    return snapshot(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def local(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """Run without the cluster, and return the digests of all products."""
    folder = tmp_path_factory.mktemp("local")
    told = slurm.local_run(folder, checkout)
    assert told.returncode == 0, told.stderr
    return slurm.digests(folder / "results")


@pytest.fixture(scope="session")
def finished(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> slurm.Run:
    """Run on the cluster."""
    run = slurm.Run(tmp_path_factory.mktemp("cluster"), checkout)
    told = run.run(*slurm.TARGETS)
    assert told.returncode == 0, told.stderr
    return run


@pytest.fixture
def copy(finished: slurm.Run, tmp_path: Path) -> Iterator[slurm.Run]:
    """Copy the finished run, with all times of files, to change it; no job of it stays."""
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder, symlinks=True)
    yield slurm.Run(folder, finished.checkout)
    left = [str(job.number) for job in slurm.jobs(folder) if job.state in {"PENDING", "RUNNING"}]
    if left:
        slurm.ask("scancel", *left)
    slurm.wait_for(lambda: not slurm.queue())
