"""The idx reader takes what is right and refuses everything else in words."""

from __future__ import annotations

import contextlib
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_mnist import idx_bytes

from nn_interpretability.data.idx import read_idx
from nn_interpretability.errors import DataError

IMAGES = np.arange(3 * 28 * 28, dtype=np.uint16).astype(np.uint8).reshape(3, 28, 28)
CONTENT = idx_bytes(IMAGES)
HEADER = 16


def read(content: bytes) -> np.ndarray:
    return read_idx(content, name="some-images", item_shape=(28, 28))


def test_reads_the_format_as_it_is_published():
    by_hand = bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 255])
    assert read_idx(by_hand, name="labels", item_shape=()).tolist() == [7, 0, 255]


def test_last_dimension_changes_fastest():
    np.testing.assert_array_equal(read(CONTENT), IMAGES)
    assert read(CONTENT)[0, 0, :3].tolist() == [0, 1, 2]


def test_an_empty_file_of_pictures_is_a_file_of_no_pictures():
    assert read(idx_bytes(np.zeros((0, 28, 28), np.uint8))).shape == (0, 28, 28)


@given(position=st.integers(0, HEADER - 1), value=st.integers(0, 255))
def test_any_other_byte_in_the_header_is_refused(position: int, value: int):
    changed = bytearray(CONTENT)
    changed[position] = value
    if bytes(changed) == CONTENT:
        return
    with pytest.raises(DataError, match="some-images"):
        read(bytes(changed))


@given(length=st.integers(0, len(CONTENT) - 1))
def test_any_cut_is_refused(length: int):
    with pytest.raises(DataError, match="some-images"):
        read(CONTENT[:length])


@given(extra=st.binary(min_size=1, max_size=2000))
def test_anything_more_is_refused(extra: bytes):
    with pytest.raises(DataError, match="some-images"):
        read(CONTENT + extra)


@given(content=st.binary(max_size=64))
def test_no_bytes_at_all_lead_to_another_error(content: bytes):
    with contextlib.suppress(DataError):
        assert read(content).shape == (0, 28, 28)


def test_a_header_that_claims_terabytes_costs_no_memory():
    header = bytes([0, 0, 8, 3]) + b"\xff\xff\xff\xff" + bytes([0, 0, 0, 28, 0, 0, 0, 28])
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="4294967295 x 28 x 28"):
            read(header + bytes(100))
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


def test_pictures_of_another_size_are_refused():
    with pytest.raises(DataError, match="expected n x 28 x 28"):
        read(idx_bytes(np.zeros((4, 14, 14), np.uint8)))
    # as many bytes, cut up in another way
    with pytest.raises(DataError, match="28 x 3 x 28"):
        read(idx_bytes(np.zeros((28, 3, 28), np.uint8)))


def test_labels_are_no_pictures():
    with pytest.raises(DataError, match=r"begins with 00000801 .* expected 00000803"):
        read(idx_bytes(np.zeros(10_000, np.uint8)))
