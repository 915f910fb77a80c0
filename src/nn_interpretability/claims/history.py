"""When each rule was fixed: the commit in which its digest first appeared."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from nn_interpretability.claims.rules import rules_file


def first_commits(digests: Iterable[str], file: Path | None = None) -> dict[str, str]:
    """The first commit that has each digest in the file of rules, 12 digits.

    Parameters
    ----------
    digests
        Of the rules.
    file
        The file; None for the project's own.

    Returns
    -------
    dict
        By digest; ``"unknown"`` where there is no repository, ``"not committed"`` for a rule that is not in it.
    """
    file = rules_file() if file is None else file
    return {digest: _first_commit(digest, file) for digest in digests}


def _first_commit(digest: str, file: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-C", str(file.parent), "log", "--reverse", "--format=%H", "-S", digest, "--", file.name]
    try:
        found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return found.stdout.split("\n", 1)[0][:12] or "not committed"
