"""The stroke of a 1 on drawn bars, whose slant, ends and ink are known."""

import numpy as np
import pytest
from scipy import ndimage

from nn_interpretability.claims.strokes import mean_where, strokes_of, turned_from_upright, upright_angles
from nn_interpretability.data.rotations import rotated


def bar(length: int = 18, width: int = 3) -> np.ndarray:
    """An upright bar of full ink in the middle of a picture of 28 x 28."""
    picture = np.zeros((28, 28))
    top, left = (28 - length) // 2, (28 - width) // 2
    picture[top : top + length, left : left + width] = 1
    return picture


def leaning(degrees: float) -> np.ndarray:
    """A smooth bar that leans to the right by so many degrees."""
    y, x = np.mgrid[:28, :28] - 13.5
    angle = np.deg2rad(degrees)
    along, across = x * np.sin(angle) - y * np.cos(angle), x * np.cos(angle) + y * np.sin(angle)
    return np.exp(-((along / 6) ** 2) - (across / 1.5) ** 2)


@pytest.mark.parametrize("degrees", [-60, -20, 0, 35, 80])
def test_the_angle_that_makes_a_leaning_bar_upright(degrees: float) -> None:
    (angle,) = upright_angles(leaning(degrees)[None])
    assert angle == pytest.approx(degrees, abs=0.5)
    turned = ndimage.rotate(leaning(degrees), angle, reshape=False, order=3)
    assert upright_angles(turned[None])[0] == pytest.approx(0, abs=0.5)


def test_a_picture_without_ink_is_upright() -> None:
    assert upright_angles(np.zeros((1, 28, 28))).tolist() == [0.0]


def test_pictures_are_made_upright_and_turned_from_there() -> None:
    pictures = np.stack([leaning(30), leaning(-10)])
    turned = turned_from_upright(pictures, [0, -40])
    assert turned.shape == (2, 2, 28, 28)
    assert turned.dtype == np.float32
    np.testing.assert_allclose(upright_angles(turned[0]), 0, atol=0.5)
    np.testing.assert_allclose(upright_angles(turned[1]), 40, atol=1)  # clockwise: they lean to the right


def test_a_stack_is_turned_picture_by_picture() -> None:
    pictures = np.stack([leaning(30), leaning(-10), bar()]).astype(np.float32)
    together = rotated(pictures, [0, -25])
    alone = np.stack([rotated(picture, [0, -25]) for picture in pictures], axis=1)
    np.testing.assert_array_equal(together, alone)


def test_the_ends_of_an_upright_bar() -> None:
    strokes = strokes_of(bar()[None], ink=0.1, radius=4)
    upper, lower = strokes.ends[0]
    rows = np.flatnonzero(upper.any(axis=1)), np.flatnonzero(lower.any(axis=1))
    assert rows[0].tolist() == [5, 6, 7, 8, 9]  # the first ink is in row 5
    assert rows[1].tolist() == [18, 19, 20, 21, 22]
    assert strokes.near.sum() == 30
    assert strokes.elsewhere.sum() == 24


def test_the_ends_turn_with_the_bar() -> None:
    turned = ndimage.rotate(bar(), 90, reshape=False, order=1)  # lies on its side
    strokes = strokes_of(turned[None].clip(0, 1), ink=0.1, radius=4)
    columns = np.flatnonzero(strokes.near[0].any(axis=0))
    assert columns.tolist() == [5, 6, 7, 8, 9, 18, 19, 20, 21, 22]


@pytest.mark.parametrize("degrees", [-40, 30])
def test_the_ends_of_a_leaning_bar(degrees: float) -> None:
    strokes = strokes_of(leaning(degrees)[None], ink=0.1, radius=2)
    y, x = np.mgrid[:28, :28] - 13.5
    upper, lower = ([(axis[end].mean()) for axis in (x, y)] for end in strokes.ends[0])
    reach = np.hypot(*upper)
    expected = reach * np.array([np.sin(np.deg2rad(degrees)), -np.cos(np.deg2rad(degrees))])
    np.testing.assert_allclose(upper, expected, atol=0.5)
    np.testing.assert_allclose(lower, -expected, atol=0.5)
    assert reach > 6


def test_faint_pixels_are_no_ink() -> None:
    picture = bar()
    picture[0, 13] = 0.05
    strokes = strokes_of(picture[None], ink=0.1, radius=4)
    assert np.flatnonzero(strokes.ends[0, 0].any(axis=1))[0] == 5


def test_only_strokes_with_enough_ink_elsewhere_are_long_enough() -> None:
    pictures = np.stack([bar(20), bar(18), bar(6), np.zeros((28, 28))])
    assert strokes_of(pictures, ink=0.1, radius=4).long_enough.tolist() == [True, False, False, False]
    assert len(strokes_of(pictures, ink=0.1, radius=4).chosen(np.array([True, False, True, False])).ink) == 2


@pytest.mark.parametrize("slant", [0.0, 25.0])
def test_pieces_have_the_ink_of_the_ends_and_spare_them(slant: float) -> None:
    pictures = ndimage.rotate(bar(24), -slant, reshape=False, order=1)[None].clip(0, 1)
    strokes = strokes_of(pictures, ink=0.1, radius=4)
    amount = pictures[strokes.near].sum()
    assert (pictures - strokes.without_ends()).sum() == pytest.approx(amount)
    pieces = strokes.without_pieces(5)
    assert pieces.shape == (5, 1, 28, 28)
    np.testing.assert_allclose((pictures - pieces).sum(axis=(1, 2, 3)), amount)
    for piece in pieces:
        np.testing.assert_array_equal(piece[strokes.near], pictures[strokes.near])
    gone = pictures - pieces
    centres = (gone * strokes.place).sum(axis=(1, 2, 3)) / amount
    assert (np.diff(centres) > 0).all()  # from the upper to the lower end
    assert centres[2] == pytest.approx(0, abs=0.3)


def test_a_piece_of_an_upright_bar() -> None:
    picture = bar(24)
    pieces = strokes_of(picture[None], ink=0.1, radius=4).without_pieces(3)  # 14 rows of 3 pixels, 10 of which go
    assert [np.flatnonzero((piece[0] < picture).any(axis=1)).tolist() for piece in pieces] == [
        list(range(7, 17)),
        list(range(9, 19)),
        list(range(11, 21)),
    ]


def test_means_over_chosen_pixels() -> None:
    values = np.arange(8.0).reshape(2, 2, 2)
    where = np.array([[[True, False], [True, False]], [[False, False], [False, False]]])
    assert mean_where(values, where).tolist() == [1.0, 0.0]
