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

from nn_interpretability.synthesis.memory import measured_step

LIMIT = 2.0  # GB that the study claims not to exceed
PUBLISHED = (-5, -4, -3, -2, -1, 0, 1, 2)  # the study's octaves
ROW = "{:<12}{:>8}{:>9}{:>12}{:>12}{:>12}"
HEADER = ("picture", "tile", "tiles", "before GB", "peak GB", "s a step")


def measured(size: str, tile: int, layer: str, octaves: tuple[int, ...] = (0,)) -> dict[str, float]:
    """One step in each octave, in a process of its own."""
    width, height = (int(side) for side in size.split("x"))
    return measured_step(width, height, tile, layer.removeprefix("features."), octaves)


def within_two_gigabytes(size: str = "1500x1001", tile: int = 512, layer: str = "features.25") -> bool:
    """Whether the study's eight octaves stay within its 2 GB."""
    return measured(size, tile, layer, PUBLISHED)["peak"] <= LIMIT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", nargs="+", default=["1500x1001"])
    parser.add_argument("--tiles", nargs="+", type=int, default=[256, 512, 1024])
    parser.add_argument("--layer", default="features.25")
    parser.add_argument("--octaves", nargs="+", type=int, default=[0], help="exponents of 1.5")
    options = parser.parse_args()
    print(ROW.format(*HEADER))
    for size in options.size:
        for tile in options.tiles:
            found = measured(size, tile, options.layer, tuple(options.octaves))
            numbers = [f"{found[key]:.2f}" for key in ("before", "peak", "seconds")]
            print(ROW.format(size, tile, int(found["tiles"]), *numbers), flush=True)


if __name__ == "__main__":
    main()
