"""Seeded, stratified choices: which pictures are for validation, which for a smaller run.

The random keys are raw words of a bit generator, whose stream NumPy guarantees, so a split stays the same
with later versions of NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.errors import ConfigError

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Row numbers of the training and the validation part, each in ascending order."""

    train: Indices
    validation: Indices


def first_of_class(labels: NDArray[np.int64]) -> Indices:
    """Row number of the first row of each class, in the order of the classes."""
    return np.unique(labels, return_index=True)[1].astype(np.int64)


def stratified_sample(
    labels: NDArray[np.int64], count: int, seed: Sequence[int], *, include: Indices | None = None
) -> Indices:
    """Choose rows at random so that the classes keep their shares.

    Each class gets its share of ``count``, rounded down; the rows still missing go to the classes with the
    largest remainders.

    Parameters
    ----------
    labels
        Class of each row.
    count
        How many rows to choose, at most as many as there are.
    seed
        Non-negative integers that name the random stream.
    include
        Rows that are chosen first, within their classes' shares.

    Returns
    -------
    ndarray of int64
        The chosen rows, ascending.
    """
    classes, members = np.unique(labels, return_inverse=True)
    sizes = np.bincount(members, minlength=len(classes))
    # in integers, so that no rounding of floating point decides who is chosen
    shares, remainders = np.divmod(sizes * count, len(labels))
    shares[np.argsort(-remainders, kind="stable")[: count - shares.sum()]] += 1
    keys = np.random.Philox(np.random.SeedSequence(list(seed))).random_raw(len(labels))
    later = np.ones(len(labels), dtype=bool)
    later[np.empty(0, dtype=np.int64) if include is None else include] = False
    order = np.lexsort((keys, later, members))
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(order[rank < shares[members[order]]])


def split_training(labels: NDArray[np.int64], *, validation_share: float, limit: int | None, seed: int) -> Split:
    """Split the rows of a training file into a training and a validation part.

    The first row of each class always goes to the training part: these are the pictures that are explained,
    and the study's nets had them in training.

    Parameters
    ----------
    labels
        Class of each row, in the order of the file.
    validation_share
        Share of the rows for validation, above 0 and at most 0.5.
    limit
        Use at most so many rows, both parts together; None for all.
    seed
        Seed of both choices.

    Raises
    ------
    ConfigError
        If the share or the limit leaves a part without pictures.
    """
    probes = first_of_class(labels)
    if not 0 < validation_share <= 0.5:
        raise ConfigError(f"data.validation_share is {validation_share}; allowed are numbers above 0, up to 0.5.")
    pool = np.arange(len(labels))
    if limit is not None and limit < len(pool):
        pool = stratified_sample(labels, limit, (seed, 1), include=probes)
    free = np.setdiff1d(pool, probes)
    count = round(validation_share * len(pool))
    if not 0 < count <= len(free) or not np.isin(probes, pool).all():
        raise ConfigError(
            f"data.train_limit is {limit}: {len(pool)} pictures of {len(probes)} classes cannot be cut into "
            f"a training and a validation part (data.validation_share is {validation_share}); "
            "use a limit of 100 or more."
        )
    validation = free[stratified_sample(labels[free], count, (seed, 2))]
    return Split(train=np.setdiff1d(pool, validation), validation=validation)


def limited(labels: NDArray[np.int64], limit: int | None, seed: int) -> Indices:
    """Choose at most ``limit`` rows of a test file, stratified; None for all.

    Raises
    ------
    ConfigError
        If the limit is below the number of classes.
    """
    if limit is None or limit >= len(labels):
        return np.arange(len(labels))
    if limit < len(np.unique(labels)):
        raise ConfigError(f"data.test_limit is {limit}; use at least one picture for each of the classes.")
    return stratified_sample(labels, limit, (seed, 3))
