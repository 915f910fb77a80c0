"""How long LRP takes, as a ratio to a plain backward pass and to zennit, in the same run.

Run ``python benchmarks/attribution.py``; needs the extra ``test`` for the peer. One thread.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import nn_interpretability  # noqa: F401 (makes torchvision importable beside a CPU-only torch)

# isort: split
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchvision.models import resnet18, vgg11
from zennit.attribution import Gradient as ZennitGradient
from zennit.composites import EpsilonPlus

from nn_interpretability import LRP
from nn_interpretability.models import build_model

REPEATS = 5


def seconds(work: Callable[[], object]) -> float:
    """Best of several runs, after one to warm up."""
    work()
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def plain(model: nn.Module, images: Tensor, classes: int) -> None:
    """One forward pass and one backward pass for each class, by autograd alone."""
    leaf = images.clone().requires_grad_(True)
    output = model(leaf)
    for c in range(classes):
        torch.autograd.grad(output[:, c].sum(), leaf, retain_graph=c + 1 < classes)


def peer(model: nn.Module, images: Tensor, classes: int) -> None:
    """Zennit's EpsilonPlus, which needs a forward pass for each class."""
    with ZennitGradient(model, EpsilonPlus()) as attributor:
        for c in range(classes):
            attributor(images, torch.eye(attributor.model(images[:1]).shape[1])[[c] * len(images)])


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rules = {"conv2d": "z_plus", "linear": {"rule": "epsilon", "epsilon": 1e-6}}
    cases: list[tuple[str, nn.Module, Tensor, int]] = [
        ("small_cnn, 250 digits, 10 classes", build_model("small_cnn"), torch.rand(250, 1, 28, 28), 10),
        ("small_cnn, 250 digits, 1 class", build_model("small_cnn"), torch.rand(250, 1, 28, 28), 1),
        ("vgg11, 4 pictures of 96 x 96, 1 class", vgg11(weights=None), torch.rand(4, 3, 96, 96), 1),
        ("resnet18, 4 pictures of 96 x 96, 1 class", resnet18(weights=None), torch.rand(4, 3, 96, 96), 1),
    ]
    print(f"{'case':42} {'autograd s':>10} {'LRP-eps':>8} {'LRP-eps/z+':>10} {'zennit':>8}   (ratios to autograd)")
    for name, model, images, classes in cases:
        model.eval()
        target = "all" if classes > 1 else 0
        base = seconds(lambda m=model, x=images, k=classes: plain(m, x, k))  # type: ignore[misc]
        epsilon = seconds(lambda m=model, x=images, t=target: LRP(m).interpret(x, t))  # type: ignore[misc]
        mixed = seconds(lambda m=model, x=images, t=target: LRP(m, composite=rules).interpret(x, t))  # type: ignore[misc]
        other = seconds(lambda m=model, x=images, k=classes: peer(m, x, k))  # type: ignore[misc]
        print(f"{name:42} {base:10.3f} {epsilon / base:8.2f} {mixed / base:10.2f} {other / base:8.2f}")


if __name__ == "__main__":
    main()
