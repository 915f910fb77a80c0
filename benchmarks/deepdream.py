"""Memory and time of one step of DeepDream with VGG16 (random weights suffice), over sizes of tiles.

Each row is a process of its own, so that its peak is that of this size alone.  Resident memory: Python, torch and the
weights of the layers that run are in it, and the picture with its copies.

    python benchmarks/deepdream.py [--size 1500x1001] [--tiles 256 512 1024] [--octaves 0] [--layer features.25]

With several octaves there is one step in each; the time is that of all.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

import argparse
import json
import resource
import subprocess
import sys
import time

LIMIT = 2.0  # GB that the study claims not to exceed
PUBLISHED = (-5, -4, -3, -2, -1, 0, 1, 2)  # the study's octaves
ROW = "{:<12}{:>8}{:>9}{:>12}{:>12}{:>12}"
HEADER = ("picture", "tile", "tiles", "before GB", "peak GB", "s a step")


def gigabytes() -> float:
    """Largest resident memory of this process so far, in units of 10**9 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9  # Linux counts in KiB


def one_step(width: int, height: int, tile: int, layer: str, octaves: list[int]) -> dict[str, float]:
    """One step in each octave, in this process."""
    import nn_interpretability  # noqa: F401 - before torchvision
    import torch
    from torchvision.models.vgg import cfgs, make_layers

    from nn_interpretability.synthesis.deepdream import DeepDream
    from nn_interpretability.synthesis.tiles import tiles

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = make_layers(cfgs["D"], batch_norm=False)  # the features of VGG16; its classifier never runs
    layer = layer.removeprefix("features.")
    before = gigabytes()
    photograph = torch.rand(3, height, width)
    dream = DeepDream(model, layer=layer, octaves=octaves, steps=1, tile=tile, overlap=0)
    begin = time.perf_counter()
    dream.synthesize(photograph)
    seconds = time.perf_counter() - begin
    count = sum(1 for _ in tiles(height, width, tile, 0))
    return {"tiles": count, "before": before, "peak": gigabytes(), "seconds": seconds}


def measured(size: str, tile: int, layer: str, octaves: tuple[int, ...] = (0,)) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--one", "--size", size, "--tiles", str(tile), "--layer", layer]
    command += ["--octaves", *map(str, octaves)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def within_two_gigabytes(size: str = "1500x1001", tile: int = 512, layer: str = "features.25") -> bool:
    """Whether the study's eight octaves stay within its 2 GB."""
    return measured(size, tile, layer, PUBLISHED)["peak"] <= LIMIT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", nargs="+", default=["1500x1001"])
    parser.add_argument("--tiles", nargs="+", type=int, default=[256, 512, 1024])
    parser.add_argument("--layer", default="features.25")
    parser.add_argument("--octaves", nargs="+", type=int, default=[0], help="exponents of 1.5")
    parser.add_argument("--one", action="store_true", help="measure here and print JSON")
    options = parser.parse_args()
    if options.one:
        width, height = (int(side) for side in options.size[0].split("x"))
        print(json.dumps(one_step(width, height, options.tiles[0], options.layer, options.octaves)))
        return
    print(ROW.format(*HEADER))
    for size in options.size:
        for tile in options.tiles:
            found = measured(size, tile, options.layer, tuple(options.octaves))
            numbers = [f"{found[key]:.2f}" for key in ("before", "peak", "seconds")]
            print(ROW.format(size, tile, int(found["tiles"]), *numbers), flush=True)


if __name__ == "__main__":
    main()
