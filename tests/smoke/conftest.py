"""One small run of the whole workflow, shared by all tests of this folder; a test that changes it works on a copy."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from workflow_runs import Finished, everything, run, snapshot


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Run the small workflow once."""
    folder = tmp_path_factory.mktemp("smoke")
    checkout = snapshot(tmp_path_factory.mktemp("checkout"))
    told = run(folder, *everything(), checkout=checkout)
    assert told.returncode == 0, told.stderr
    return Finished(folder, checkout, told.stderr)


@pytest.fixture
def copy(finished: Finished, tmp_path: Path) -> Finished:
    """Copy the finished run, with all times of files, to change it."""
    folder = tmp_path.parent / f"{tmp_path.name}-copy"
    shutil.copytree(finished.folder, folder, symlinks=True)
    return replace(finished, folder=folder)
