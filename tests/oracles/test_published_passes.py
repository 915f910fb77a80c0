"""The counts that the 2020 study printed, from its own weights: within the 99.9 % interval of the rate found here."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import binom

from nn_interpretability.data.idx import read_idx
from nn_interpretability.data.rotations import rotated
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import load_weights
from nn_interpretability.stochastic.passes import draw_passes
from nn_interpretability.stochastic.sampler import Dropout, Noise, Randomness

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("NN_INTERPRETABILITY_DATA") or REPOSITORY.parent / "shared" / "data")
WEIGHTS, IMAGES = FOLDER / "study2020", FOLDER / "MNIST" / "raw" / "train-images-idx3-ubyte"
FIRST_ONE = 3  # place of the first 1 among MNIST's training pictures
PASSES = 10_000
NOISE_5, NOISE_08 = Noise(0.5, seed=3), Noise(0.08, seed=3)
DROPOUT = Dropout(7)
COUNTS = {
    "Fig 19, approach 1, -21 degrees": (
        "dropout",
        -21,
        Randomness(dropout=DROPOUT),
        (5, 262, 272, 19, 13, 2, 13, 12, 400, 2),
        1000,
    ),
    "Fig 19, Algorithm 1, -7 degrees": (
        "dropout",
        -7,
        Randomness(dropout=DROPOUT),
        (5, 974, 9, 0, 0, 2, 2, 3, 10, 1),
        1000,
    ),
    "weekly report, deep Taylor": (
        "dropout",
        -21,
        Randomness(dropout=DROPOUT),
        (10, 287, 300, 10, 6, 1, 10, 6, 396, 2),
        1000,
    ),
    "weekly report, DeepLIFT": ("dropout", 0, Randomness(DROPOUT, NOISE_08), (3, 931, 36, 1, 4, 2, 2, 12, 9, 0), 1000),
    "Fig 23, as the code ran it": ("plain", 0, Randomness(noise=NOISE_5), (0, 1568, 32, 0, 6, 0, 5, 47, 342, 0), 2000),
}

pytestmark = pytest.mark.skipif(
    not (WEIGHTS.is_dir() and IMAGES.is_file()),
    reason=f"the study's weights and MNIST are not in {FOLDER}; NN_INTERPRETABILITY_DATA names another folder",
)


def rates(network: str, angle: int, randomness: Randomness) -> np.ndarray:
    """Share of the passes that predict each class; the study did not clip turned pictures."""
    name, file = {"dropout": ("dropout_cnn", "mc_dropout_cnn.pt"), "plain": ("small_cnn", "model_cnn.pt")}[network]
    model = load_weights(build_model(name), WEIGHTS / file).eval()
    content = IMAGES.read_bytes()
    picture = read_idx(content, name=IMAGES.name, item_shape=(28, 28))[FIRST_ONE].astype(np.float32) / 255
    images = torch.from_numpy(rotated(picture, (angle,), clip=False))[:, None]
    drawn = draw_passes(model, images, randomness, 0, PASSES, block=500)
    return torch.bincount(drawn.predicted[:, 0], minlength=10).numpy() / PASSES


def inside(counts: tuple[int, ...], draws: int, rate: np.ndarray) -> np.ndarray:
    """Whether each count is within the 99.9 % interval of its binomial distribution."""
    low, high = binom.ppf(0.0005, draws, rate), binom.ppf(0.9995, draws, rate)
    return (low <= counts) & (counts <= high)


@pytest.mark.parametrize(("network", "angle", "randomness", "counts", "draws"), COUNTS.values(), ids=COUNTS)
def test_published_counts(
    network: str, angle: int, randomness: Randomness, counts: tuple[int, ...], draws: int
) -> None:
    rate = rates(network, angle, randomness)
    assert inside(counts, draws, rate).all(), (rate * draws).round(1)


def test_figure_23_is_not_what_its_text_says() -> None:
    """The text has the network with dropout; its counts would be others, for all classes."""
    _, angle, _, counts, draws = COUNTS["Fig 23, as the code ran it"]
    assert not inside(counts, draws, rates("dropout", angle, Randomness(DROPOUT, NOISE_5))).any()


def test_the_high_uncertainty_picture_is_that_at_21_degrees() -> None:
    """The text names the third picture, at -14 degrees; the counts are those of the fourth."""
    _, _, randomness, counts, draws = COUNTS["Fig 19, approach 1, -21 degrees"]
    assert not inside(counts, draws, rates("dropout", -14, randomness)).all()
