"""How many examples a fault test tries: a few hundred in every run, ten thousand in ``make test-all``."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

FEW, MANY = 300, 10_000

volumes: Callable[[Any], Any] = pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
"""Runs a test, which has an argument ``count``, with few examples, and with many where slow tests are wanted."""


@contextmanager
def words_of(*errors: type[Exception]) -> Iterator[list[str]]:
    """Gives a list that has the words of the error, if there was one of these; any other error goes on its way."""
    told: list[str] = []
    try:
        yield told
    except errors as error:
        told.append(str(error))
    assert all(words.strip() for words in told), "an error without a word"


def generators(count: int, seed: int = 2020) -> Iterator[random.Random]:
    """Random numbers for each example; a failing one is made again by its number alone."""
    for number in range(count):
        yield random.Random(f"{seed}/{number}")


def mutated(content: bytes, rng: random.Random) -> bytes:
    """A file with one to four mistakes: bits flipped, bytes inserted, removed, repeated or set, or the end cut off."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(changed) + 1)
        length = rng.choice((1, 1, 2, 4, 16, 200))
        kind = rng.randrange(6)
        if kind == 0 and changed:
            changed[place % len(changed)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[place:place] = rng.randbytes(length)
        elif kind == 2:
            del changed[place : place + length]
        elif kind == 3:
            changed[place:place] = changed[place : place + length]
        elif kind == 4:
            changed[place : place + length] = bytes([rng.choice((0, 0x20, 0x7F, 0xFF))]) * length
        else:
            del changed[place:]
    return bytes(changed)
