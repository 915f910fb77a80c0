"""How long explanations of many passes take, as ratios to plain autograd, zennit and captum in the same run.

Run ``python benchmarks/passes.py``; needs the extra ``test`` for the peers. One thread. ``python benchmarks/passes.py
memory`` measures the peak memory of 1000 and of 100000 passes instead, each in a process of its own, in a few minutes.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import nn_interpretability  # noqa: F401 (makes torchvision importable beside a CPU-only torch)

# isort: split
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from captum.attr import DeepLift
from torch import Tensor, nn
from zennit.attribution import Gradient as ZennitGradient
from zennit.core import Composite
from zennit.rules import AlphaBeta, Epsilon, Pass, ZBox

from nn_interpretability import LRP, DeepLIFT, InputNoise, MCDropout
from nn_interpretability.models import build_model

REPEATS, PASSES, CLASSES, RUNS = 5, 1000, 10, 2000
FEW = 10  # passes of the slowest peer that are timed


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Best of several runs, after one to warm up; processor time, which other processes change little on one thread."""
    work()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return min(times)


def digit(size: int = 1) -> Tensor:
    """A bright bar on black."""
    image = torch.zeros(1, 1, 28, 28)
    image[..., 4:24, 12:16] = torch.rand(20, 4)
    return image.repeat(size, 1, 1, 1)


def dropout_on(model: nn.Module) -> None:
    """Evaluation mode, but for dropout."""
    model.eval()
    for module in model.modules():
        if isinstance(module, nn.Dropout | nn.Dropout2d):
            module.train()


def plain(model: nn.Module, image: Tensor) -> Tensor:
    """The same product by autograd alone: one forward pass of 1000 rows, ten vector-Jacobian products, summed."""
    dropout_on(model)
    leaf = image.repeat(PASSES, 1, 1, 1).requires_grad_(True)
    output = model(leaf)
    return torch.stack(
        [torch.autograd.grad(output[:, k].sum(), leaf, retain_graph=k + 1 < CLASSES)[0].sum(0) for k in range(CLASSES)]
    )


def zennit(model: nn.Module, image: Tensor, rows: int) -> None:
    """Zennit with the same composite, dropout on: a forward pass for each class."""
    dropout_on(model)
    low, high = torch.zeros_like(image), torch.ones_like(image)
    named = {
        "features.conv1": ZBox(low.repeat(rows, 1, 1, 1), high.repeat(rows, 1, 1, 1)),
        "features.conv2": AlphaBeta(1.0, 0.0),
        "classifier.fc1": Epsilon(0.1),
        "classifier.fc2": Epsilon(0.0),
    }

    def rules(_: object, name: str, module: nn.Module) -> object:
        if isinstance(module, nn.ReLU | nn.Dropout | nn.Dropout2d):
            return Pass()
        return named.get(name)

    start = torch.zeros(rows, CLASSES)
    with ZennitGradient(model, Composite(module_map=rules), attr_output=lambda out: out * start) as attributor:
        for k in range(CLASSES):
            start.zero_()[:, k] = 1
            attributor(image.repeat(rows, 1, 1, 1))


def one_at_a_time(model: nn.Module, image: Tensor) -> None:
    """A few passes, one forward and one backward pass for each class."""
    for _ in range(FEW):
        zennit(model, image, 1)


def captum(model: nn.Module, image: Tensor) -> None:
    """Captum's DeepLift of noisy copies in one batch."""
    model.eval()
    rows = image + 0.5 * torch.randn(RUNS, 1, 28, 28)
    DeepLift(model).attribute(rows, torch.zeros_like(image), target=1)


def algorithm_1() -> None:
    """Composite LRP, 1000 passes of all classes."""
    model, image = build_model("dropout_cnn"), digit()
    method = LRP(model, composite="small_cnn", input_bounds=(0, 1))
    summed = MCDropout(method, passes=PASSES, products=("mean",))
    single = MCDropout(method, passes=PASSES, products=("mean",), keep_raw=1)
    base = seconds(lambda: plain(model, image))
    ours = seconds(lambda: summed.interpret(image, "all"))
    each = seconds(lambda: single.interpret(image, "all"), 2)
    batched = seconds(lambda: zennit(model, image, PASSES), 2)
    slow = seconds(lambda: one_at_a_time(model, image), 1) * PASSES / FEW
    print(f"Algorithm 1, {PASSES} passes x {CLASSES} classes, composite LRP (ratios to {base:.2f} s of plain autograd)")
    print(f"  summed {ours / base:.2f}   map of each pass {each / base:.2f}   zennit, batched {batched / base:.2f}")
    print(f"  zennit needs {batched / ours:.0f} times as long batched,")
    print(f"  and {slow / ours:.0f} times one pass and class at a time (from {FEW} passes)")


def noisy_deeplift() -> None:
    """DeepLIFT of noisy copies."""
    model, image = build_model("small_cnn"), digit()
    theirs = seconds(lambda: captum(model, image), 3)
    print(f"DeepLIFT of {RUNS} noisy copies (captum needs {theirs:.2f} s)")
    for rule in ("rescale", "reveal_cancel"):
        noise = InputNoise(DeepLIFT(model, rule=rule), sigma=0.5, passes=RUNS, products=("target_by_predicted_class",))
        ours = seconds(lambda n=noise: n.interpret(image, 1), 3)  # type: ignore[misc]
        print(f"  {rule:14} captum needs {theirs / ours:.1f} times as long")


def peak(passes: int) -> None:
    """Print the peak memory of this process in MB after so many passes."""
    model, image = build_model("dropout_cnn"), digit()
    method = LRP(model, composite="small_cnn", input_bounds=(0, 1))
    MCDropout(method, passes=passes, products=("mean",)).interpret(image, "all")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def memory() -> None:
    """Peak memory, in processes of their own."""
    for passes in (1000, 100_000):
        found = subprocess.run(
            [sys.executable, __file__, "peak", str(passes)], check=True, capture_output=True, text=True
        )
        print(f"{passes:7} passes: {found.stdout.strip()} MB")


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if sys.argv[1:2] == ["peak"]:
        peak(int(sys.argv[2]))
    elif sys.argv[1:2] == ["memory"]:
        memory()
    else:
        algorithm_1()
        noisy_deeplift()


if __name__ == "__main__":
    main()
