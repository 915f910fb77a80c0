"""Turns of 150 pictures at nine angles whose peak is in the middle, or at the end."""

import numpy as np

SHAPE = (2, 150, 9)


def turns(centre: float, width: float = 2.0) -> np.ndarray:
    """Bumps around a place of the turn, wherever each picture has its own, with noise; between 0 and 1."""
    rng = np.random.default_rng(0)
    places = centre + width * rng.standard_normal((1, SHAPE[1], 1))
    bump = np.exp(-(((np.arange(SHAPE[2]) - places) / 3) ** 2))
    return (0.8 * bump + 0.05 * rng.standard_normal(SHAPE) + 0.1).clip(0, 1)
