"""See to the LaTeX that the PDF report needs: look for it, and install Debian packages where that is allowed.

Run by make before anything is computed; needs the standard library only. ``envs/apt.txt`` lists each package
with a file or command that shows that it is there, so that any TeX distribution is recognised.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PACKAGES = Path(__file__).resolve().parent.parent / "envs" / "apt.txt"


def read_packages(path: Path) -> dict[str, str]:
    """Return for each Debian package the file or command that shows that it is there."""
    packages = {}
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            package, proof = line.split()
            packages[package] = proof
    return packages


def missing_packages(packages: Mapping[str, str]) -> dict[str, str]:
    """Return those of the packages whose file or command is not found."""
    return {package: proof for package, proof in packages.items() if not is_there(proof)}


def is_there(proof: str) -> bool:
    if not proof.endswith(".sty"):
        return shutil.which(proof) is not None
    if shutil.which("kpsewhich") is None:
        return False
    return subprocess.run(["kpsewhich", proof], capture_output=True, check=False).returncode == 0


def privilege() -> list[str] | None:
    """Return what is written before a command to run it as root: nothing or sudo; None if neither works."""
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    if shutil.which("sudo") and subprocess.run([*sudo, "true"], capture_output=True, check=False).returncode == 0:
        return sudo
    return None


def why_not_installed(apt: str) -> str | None:
    """Return why the packages are not installed from here; None if they can be."""
    if apt == "no":
        return "They are not installed from here because of APT=no."
    if shutil.which("apt-get") is None:
        return "They are not installed from here because this system has no apt-get."
    if privilege() is None:
        return "They are not installed from here because that needs root or sudo without a password."
    return None


def install(names: Sequence[str]) -> bool:
    """Install Debian packages, and say before how much is downloaded; return whether that went well."""
    apt = [*(privilege() or []), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet=2"]
    print(f"Installing Debian packages for the PDF report: {' '.join(names)} (APT=no leaves the system alone).")
    print("First apt-get update: about 10 MB of package lists.", flush=True)
    if subprocess.run([*apt, "update"], check=False).returncode != 0:
        return False
    command = [*apt, "install", "--yes", "--no-install-recommends"]
    plan = subprocess.run([*command, "--print-uris", *names], capture_output=True, text=True, check=False)
    sizes = [int(line.split()[2]) for line in plan.stdout.splitlines() if line.startswith("'")]
    print(f"Now {len(sizes)} packages, {sum(sizes) / 1e6:.0f} MB to download.", flush=True)
    done = subprocess.run([*command, *names], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        print(done.stdout.decode(errors="replace"), flush=True)
    return done.returncode == 0


def message(missing: Mapping[str, str], reason: str, consequence: str) -> str:
    """Say what is missing, why it was not installed, and what can be done."""
    return "\n".join(
        [
            f"The PDF report needs LaTeX, and these parts of it are missing: {', '.join(missing.values())}.",
            f"{reason} {consequence}",
            "What can be done:",
            f"  sudo apt-get install --no-install-recommends {' '.join(missing)}",
            "      on Debian and Ubuntu (about 190 MB for all of them)",
            "  install TeX Live with these parts in the way of another system",
            "  make report-html",
            "      all figures and numbers, and results/report/report.zip, without LaTeX",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Look, install if need be and allowed, look again; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--apt", choices=["yes", "no"], default="yes", help="may Debian packages be installed?")
    parser.add_argument("--optional", action="store_true", help="go on without LaTeX, and say so")
    options = parser.parse_args(arguments)
    missing = missing_packages(read_packages(PACKAGES))
    if not missing:
        return 0
    reason = why_not_installed(options.apt)
    if reason is None:
        done = install(list(missing))
        missing = missing_packages(missing)
        if not missing:
            return 0
        reason = "apt-get has installed the packages, but not these." if done else "apt-get failed, see above."
    consequence = "The tests that need it are skipped." if options.optional else "Nothing has been computed."
    print(message(missing, reason, consequence), file=sys.stderr, flush=True)
    return 0 if options.optional else 1


if __name__ == "__main__":
    sys.exit(main())
