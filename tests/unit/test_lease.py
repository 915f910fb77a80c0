"""A card for each job, with real processes and pretended cards."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nn_interpretability.config.devices import PRETEND_VARIABLE
from nn_interpretability.errors import LockedError
from nn_interpretability.storage.lease import CARDS_VARIABLE, lease_card, lease_folder, visible_cards

SOURCE = Path(__file__).resolve().parents[2] / "src"

# A job that asks for its device, says which card is its own, and works until its input is closed.
JOB = """
import os, sys
from types import SimpleNamespace
from nn_interpretability.progress import Job
job = Job("job", SimpleNamespace(resources={"gpu": int(sys.argv[1]), "device": "auto"}))
job.device
print(os.environ.get("CUDA_VISIBLE_DEVICES", "none"), flush=True)
sys.stdin.read()
"""


class Jobs:
    """Jobs on a machine that pretends to have some cards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *, cards: int, gpu: int = 1, visible: str | None = None) -> subprocess.Popen[str]:
        env = {name: value for name, value in os.environ.items() if name != CARDS_VARIABLE}
        env |= {"PYTHONPATH": str(SOURCE), "TMPDIR": str(self.folder), PRETEND_VARIABLE: str(cards)}
        if visible is not None:
            env[CARDS_VARIABLE] = visible
        process = subprocess.Popen(
            [sys.executable, "-c", JOB, str(gpu)], env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        self.started.append(process)
        return process

    def card(self, **options: object) -> str:
        return said(self.start(**options))


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    made = Jobs(tmp_path)
    yield made
    for process in made.started:
        process.kill()
        process.communicate()


def test_jobs_at_once_have_different_cards_and_a_killed_one_gives_its_card_back(jobs: Jobs) -> None:
    first, second = jobs.start(cards=2), jobs.start(cards=2)
    cards = {said(first), said(second)}
    assert cards == {"0", "1"}
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert jobs.card(cards=2) in cards
    assert len(list(jobs.folder.glob("nn_interpretability-*/card-*"))) == 2


def test_a_job_waits_for_a_card_when_all_are_leased(jobs: Jobs) -> None:
    first = jobs.start(cards=2)
    cards = {said(first), jobs.card(cards=2)}
    third = jobs.start(cards=2)
    reader = threading.Thread(target=lambda: answers.append(said(third)))
    answers: list[str] = []
    reader.start()
    reader.join(timeout=1.5)
    assert answers == []
    first.communicate("")
    reader.join(timeout=60)
    assert answers[0] in cards


def test_what_needs_no_choice_is_left_alone(jobs: Jobs) -> None:
    assert jobs.card(cards=1) == "none"
    assert jobs.card(cards=2, gpu=0) == "none"
    assert jobs.card(cards=2, visible="1") == "1"  # as under Slurm, which shows a job its own card alone
    assert not list(jobs.folder.glob("nn_interpretability-*"))


def test_cards_that_the_person_allows_are_chosen_from(jobs: Jobs) -> None:
    assert {jobs.card(cards=4, visible="2,3"), jobs.card(cards=4, visible="2,3")} == {"2", "3"}


@pytest.mark.gpu
def test_torch_sees_the_leased_card_alone(tmp_path: Path) -> None:
    code = (
        "import os, sys, torch\n"
        "from pathlib import Path\n"
        "from nn_interpretability.storage.lease import lease_card\n"
        "os.environ['CUDA_VISIBLE_DEVICES'] = lease_card(['0'], Path(sys.argv[1])).card\n"
        "print(torch.cuda.device_count())\n"
    )
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=env, capture_output=True, text=True, check=True
    )
    assert told.stdout == "1\n"


def test_visible_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CARDS_VARIABLE, raising=False)
    assert visible_cards(3) == ["0", "1", "2"]
    monkeypatch.setenv(CARDS_VARIABLE, "GPU-8a56, 1")
    assert visible_cards(3) == ["GPU-8a56", "1"]
    monkeypatch.setenv(CARDS_VARIABLE, "")
    assert visible_cards(3) == []


def test_waiting_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    held = lease_card(["0"], tmp_path)
    release = threading.Timer(1.2, held.release)
    release.start()
    with caplog.at_level(logging.WARNING):
        lease_card(["0"], tmp_path).release()
    assert [record.getMessage() for record in caplog.records] == [
        "all 1 GPUs of this machine are leased: waiting for one (--resources gpu=1 keeps a run to so many)"
    ]


def test_a_name_with_slashes_is_one_file(tmp_path: Path) -> None:
    lease_card(["MIG-GPU-8a56/1/0"], tmp_path).release()
    assert [path.name for path in tmp_path.iterdir()] == ["card-MIG-GPU-8a56_1_0"]


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert lease_folder().stat().st_mode & 0o777 == 0o700
    lease_folder().rmdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"nn_interpretability-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LockedError, match="is not a folder of yours"):
        lease_folder()


def test_no_card_is_no_lease(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no card to lease"):
        lease_card([], tmp_path)
