"""Pictures that are no digits of the kind a network was trained on, to ask it how sure it is of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.data import embedded
from nn_interpretability.data.digits import Digits

Pictures = NDArray[np.uint8]

# A quarter turn leaves these what they are, or nearly.
_UNCHANGED_BY_A_TURN = (0, 8)


def foreign_pictures(digits: Digits, count: int, seed: int) -> dict[str, Pictures]:
    """Foreign pictures by kind.

    Parameters
    ----------
    digits
        The digits of the study; their test part is what is turned and shuffled.
    count
        At most so many of each kind.
    seed
        Of the shuffling.

    Returns
    -------
    dict
        uint8 ``(n, height, width)``: ``"turned"``, digits other than 0 and 8 by a quarter turn; ``"shuffled"``, digits
        with their pixels in random order, so that brightness is all they share with digits; ``"other_source"``, digits
        by other writers through another scanner (scikit-learn's), which are foreign but do have a right answer; left
        out where they are the digits of the study themselves.
    """
    pictures, labels = digits.test_images[:count], digits.test_labels[:count]
    kinds = {
        "turned": np.rot90(pictures[~np.isin(labels, _UNCHANGED_BY_A_TURN)], axes=(1, 2)).copy(),
        "shuffled": _shuffled(pictures, seed),
    }
    if digits.source != "embedded":
        from sklearn.datasets import load_digits

        cells = load_digits(return_X_y=True)[0][:count]
        kinds["other_source"] = embedded.redraw(cells.reshape(-1, 8, 8) / 16)
    return kinds


def _shuffled(pictures: Pictures, seed: int) -> Pictures:
    generator = np.random.Generator(np.random.Philox(seed))
    return generator.permuted(pictures.reshape(len(pictures), -1), axis=1).reshape(pictures.shape)
