"""What a job says: its log file, its one message, its progress. Each script runs in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from nn_interpretability.progress import TERMINAL_VARIABLE, last_words, progress_file, read_progress

SCRIPT = """
import sys
from pathlib import Path
from types import SimpleNamespace

class Values(list):
    def __init__(self, **named):
        super().__init__(named.values())
        self.named = named
        self.__dict__.update(named)
    def get(self, key, default=None):
        return self.named.get(key, default)
    def items(self):
        return self.named.items()

snakemake = SimpleNamespace(
    rule="attribute",
    wildcards=Values(attribution="lrp_0"),
    log=Values(log=sys.argv[1]),
    input=Values(weights=__file__),
    output=Values(made=sys.argv[1] + "/../../attributions/lrp_0.h5"),
    params=Values(code="0123", seed=7),
    resources=Values(gpu=0, device="auto"),
)

from nn_interpretability.errors import DataError
from nn_interpretability.progress import job

with job(snakemake) as this:
{body}
"""


class Script:
    """A script of the workflow, with a body of its own."""

    def __init__(self, folder: Path, body: str) -> None:
        self.log = folder / "logs" / "lrp_0.log"
        self.file = folder / "script.py"
        self.file.write_text(SCRIPT.format(body=textwrap.indent(textwrap.dedent(body), "    ")), encoding="utf-8")
        self.words = [sys.executable, str(self.file), str(self.log)]

    def run(self, monkeypatch: pytest.MonkeyPatch, terminal: str = "") -> subprocess.CompletedProcess[str]:
        monkeypatch.setenv(TERMINAL_VARIABLE, terminal)
        return subprocess.run(self.words, capture_output=True, text=True, check=False)

    @property
    def logged(self) -> str:
        return self.log.read_text(encoding="utf-8")


def test_everything_that_is_said_goes_to_the_log_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(
        tmp_path,
        """
        import logging, os, subprocess
        print("printed")
        logging.getLogger("nn_interpretability").info("told")
        subprocess.run(["echo", "by a program"], check=True)
        os.write(2, b"by a library in C\\n")
        """,
    )
    told = script.run(monkeypatch)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
    assert {"printed", "INFO: told", "by a program", "by a library in C"} <= set(script.logged.splitlines())


def test_warnings_reach_the_terminal_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(
        tmp_path,
        """
        import logging, warnings
        from nn_interpretability.errors import CoverageWarning
        logging.getLogger("nn_interpretability").warning("a stand-in is used")
        warnings.warn("no rule for cos", CoverageWarning)
        """,
    )
    warned = ["WARNING: a stand-in is used", "WARNING: no rule for cos (CoverageWarning)"]
    assert script.run(monkeypatch).stderr.splitlines() == warned
    assert last_words(script.log) == ("", ["a stand-in is used", "no rule for cos (CoverageWarning)"])


def test_an_expected_error_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(tmp_path, "raise DataError('x.pt is a pickle with code in it.')")
    told = script.run(monkeypatch)
    assert told.returncode == 1
    assert told.stderr == script.logged == "ERROR: attribute lrp_0: x.pt is a pickle with code in it.\n"
    assert last_words(script.log)[0] == "attribute lrp_0: x.pt is a pickle with code in it."


def test_an_unexpected_error_leaves_its_stack_trace_in_the_log_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script(tmp_path, "{}['key']")
    told = script.run(monkeypatch)
    assert told.returncode == 1
    summary = f"ERROR: attribute lrp_0: KeyError: 'key'\nThe stack trace is in {script.log}.\n"
    assert told.stderr == summary
    assert script.logged.endswith(summary)
    assert "Traceback (most recent call last)" in script.logged


def test_where_a_display_owns_the_terminal_the_job_leaves_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script(tmp_path, "raise DataError('no')")
    told = script.run(monkeypatch, terminal="1")
    assert (told.returncode, told.stderr) == (1, "")
    assert last_words(script.log)[0] == "attribute lrp_0: no"


@pytest.mark.parametrize("body", ["raise DataError('no')", "{}['key']"])
def test_a_reason_that_the_log_file_has_no_room_for_goes_to_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    script = Script(tmp_path, body)
    script.words[-1] = "/dev/full"
    told = script.run(monkeypatch, terminal="1")
    assert told.returncode == 1
    assert "ERROR: attribute lrp_0: " in told.stderr
    assert "No space left" not in told.stderr


def test_a_log_file_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Script(tmp_path, "raise DataError('no')").run(monkeypatch)
    script = Script(tmp_path, "pass")
    assert script.run(monkeypatch).returncode == 0
    assert script.logged == ""


def test_provenance_and_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(
        tmp_path,
        """
        import json
        record = this.provenance(chunk=3)
        print(json.dumps({key: record[key] for key in ("rule", "wildcards", "code", "seed", "device", "chunk")}))
        """,
    )
    assert script.run(monkeypatch).returncode == 0
    assert (
        '{"rule": "attribute", "wildcards": {"attribution": "lrp_0"}, "code": "0123", "seed": 7, "device": "cpu", '
        '"chunk": 3}'
    ) in script.logged
    assert "INFO: device: cpu" in script.logged


def test_progress_is_there_while_the_job_runs_and_gone_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(
        tmp_path,
        """
        from nn_interpretability.progress import read_progress
        assert read_progress(snakemake.log[0]) is None
        this.progress(1, 4, "steps")
        this.progress(2, 4, "steps")
        assert read_progress(snakemake.log[0]) == (1, 4, "steps"), "reports close together are left out"
        this.progress(4, 4, "steps")
        assert read_progress(snakemake.log[0]) == (4, 4, "steps"), "but the last one is not"
        """,
    )
    told = script.run(monkeypatch)
    assert told.returncode == 0, told.stderr
    assert not progress_file(script.log).exists()


def test_a_job_that_is_asked_to_end_tidies_up(tmp_path: Path) -> None:
    script = Script(
        tmp_path,
        """
        import time
        this.progress(1, 2)
        try:
            time.sleep(60)
        finally:
            print("tidied")
        """,
    )
    running = subprocess.Popen(script.words)
    while read_progress(script.log) is None:
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=30) == 128 + signal.SIGTERM
    assert script.logged == "tidied\n"
    assert not progress_file(script.log).exists()


@pytest.mark.parametrize("content", ["", "[1,", "[1, 2]", '{"a": 1}', "null"])
def test_a_report_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    progress_file(tmp_path / "a.log").write_text(content, encoding="utf-8")
    assert read_progress(tmp_path / "a.log") is None


def test_no_log_file_has_no_last_words(tmp_path: Path) -> None:
    assert last_words(tmp_path / "none.log") == ("", [])
