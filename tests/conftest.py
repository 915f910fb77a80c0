"""What all tests share: one thread per process, the package imported first, and the optional data folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# Before anything imports torch: two processes with two threads each, on two cores, are fifty times slower.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest

# First, so that zennit and pytorch-grad-cam can import torchvision beside a CPU-only torch.
import nn_interpretability  # noqa: F401

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that stores the arrays of a run in place of the reference."""
    words = "store the arrays behind the figures of the small run in tests/reference, and print what changed"
    parser.addoption("--regenerate", action="store_true", help=words)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have to say, also those that another process ran."""
    for report in terminalreporter.getreports(""):
        for name, words in getattr(report, "user_properties", []):
            if name == "said" and report.when == "call":
                terminalreporter.section(report.nodeid)
                terminalreporter.write_line(words)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def study_data() -> Path:
    """Return the folder with the study's data; skip where there is none."""
    folder = Path(os.environ.get("NN_INTERPRETABILITY_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no data folder at {folder}; set NN_INTERPRETABILITY_DATA to use one")
    return folder


@pytest.fixture(scope="session")
def made_up_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a results folder of made-up numbers and figures of the whole study; only to be copied."""
    from figures.results import make_results
    from filelock import FileLock

    # Test processes have a folder below one that they share; the first of them makes the results.
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    base = tmp_path_factory.getbasetemp()
    folder = (base if alone else base.parent) / "made-up"
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            make_results(folder.with_suffix(".unfinished")).folder.rename(folder)
    return folder


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where there is none."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")


TEST_ALL = "NN_INTERPRETABILITY_TEST_ALL"
"""Set by ``make test-all``: there a slow test that is skipped must say that this machine cannot run it."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Make a failure of a slow test that was skipped under ``make test-all`` without a word about this machine."""
    report = yield
    if (
        os.environ.get(TEST_ALL)
        and report.skipped
        and item.get_closest_marker("slow")
        and not hasattr(report, "wasxfail")
    ):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if "this machine cannot" not in reason:
            report.outcome, report.longrepr = "failed", f"a slow test was skipped under make test-all: {reason}"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the files with long tests first, so that no worker is left alone with one at the end."""
    smoke, slow = ({item.path for item in items if item.get_closest_marker(mark)} for mark in ("smoke", "slow"))
    items.sort(key=lambda item: (item.path not in smoke, item.path not in slow))
