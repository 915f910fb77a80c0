"""Toys: the answers that can be worked out by hand, from the job to the tables of the report."""

from __future__ import annotations

import re
from pathlib import Path

import known_values
import numpy as np
import pytest
from matplotlib.image import imread
from scipy.signal import convolve2d

from nn_interpretability.errors import ConfigError
from nn_interpretability.plotting.figures import draw, read_figure
from nn_interpretability.plotting.style import TEXT_WIDTH_CM
from nn_interpretability.plotting.toys_data import ToyCurves
from nn_interpretability.reporting import toy_tables
from nn_interpretability.storage.hdf5 import Product, read_hdf5
from nn_interpretability.storage.product import read_json
from nn_interpretability.study import lecture
from nn_interpretability.study.figures import assemble
from nn_interpretability.study.numbers import numbers_of_figure
from nn_interpretability.study.toys import METHODS, PAIR_METHODS, run_toys


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toys")
    run_toys(folder / "toys.h5", folder / "toys.json", name="mine", steps=41, points=600, provenance={"rule": "toys"})
    return folder


@pytest.fixture(scope="module")
def product(folder: Path) -> Product:
    return read_hdf5(folder / "toys.h5", schema="toys/1")


def answer(product: Product, toy: str, method: str) -> list[float]:
    return [float(value) for value in product.arrays[f"{toy}_answers"].values[list(METHODS).index(method)]]


# Shrikumar et al. 2017, figures 1 to 3 and section 3.5; the published rules by the study's own classes.
ANSWERS = {
    ("saturation", "input_x_gradient"): (0, 0),
    ("saturation", "occlusion"): (0, 0),
    ("saturation", "integrated_gradients"): (0.5, 0.5),
    ("saturation", "deeplift_rescale"): (0.5, 0.5),
    ("saturation", "deeplift_reveal_cancel"): (0.5, 0.5),
    ("saturation", "deeplift_rescale_published"): (0, 0),
    ("saturation", "deeplift_reveal_cancel_published"): (0, 0),
    ("threshold", "input_x_gradient"): (12,),
    ("threshold", "lrp_0"): (12,),
    ("threshold", "lrp_epsilon"): (2 * 12 / (2 + 0.25),),
    ("threshold", "integrated_gradients"): (2,),
    ("threshold", "deeplift_rescale"): (2,),
    ("thresholded", "deeplift_rescale"): (0, 0),
    ("thresholded", "deeplift_reveal_cancel"): (0.5, -0.5),
    ("thresholded", "occlusion"): (0, -1),
    ("minimum", "integrated_gradients"): (0, 1),
    ("minimum", "deeplift_rescale"): (0, 1),
    ("minimum", "deeplift_reveal_cancel"): (0.5, 0.5),
    ("minimum", "occlusion"): (1, 1),
}


@pytest.mark.parametrize(("toy", "method"), ANSWERS)
def test_answers_are_those_worked_out_by_hand(product: Product, toy: str, method: str) -> None:
    assert answer(product, toy, method) == pytest.approx(ANSWERS[toy, method], abs=1e-12)


# Sundararajan et al. 2017, figure 7: for DeepLIFT and for LRP (whose biases take nothing) f and g differ.
PAIR = {
    "gradient": ((1, -1), (1, -1)),
    "integrated_gradients": ((1.5, -0.5), (1.5, -0.5)),
    "deeplift_rescale": ((1.5, -0.5), (2, -1)),
    "lrp_0": ((3, -1), (3, -1)),
    "lrp_0_ignore": ((1.5, -0.5), (2, -1)),
}


@pytest.mark.parametrize("method", PAIR)
def test_two_networks_of_one_function(product: Product, method: str) -> None:
    found = product.arrays["pair_answers"].values[:, list(PAIR_METHODS).index(method)]
    np.testing.assert_allclose(found, PAIR[method], atol=1e-12)


@pytest.mark.parametrize("method", ["integrated_gradients", "deeplift_rescale", "deeplift_reveal_cancel"])
@pytest.mark.parametrize("toy", ["saturation", "threshold", "thresholded", "minimum"])
def test_shares_of_complete_methods_sum_to_what_the_score_gained(product: Product, toy: str, method: str) -> None:
    shares = product.arrays[f"{toy}_values"].values[list(METHODS).index(method)].sum(axis=1)
    gap = np.abs(shares - product.arrays[f"{toy}_score"].values).max()
    # The path of integrated gradients is a sum over 600 points, and a kink lies between two of them.
    assert gap < (20 / 600 if method == "integrated_gradients" else 1e-12)


def test_the_lectures_relu_is_that_of_the_slides() -> None:
    found = lecture.lecture_matrices()
    assert lecture.RELU_INPUT == known_values.RELU_INPUT
    assert lecture.RELU_ABOVE == known_values.RELU_GRADIENT_FROM_ABOVE
    for name, wanted in (
        ("relu_gradient", known_values.RELU_GRADIENT),
        ("relu_deconvolution", known_values.RELU_DECONVOLUTION),
        ("relu_guided", known_values.RELU_GUIDED),
    ):
        np.testing.assert_array_equal(found[name], wanted)


def test_pooling_and_convolution_go_backwards_as_formulas_say() -> None:
    found = {name: matrix.numpy() for name, matrix in lecture.lecture_matrices().items()}
    assert found["pool_gradient"].sum() == found["pool_above"].sum()
    for y, x in np.ndindex(2, 2):
        window = np.s_[2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        place = found["pool_input"][window].argmax()
        np.testing.assert_array_equal(np.flatnonzero(found["pool_gradient"][window]), [place])
    whole = convolve2d(found["convolution_above"], found["convolution_kernel"])  # scipy flips the kernel itself
    np.testing.assert_array_equal(found["convolution_gradient"], whole)
    np.testing.assert_array_equal(found["convolution_again"], whole)


def test_the_figure_holds_what_the_job_found(folder: Path, product: Product) -> None:
    data, numbers = folder / "figure.h5", folder / "figure_numbers.json"
    definition = {"kind": "toys", "panels": ["mine"]}
    assemble("toys", {"mine": folder / "toys.h5"}, data, definition=definition, provenance={})
    found = read_figure(data)
    assert isinstance(found, ToyCurves)
    assert found.methods == METHODS
    for column in found.columns:
        np.testing.assert_array_equal(column.values, product.arrays[f"{column.name}_values"].values)
    draw(data, folder / "f.pdf", folder / "f.png", folder / "f.json", provenance={})
    assert imread(folder / "f.png").shape[1] == round(TEXT_WIDTH_CM * 100)
    assert read_json(folder / "f.json")["facts"]["methods"] == METHODS
    numbers_of_figure(data, numbers)
    assert read_json(numbers) == {}


def test_a_figure_shows_the_toys_of_one_job(folder: Path) -> None:
    both = {"one": folder / "toys.h5", "two": folder / "toys.h5"}
    with pytest.raises(ConfigError, match="of one job, not of one, two"):
        assemble("toys", both, folder / "f.h5", definition={"kind": "toys", "panels": list(both)}, provenance={})


def test_tables_say_what_the_job_found(folder: Path) -> None:
    numbers = read_json(folder / "toys.json")
    head, rows = toy_tables.answers_table(numbers)
    assert all(len(row) == len(head) for row in rows)
    table = {row[0]: row[1:] for row in rows}
    assert len(table) == len(METHODS) + 1
    assert table["score less that at zero"][0] == r"\num{1.00}"
    assert table["DeepLIFT, RevealCancel"][2] == r"$(\num{0.50},\ \num{-0.50})$"
    head, rows = toy_tables.pair_table(numbers)
    assert {row[0]: row[-1] for row in rows if row[0] in ("gradient", "DeepLIFT, Rescale", "LRP-0")} == {
        "gradient": "yes",
        "DeepLIFT, Rescale": "no",
        "LRP-0": "yes",
    }
    (line,) = re.findall(r"\\DefineResult\{matrix\.relu_guided\}\{(.*)\}", toy_tables.matrices(numbers))
    cells = [[float(cell) for cell in re.findall(r"\\num\{(-?\d+)\}", row)] for row in line.split(r"\\")]
    assert tuple(map(tuple, cells)) == known_values.RELU_GUIDED


def test_without_toys_the_tables_have_no_rows() -> None:
    assert toy_tables.answers_table({})[1] == toy_tables.pair_table({})[1] == []
