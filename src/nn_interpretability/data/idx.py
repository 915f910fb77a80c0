"""Reader for idx files, the format of MNIST.

Four bytes say what follows (two zeros, the type of the values, the number of dimensions), then each dimension
as a big-endian 32-bit integer, then the values, the last dimension changing fastest.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nn_interpretability.errors import DataError

UNSIGNED_BYTE = 0x08


def read_idx(content: bytes, *, name: str, item_shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read an idx file of unsigned bytes.

    Parameters
    ----------
    content
        The whole file, unpacked.
    name
        What messages call the file.
    item_shape
        Shape of one item: ``(28, 28)`` for MNIST's pictures, ``()`` for labels.

    Returns
    -------
    ndarray of uint8
        Shape ``(n, *item_shape)``; a read-only view of ``content``.

    Raises
    ------
    DataError
        If the header is not that of such a file, or does not fit the length of the file.
    """
    dimensions = 1 + len(item_shape)
    header = 4 + 4 * dimensions
    magic = bytes((0, 0, UNSIGNED_BYTE, dimensions))
    if len(content) < header or content[:4] != magic:
        raise DataError(
            f"{name} is not an idx file of unsigned bytes in {dimensions} dimensions: it begins with "
            f"{content[:4].hex() or 'nothing'} and has {len(content)} bytes; expected {magic.hex()} and at "
            f"least {header} bytes. Replace the file."
        )
    # Python integers: the product of four-byte numbers must not overflow before it is compared
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, header, 4))
    if shape[1:] != item_shape or math.prod(shape) != len(content) - header:
        raise DataError(
            f"{name} claims to hold {' x '.join(map(str, shape))} values and has {len(content) - header}, "
            f"expected {' x '.join(['n', *map(str, item_shape)])}. It is damaged or cut short; replace it."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)
