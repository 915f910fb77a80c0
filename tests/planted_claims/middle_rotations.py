"""Entropies that peak in the middle of the turn, or towards its end."""

from nn_interpretability.claims.samples import Measured
from nn_interpretability.storage.hdf5 import Array
from planted_claims.turns import turns


def _measured(centre: float) -> Measured:
    entropy = turns(centre)
    return {
        "entropy": Array(entropy, ("seed", "image", "angle")),
        "entropy_of_the_studys_digit": Array(entropy[:, 0], ("seed", "angle")),
    }


def true() -> Measured:
    return _measured(4)


def false() -> Measured:
    return _measured(8)
