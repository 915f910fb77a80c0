"""How long pixel flipping of 100 digits takes beside quantus in the same run, and how far the curves are apart.

Run ``python benchmarks/metrics.py``; needs quantus 0.6.0 without its dependencies (``benchmarks/README.md``). 1 thread.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import nn_interpretability  # noqa: F401 (makes torchvision importable beside a CPU-only torch)

# isort: split
import logging
import time
import warnings
from collections.abc import Callable

import numpy as np
import quantus
import torch
from torch import Tensor, nn

from nn_interpretability import metrics
from nn_interpretability.models import build_model

DIGITS, REPEATS = 100, 3


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Best of several runs; processor time, which other processes change little on one thread."""
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return min(times)


def digits() -> Tensor:
    """Bright strokes on black, about as much ink as in a digit."""
    images = torch.zeros(DIGITS, 1, 28, 28)
    images[..., 4:24, 11:18] = 0.2 + 0.8 * torch.rand(DIGITS, 1, 20, 7)
    return images


def flipping(model: nn.Module, images: Tensor, relevance: Tensor, classes: Tensor) -> None:
    """One curve, most relevant pixels first, by softmax, of every pixel."""
    ours = metrics.PixelFlipping(model, order="most_relevant_first", score="probability")
    peer = quantus.PixelFlipping(
        features_in_step=1,
        perturb_baseline="black",
        abs=False,
        normalise=False,
        disable_warnings=True,
        display_progressbar=False,
    )
    arrays = [values.numpy() for values in (images, classes, relevance)]

    def theirs() -> object:
        return peer(model=model, x_batch=arrays[0], y_batch=arrays[1], a_batch=arrays[2], softmax=True, device="cpu")

    curve = ours.measure(images, relevance, classes).most_relevant_first
    assert curve is not None
    apart = np.abs(np.asarray(theirs()) - curve[:, 1:].numpy()).max()
    both = metrics.PixelFlipping(model, score="probability")
    noisy = images + 0.01
    one = seconds(lambda: ours.measure(images, relevance, classes))
    two = seconds(lambda: both.measure(images, relevance, classes))
    full = seconds(lambda: ours.measure(noisy, relevance, classes), 1)
    other = seconds(theirs, 1)
    print(f"pixel flipping of {DIGITS} digits, 784 steps; quantus needs {other:.1f} s")
    print(f"  one curve {one:.1f} s: quantus needs {other / one:.1f} times as long   largest difference {apart:.1g}")
    print(f"  both curves {two:.1f} s   one curve of images without a black pixel {full:.1f} s")


def maps_alone(relevance: Tensor) -> None:
    """Metrics of 1000 maps alone; the mask is the middle of the image."""
    maps = relevance.repeat(10, 1, 1, 1)
    mask = torch.zeros_like(maps, dtype=torch.bool)
    mask[..., 9:19, 9:19] = True
    array, inside, nothing = maps.numpy(), mask.numpy(), np.zeros(len(maps), dtype=int)
    cases: dict[str, tuple[type, Callable[[], Tensor]]] = {
        "gini": (quantus.Sparseness, lambda: metrics.gini(maps)),
        "entropy_complexity": (quantus.Complexity, lambda: metrics.entropy_complexity(maps)),
        "relevance_mass": (quantus.RelevanceMassAccuracy, lambda: metrics.relevance_mass(maps, mask)),
        "relevance_rank_accuracy": (quantus.RelevanceRankAccuracy, lambda: metrics.relevance_rank_accuracy(maps, mask)),
        "pointing_game": (quantus.PointingGame, lambda: metrics.pointing_game(maps, mask)),
    }
    for name, (kind, ours) in cases.items():
        peer = kind(abs=True, normalise=False, disable_warnings=True, display_progressbar=False)
        given = {"model": None, "x_batch": array, "y_batch": nothing, "a_batch": array, "s_batch": inside}
        apart = np.abs(np.asarray(peer(**given, device="cpu"), dtype=float) - ours().numpy()).max()
        slow, fast = seconds(lambda p=peer, g=given: p(**g, device="cpu"), 1), seconds(ours)  # type: ignore[misc]
        print(f"{name} of {len(maps)} maps: quantus needs {slow / fast:.0f} times as long, {apart:.1g} apart")


def main() -> None:
    logging.disable()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, images = build_model("small_cnn").eval(), digits()
    relevance = torch.randn(images.shape)
    flipping(model, images, relevance, torch.arange(DIGITS) % 10)
    maps_alone(relevance)


if __name__ == "__main__":
    main()
