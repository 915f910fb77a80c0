"""A card for each job on a machine with several, by locks that the kernel frees when a job ends, however it ends.

Slurm gives each job a card by itself, and shows it no other. Where Snakemake starts the jobs on one machine,
``--resources gpu=4`` says how many may run at once, but not which job has which card. A job then *leases* one:
it takes an exclusive ``flock`` on the file of the first free card, and keeps the others out of its own sight through
``CUDA_VISIBLE_DEVICES``, before CUDA starts. Leases belong to a person on a machine, so two runs in
different folders share the cards as well.
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from nn_interpretability.errors import LockedError

__all__ = ["CARDS_VARIABLE", "Lease", "lease_card", "lease_folder", "visible_cards"]

LOGGER = logging.getLogger(__name__)
CARDS_VARIABLE = "CUDA_VISIBLE_DEVICES"
_SECONDS_BETWEEN_TRIES = 0.5


class Lease:
    """One card, held until :meth:`release` or the end of the process.

    Attributes
    ----------
    card
        The card, as ``CUDA_VISIBLE_DEVICES`` names it.
    """

    def __init__(self, card: str, descriptor: int) -> None:
        self.card = card
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Give the card back; calling it again does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def visible_cards(machine_cards: int) -> list[str]:
    """Return the cards that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them.

    Parameters
    ----------
    machine_cards
        The number of cards of the machine, which counts where the variable is not set.
    """
    named = os.environ.get(CARDS_VARIABLE)
    if named is None:
        return [str(number) for number in range(machine_cards)]
    return [card.strip() for card in named.split(",") if card.strip()]


def lease_folder() -> Path:
    """Return the folder of this person's leases on this machine, made if need be.

    Raises
    ------
    LockedError
        Somebody else has put something there.
    """
    folder = Path(tempfile.gettempdir(), f"nn_interpretability-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise LockedError(
            f"{folder}, where leases of GPUs lie, is not a folder of yours; remove it, or set TMPDIR to another folder."
        )
    return folder


def lease_card(cards: Sequence[str], folder: Path) -> Lease:
    """Take the first free card; wait while there is none, and say so once.

    Parameters
    ----------
    cards
        The cards to choose from; at least one.
    folder
        Where the files lie whose locks are the leases.
    """
    if not cards:
        raise ValueError("there is no card to lease; ask for one only where the machine has some.")
    has_told = False
    while True:
        for card in cards:
            descriptor = _try(folder / f"card-{card.replace('/', '_')}")
            if descriptor is not None:
                return Lease(card, descriptor)
        if not has_told:
            LOGGER.warning(
                "all %d GPUs of this machine are leased: waiting for one (--resources gpu=%d keeps a run to so many)",
                len(cards),
                len(cards),
            )
            has_told = True
        time.sleep(_SECONDS_BETWEEN_TRIES)


def _try(file: Path) -> int | None:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
