"""The tools behind `make`: finding Python, building .venv, seeing to LaTeX, and what each says when it cannot."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tools_{name}", TOOLS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


environment = load("environment")
latex = load("latex")


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def a_python(folder: Path, name: str, version: str, complete: bool = True) -> Path:
    """A program that says of itself, to whoever asks in Python, that it is Python ``version``."""
    numbers = ", ".join(version.split("."))
    hide = "" if complete else "sys.modules['ensurepip'] = None;"
    start = f"import sys; sys.version_info = ({numbers}, 0); {hide}"
    return program(folder, name, f'shift; code="$1"; shift; exec "{sys.executable}" -c "{start}\n$code" "$@"')


# find_python.sh


def find_python(tmp_path: Path, *named: str) -> subprocess.CompletedProcess[str]:
    """Run the tool where only the programs in ``tmp_path/bin`` and the shell's own are found."""
    shell = shutil.which("sh")
    cat = shutil.which("cat")
    assert shell is not None
    assert cat is not None
    program(tmp_path / "bin", "cat", f'exec "{cat}" "$@"')
    command = [shell, str(TOOLS / "find_python.sh"), *named]
    path = {"PATH": str(tmp_path / "bin")}
    return subprocess.run(command, env=path, cwd=tmp_path, capture_output=True, text=True, check=False)


def test_the_first_python_that_fits_is_taken(tmp_path: Path) -> None:
    a_python(tmp_path / "bin", "python3", "3.10")
    a_python(tmp_path / "bin", "python3.12", "3.12")
    assert find_python(tmp_path).stdout.strip() == "python3.12"


def test_the_python_of_an_existing_environment_is_kept(tmp_path: Path) -> None:
    a_python(tmp_path / "bin", "python3", "3.13")
    (tmp_path / ".venv").mkdir()
    a_python(tmp_path / ".venv" / "bin", "python", "3.12")
    assert find_python(tmp_path).stdout.strip() == ".venv/bin/python"
    assert find_python(tmp_path, "python3").stdout.strip() == "python3"


@pytest.mark.parametrize("version", ["3.10", "3.14"])
def test_a_python_outside_of_the_range_is_named(tmp_path: Path, version: str) -> None:
    a_python(tmp_path / "bin", "python3", version)
    done = find_python(tmp_path)
    assert done.returncode == 1
    assert f"python3 is Python {version}; 3.11, 3.12 or 3.13 is needed" in done.stderr
    assert "python3.12 is" not in done.stderr


def test_a_python_without_ensurepip_is_named_with_the_debian_package(tmp_path: Path) -> None:
    a_python(tmp_path / "bin", "python3", "3.12", complete=False)
    done = find_python(tmp_path)
    assert done.returncode == 1
    assert "python3-venv or python3.12-venv" in done.stderr


def test_a_named_python_that_is_not_there_is_not_replaced_by_another(tmp_path: Path) -> None:
    a_python(tmp_path / "bin", "python3", "3.12")
    done = find_python(tmp_path, "/no/such/python")
    assert done.returncode == 1
    assert "/no/such/python is not there" in done.stderr


# environment.py


def test_an_environment_is_ready_only_if_it_was_built_from_the_same() -> None:
    wanted = environment.wanted_state([])
    assert environment.is_ready(wanted, wanted)
    assert environment.is_ready(wanted | {"extras": ["test"]}, wanted)
    assert not environment.is_ready(wanted, environment.wanted_state(["test"]))
    assert not environment.is_ready({}, wanted)
    for key in ("python", "folder", "digest"):
        assert not environment.is_ready(wanted | {key: "another"}, wanted)


def test_another_pin_asks_for_another_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = environment.wanted_state([])
    changed = tmp_path / "constraints.txt"
    changed.write_text(environment.CONSTRAINTS.read_text() + "another==1.0\n")
    monkeypatch.setattr(environment, "CONSTRAINTS", changed)
    assert environment.wanted_state([])["digest"] != before["digest"]


def test_a_ready_environment_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    note = tmp_path / "installed.json"
    note.write_text(json.dumps(environment.wanted_state(["test"])))
    monkeypatch.setattr(environment, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(environment, "NOTE", note)
    assert environment.main([]) == 0
    assert capfd.readouterr().out == ""


def test_a_damaged_note_counts_as_no_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = tmp_path / "installed.json"
    note.write_text('{"python": ')
    monkeypatch.setattr(environment, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(environment, "NOTE", note)
    assert environment.installed_state() == {}


def test_a_failed_installation_says_so_and_leaves_no_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "PYTHON", tmp_path / "python")
    monkeypatch.setattr(environment, "NOTE", tmp_path / "installed.json")
    monkeypatch.setattr(environment, "create", lambda: None)
    monkeypatch.setattr(environment, "install_with_uv", lambda extras: False)
    monkeypatch.setattr(environment, "install_with_pip", lambda extras: False)
    assert environment.main([]) == 1
    said = capfd.readouterr().out
    assert said.index("To download") < said.index("could not be installed")
    assert not (tmp_path / "installed.json").exists()


def test_the_settings_of_pip_reach_uv_and_the_environment_comes_first() -> None:
    config = dedent("""\
        :env:.find-links='/wheels'
        global.find-links='/other'
        global.extra-index-url='https://one.example/simple\\nhttps://two.example/simple'
        install.index-url='https://main.example/simple'
        global.cert='/certificates.pem'
        global.timeout='60'
    """)
    settings = environment.uv_settings(config)
    assert settings["UV_FIND_LINKS"] == "/wheels"
    assert settings["UV_INDEX"] == "https://one.example/simple https://two.example/simple"
    assert settings["UV_DEFAULT_INDEX"] == "https://main.example/simple"
    assert settings["SSL_CERT_FILE"] == "/certificates.pem"


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ("Resolved 3 packages\n + numpy==2.4.6", "Nothing has to be downloaded."),
        ("Would download 3 packages\n + torch==2.13.0+cpu", "3 packages, with the CPU build"),
        ("Would download 9 packages\n + nvidia-cublas==1.0\n + torch==2.13.0", "9 packages, with the CUDA build"),
    ],
)
def test_what_is_downloaded_is_said(plan: str, said: str) -> None:
    assert said in environment.describe(plan)


# latex.py


@pytest.fixture
def no_latex(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latex, "is_there", lambda proof: False)


@pytest.mark.usefixtures("no_latex")
@pytest.mark.parametrize(
    ("arguments", "privilege", "reason"),
    [
        (["--apt", "no"], [], "because of APT=no"),
        ([], None, "needs root or sudo without a password"),
    ],
)
def test_missing_latex_that_may_not_be_installed_is_an_error_with_ways_out(
    arguments: list[str],
    privilege: list[str] | None,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(latex, "privilege", lambda: privilege)
    monkeypatch.setattr(latex.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(latex, "install", lambda names: pytest.fail("the system was to be left alone"))
    assert latex.main(arguments) == 1
    said = capfd.readouterr().err
    assert reason in said
    for package in latex.read_packages(latex.PACKAGES):
        assert package in said
    assert "make report-html" in said
    assert latex.main([*arguments, "--optional"]) == 0
    assert "are skipped" in capfd.readouterr().err


@pytest.mark.usefixtures("no_latex")
def test_an_installation_that_fails_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(latex, "why_not_installed", lambda apt: None)
    monkeypatch.setattr(latex, "install", lambda names: False)
    assert latex.main([]) == 1
    assert "apt-get failed" in capfd.readouterr().err


def test_latex_that_is_there_is_met_with_silence(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(latex, "is_there", lambda proof: True)
    monkeypatch.setattr(latex, "install", lambda names: pytest.fail("nothing was missing"))
    assert latex.main(["--apt", "no"]) == 0
    assert capfd.readouterr() == ("", "")


def test_packages_are_installed_through_sudo_and_their_size_is_said_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """With a stand-in for apt-get that prints two addresses with their sizes, as --print-uris does."""
    log = tmp_path / "log"
    program(tmp_path / "bin", "sudo", f'echo "sudo $*" >> {log}; shift; exec "$@"')
    program(
        tmp_path / "bin",
        "apt-get",
        'case "$*" in *--print-uris*) echo "\'a\' a.deb 3000000 -"; echo "\'b\' b.deb 4000000 -";; esac',
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(latex.os, "geteuid", lambda: 1000)
    assert latex.install(["latexmk", "lmodern"])
    assert "2 packages, 7 MB to download" in capfd.readouterr().out
    asked, updated, planned, installed = log.read_text().splitlines()
    assert asked == "sudo -n true"
    assert updated.endswith("apt-get --quiet=2 update")
    assert "--print-uris" in planned
    assert installed.endswith("install --yes --no-install-recommends latexmk lmodern")


def test_each_debian_package_has_a_proof() -> None:
    packages = latex.read_packages(latex.PACKAGES)
    assert packages["latexmk"] == "latexmk"
    assert len(set(packages.values())) == len(packages)


# Makefile


def test_make_help_lists_the_targets() -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    done = subprocess.run([make, "help"], cwd=TOOLS.parent, capture_output=True, text=True, check=True)
    for target in ("report", "report-html", "smoke", "test", "check", "clean"):
        assert f"  make {target} " in done.stdout
