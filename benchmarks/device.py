"""How long the study's heavy computations take on this device, and how far that is from what its arithmetic allows.

Run ``python benchmarks/device.py`` on a GPU that does nothing else, some minutes; on a machine without one, ``--device
cpu`` with ``--passes`` and ``--samples`` made smaller. The floor of a computation is its multiplications and additions
over the rate at which the device multiplies large matrices in single precision, TF32 off, measured in the same run:
those of its forward passes, and for each backward pass as many again.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import nn_interpretability  # noqa: F401 (makes torchvision importable beside a CPU-only torch)

# isort: split
import argparse
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet50, vgg16

from nn_interpretability import LRP, DeepLIFT, Gradient, InputNoise, IntegratedGradients, MCDropout, SmoothGrad
from nn_interpretability.config.devices import compute_exactly
from nn_interpretability.models import build_model
from nn_interpretability.training.loop import resolve_device

CLASSES = 10
SIDE = 2048  # of the matrices that are multiplied


@dataclass(frozen=True)
class Case:
    """A computation, the operations that it cannot do without, and how many things it explains."""

    name: str
    work: Callable[[], object]
    operations: float
    things: int
    unit: str


def wait(device: torch.device) -> None:
    """Let the device finish."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """How long the work takes, by the clock."""
    wait(device)
    begin = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - begin


def rate(device: torch.device) -> float:
    """Multiplications and additions a second, of two large matrices; the best of five."""
    a, b = (torch.randn(SIDE, SIDE, device=device) for _ in range(2))
    return 2 * SIDE**3 / min(seconds(lambda: a @ b, device) for _ in range(5))


def forward(model: nn.Module, image: Tensor) -> int:
    """Multiplications and additions of a forward pass of one image."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(image)
    return int(counter.get_total_flops())


def cases(device: torch.device, passes: int, samples: int, images: int) -> Iterator[Case]:
    """The study's heavy computations."""
    digit = torch.zeros(1, 1, 28, 28, device=device)
    digit[..., 4:24, 12:16] = torch.rand(20, 4, device=device)
    dropout, small = (build_model(name).to(device).eval() for name in ("dropout_cnn", "small_cnn"))
    lrp = LRP(dropout, composite="small_cnn", input_bounds=(0, 1))
    algorithm = MCDropout(lrp, passes=passes, products=("mean",))
    # Draw and explain: two forward passes, and a backward pass for each class.
    needed = passes * forward(dropout, digit) * (2 + CLASSES)
    name = f"Algorithm 1, {passes} passes x {CLASSES} classes"
    yield Case(name, lambda: algorithm.interpret(digit, "all"), needed, passes, "passes")
    for rule in ("rescale", "reveal_cancel"):
        deeplift = DeepLIFT(small, rule=rule)
        noise = InputNoise(deeplift, sigma=0.5, passes=passes, products=("target_by_predicted_class",))
        needed = passes * forward(small, digit) * 3
        name = f"DeepLIFT ({rule}), {passes} noise iterations"
        yield Case(name, lambda noise=noise: noise.interpret(digit, 1), needed, passes, "passes")
    photographs = torch.rand(images, 3, 224, 224, device=device)
    for build in (vgg16, resnet50):
        model = build(weights=None).to(device).eval()
        once = forward(model, photographs[:1])
        smooth = SmoothGrad(Gradient(model), samples=samples, sigma=0.15)
        integrated = IntegratedGradients(model, steps=samples)
        for words, method in ((f"SmoothGrad, {samples} samples", smooth), (f"IG, {samples} steps", integrated)):
            name = f"{words}, {build.__name__} at 224 x 224"
            work = lambda method=method: method.interpret(photographs, target=3)  # noqa: E731
            yield Case(name, work, images * samples * once * 2, images, "images")


def peak(device: torch.device) -> str:
    """The most memory that was in use: of the card, or of the process so far."""
    if device.type == "cuda":
        return f"{torch.cuda.max_memory_allocated(device) / 1e9:.2f} GB"
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB (process)"


def main() -> None:
    """Print a row for each computation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--passes", type=int, default=100_000)
    parser.add_argument("--samples", type=int, default=50, help="of SmoothGrad, and steps of integrated gradients")
    parser.add_argument("--images", type=int, default=8)
    given = parser.parse_args()
    compute_exactly()  # as jobs do
    device = resolve_device(given.device)
    torch.manual_seed(0)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "one thread of the CPU"
    speed = rate(device)
    print(f"{name}, torch {torch.__version__}: {speed / 1e9:.0f} thousand million operations a second")
    print("| what | seconds | a second | times the floor | peak memory |\n|---|---|---|---|---|")
    for case in cases(device, given.passes, given.samples, given.images):
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        took = seconds(case.work, device)
        floor = case.operations / speed
        each = f"{case.things / took:,.1f} {case.unit}"
        print(f"| {case.name} | {took:.1f} | {each} | {took / floor:.1f} | {peak(device)} |", flush=True)


if __name__ == "__main__":
    main()
