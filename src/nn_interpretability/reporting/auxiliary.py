"""LaTeX's auxiliary files, kept from one build of the report to the next.

LaTeX learns of its references and page numbers by writing them down and running again, until it writes what it has
read.  From nothing that takes three runs, from the notes of the last build one, if no page has moved.  The report is
the same either way: a run is the last only if it wrote what it had read.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from nn_interpretability.reporting.sources import MAIN

_KEPT = tuple(MAIN.replace(".tex", suffix) for suffix in (".aux", ".bbl", ".fdb_latexmk", ".out", ".toc"))


def restore(file: Path, folder: Path) -> bool:
    """Put the auxiliary files of an earlier build into the folder of this one; tell whether there were any.

    A file that cannot be read is as good as none.
    """
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        found = {name: str(kept[name]) for name in _KEPT if name in kept}
    except (OSError, ValueError, TypeError):
        return False
    for name, text in found.items():
        (folder / name).write_text(text, encoding="utf-8")
    return bool(found)


def keep(folder: Path, file: Path) -> None:
    """Keep the auxiliary files of a build for the next; where that is impossible, the next one takes longer."""
    there = {name: folder / name for name in _KEPT if (folder / name).is_file()}
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    with suppress(OSError, UnicodeDecodeError):
        text = json.dumps({name: path.read_text(encoding="utf-8") for name, path in there.items()}, indent=0)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(file)
    with suppress(OSError):
        temporary.unlink(missing_ok=True)


def remove(folder: Path) -> None:
    """Remove auxiliary files, so that LaTeX begins from nothing."""
    for path in folder.glob(f"{Path(MAIN).stem}.*"):
        if path.name != MAIN:
            path.unlink()
