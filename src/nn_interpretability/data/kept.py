"""What was made with data of the user's stays when the data go away: it is not replaced by what can be made without.

The products themselves say what they were made with, so that a copy of them says it, too.
"""

from __future__ import annotations

import json
import logging
from functools import cache
from pathlib import Path
from typing import Any

LOGGER = logging.getLogger("nn_interpretability")


def record(path: Path | str) -> dict[str, Any]:
    """A JSON object that an earlier run left; nothing if there is none that can be read."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def with_weights(measured: Path | str) -> bool:
    """Whether numbers of the study's networks are in a file of schema ``replication/1``."""
    return bool(record(measured).get("measured"))


def with_photographs(numbers: Path | str, calibration: str) -> bool:
    """Whether the numbers of a calibration are also those of photographs."""
    shown = record(numbers).get(f"calibration.{calibration}.photographs.shown")
    return isinstance(shown, dict) and shown.get("value") == "yes"


@cache  # several jobs ask the same, and one warning says it
def kept(found: bool, before: bool, what: str) -> bool:
    """Whether data are there, or were: data that turn up are a reason to run a job again, data that went away are not.

    Parameters
    ----------
    found, before
        Whether they are there now, and whether the job's product was made with them.
    what
        The data, for a warning that they are gone.
    """
    if before and not found:
        LOGGER.warning("%s are no longer there; what was made with them is kept", what)
    return found or before


def refusal(product: Path | str) -> str:
    """Why nothing is run, if it would replace a product by one that is made without such data."""
    return (
        f"{product} was made with data that are no longer there (see above), and would have to be made anew without "
        "them; nothing was run. Make the data available again (data.local, NN_INTERPRETABILITY_DATA), or remove the "
        "file to go on without them."
    )
