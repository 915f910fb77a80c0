"""Build .venv with the pinned Python packages and this package itself; do nothing if it is there already.

Run by make, with any Python that ``find_python.sh`` accepts; needs the standard library only. A note inside
.venv says what was installed, so that only a change of the pins, the dependencies, the Python or the place of
the checkout installs again.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
CONSTRAINTS = REPOSITORY / "envs" / "constraints.txt"
VENV = REPOSITORY / ".venv"
PYTHON = VENV / "bin" / "python"
NOTE = VENV / "installed.json"

UV = "uv==0.13.8"  # only the installer, several times faster than pip
# What is downloaded in all, by build of PyTorch, and what the tests add; measured on Linux x86-64.
SIZES = {"CPU": "about 370 MB", "CUDA": "about 2.9 GB", "test": "about 100 MB"}


def wanted_state(extras: Sequence[str]) -> dict[str, Any]:
    """Return what an environment must have been built from to be used as it is."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    parts = [project["build-system"], project["project"], CONSTRAINTS.read_text()]
    return {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "folder": str(REPOSITORY),
        "digest": hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest(),
        "extras": sorted(extras),
    }


def installed_state() -> dict[str, Any]:
    """Return the note in .venv, or an empty one where there is none or its Python no longer runs."""
    try:
        subprocess.run([PYTHON, "-c", ""], check=True, capture_output=True)
        state = json.loads(NOTE.read_text())
    except (OSError, ValueError, subprocess.CalledProcessError):
        return {}
    return state if isinstance(state, dict) else {}


def is_ready(installed: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether the installed environment has all that is wanted (more extras do no harm)."""
    same = all(installed.get(key) == wanted[key] for key in ("python", "folder", "digest"))
    return same and set(wanted["extras"]) <= set(installed["extras"])


def uv_settings(pip_config: str) -> dict[str, str]:
    """Translate the output of ``pip config list`` to the variables of uv, which reads no settings of pip.

    A setting from the environment comes before one for ``pip install``, and that before a global one. Like pip, uv
    then trusts the certificates of the system, and takes the best version of all indexes.
    """
    values: dict[str, str] = {}
    lines = [line.partition("=") for line in pip_config.splitlines() if "='" in line]
    for section in ("global", "install", ":env:"):
        for key, _, value in lines:
            if key.startswith(f"{section}."):
                values[key.removeprefix(f"{section}.")] = ast.literal_eval(value)
    names = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "cert": "SSL_CERT_FILE"}
    settings = {names[key]: " ".join(value.split()) for key, value in values.items() if key in names}
    settings |= {"UV_SYSTEM_CERTS": "true", "UV_INDEX_STRATEGY": "unsafe-best-match"}
    if "find-links" in values:
        settings["UV_FIND_LINKS"] = ",".join(values["find-links"].split())
    return settings


def say(text: str) -> None:
    print(text, flush=True)


def create() -> None:
    """Make an empty .venv, unless there is one with the same Python that runs."""
    probe = "import sys; print('%d.%d' % sys.version_info[:2])"
    if PYTHON.exists():
        found = subprocess.run([PYTHON, "-c", probe], capture_output=True, text=True, check=False)
        if found.stdout.strip() == wanted_state([])["python"]:
            return
        say("The environment .venv is broken or of another Python and is built again.")
    subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)


def requirement(extras: Sequence[str]) -> list[str]:
    folder = f"{REPOSITORY}[{','.join(extras)}]" if extras else str(REPOSITORY)
    return ["--constraint", str(CONSTRAINTS), "--editable", folder]


def install_with_uv(extras: Sequence[str]) -> bool:
    """Install with uv; return False, having said so, where that is not possible."""
    pip = [str(PYTHON), "-m", "pip"]
    if subprocess.run([*pip, "install", "--quiet", UV], check=False).returncode != 0:
        say(f"{UV} could not be installed, so plain pip is used, which takes longer.")
        return False
    config = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False).stdout
    environment = uv_settings(config) | os.environ
    command = [str(PYTHON), "-m", "uv", "pip", "install", "--python", str(PYTHON)]
    command += [*requirement(extras), "--build-constraint", str(CONSTRAINTS)]
    plan = subprocess.run([*command, "--dry-run"], env=environment, capture_output=True, text=True, check=False)
    say(plan.stderr.strip() if plan.returncode else describe(plan.stderr))
    if not plan.returncode:
        done = subprocess.run([*command, "--quiet", "--compile-bytecode"], env=environment, check=False)
        if not done.returncode:
            return True
    say("uv could not install the packages (see above), so plain pip is tried.")
    return False


def describe(plan: str) -> str:
    """Say which packages uv is about to download, given the output of its dry run."""
    lines = [line.strip() for line in plan.splitlines()]
    count = next((line for line in lines if line.startswith("Would download")), None)
    if count is None:
        return "Nothing has to be downloaded."
    build = "CUDA" if any(line.startswith("+ nvidia-") for line in lines) else "CPU"
    text = f"To download now: {count.removeprefix('Would download ')}, with the {build} build of PyTorch."
    if build == "CUDA" and not (Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi")):
        text += "\nNo NVIDIA GPU is visible here: the CPU build would do, see 'A smaller PyTorch' in README.md."
    return text


def install_with_pip(extras: Sequence[str]) -> bool:
    command = [str(PYTHON), "-m", "pip", "install", *requirement(extras)]
    environment = os.environ | {"PIP_CONSTRAINT": str(CONSTRAINTS)}  # reaches the build of the package, too
    return subprocess.run(command, env=environment, check=False).returncode == 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Build or complete the environment; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--extra", action="append", default=[], help="optional dependencies, for instance test")
    extras: list[str] = parser.parse_args(arguments).extra
    installed = installed_state()
    if is_ready(installed, wanted_state(extras)):
        return 0
    extras = sorted({*extras, *installed.get("extras", [])})
    start = time.monotonic()
    say("Building .venv from the packages that envs/constraints.txt pins. To download, less what was before:")
    tests = f", and {SIZES['test']} for what only the tests need" if "test" in extras else ""
    say(f"{SIZES['CPU']} with a CPU build of PyTorch, {SIZES['CUDA']} with the CUDA build (PyPI's on Linux){tests}.")
    create()
    NOTE.unlink(missing_ok=True)
    if not install_with_uv(extras) and not install_with_pip(extras):
        say("The Python packages could not be installed; the reason is above. Nothing else has been started.")
        say("Check the network and the disk, and give the same command again: it goes on where it stopped.")
        return 1
    NOTE.write_text(json.dumps(wanted_state(extras), indent=2) + "\n")
    say(f"The Python packages are in place after {time.monotonic() - start:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
