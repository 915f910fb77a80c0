"""How well 100,000 passes in chunks use two workers, and what a chunk costs in files and in merging.

Run ``python benchmarks/scaling.py`` on a machine that does nothing else; some minutes. ``--passes`` and ``--chunk``
make it smaller. Each chunk is a process of its own, as a job of the workflow is: it draws the passes of one digit and
explains all ten classes by composite LRP (mean and covariance). One thread each. With ``--check`` it fails below the
aim.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

AIM = 0.85
COMMON: dict[str, Any] = {
    "architecture": "dropout_cnn",
    "pictures": [0],
    "randomness": {"dropout": 0, "noise": None},
    "device": "cpu",
    "provenance": {},
}
EXPLAINED: dict[str, Any] = {
    "method": "lrp",
    "parameters": {"composite": "small_cnn", "input_bounds": [0, 1]},
    "target": "all",
    "products": ["mean", "covariance"],
    "keep_raw": 0,
    "independent_masks": False,
}


def prepare(folder: Path) -> None:
    """Write random weights and a digit, a bright bar."""
    import numpy as np
    import torch

    from nn_interpretability.models import build_model
    from nn_interpretability.models.weights import save_weights
    from nn_interpretability.storage.hdf5 import Array, write_hdf5

    torch.manual_seed(0)
    save_weights(build_model("dropout_cnn"), folder / "weights.safetensors")
    image = np.zeros((1, 1, 28, 28), dtype=np.float32)
    image[..., 4:24, 12:16] = np.random.default_rng(0).random((20, 4))
    arrays = {
        "images": Array(image, ("sample", "channel", "y", "x")),
        "labels": Array(np.array([1]), ("sample",)),
        "source_index": Array(np.array([0]), ("sample",)),
    }
    write_hdf5(folder / "probe.h5", arrays, schema="probe/1", params={}, provenance={})


def one_chunk(folder: Path, results: Path, begin: int, end: int) -> None:
    """What one job does."""
    from nn_interpretability.study.attribute_chunk import attribute_chunk
    from nn_interpretability.study.draw_passes import draw

    weights, probe, drawn = folder / "weights.safetensors", folder / "probe.h5", results / f"drawn_{begin:06d}.h5"
    draw(weights, probe, drawn, begin=begin, end=end, block=50, **COMMON)
    attribute_chunk(weights, probe, [drawn], results / f"sums_{begin:06d}.h5", begin=begin, **COMMON, **EXPLAINED)


def all_chunks(folder: Path, results: Path, chunks: Sequence[tuple[int, int]], workers: int) -> float:
    """Run a process for each chunk, so many at once; return the seconds by the clock."""
    results.mkdir()

    def work(chunk: tuple[int, int]) -> None:
        words = [sys.executable, __file__, "--one", str(folder), str(results), *map(str, chunk)]
        subprocess.run(words, check=True)

    began = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, chunks))
    return time.monotonic() - began


def merged(folder: Path, results: Path, passes: int) -> float:
    """Merge the chunks; return the seconds."""
    from nn_interpretability.study.merge_passes import merge

    drawn, sums = sorted(results.glob("drawn_*.h5")), sorted(results.glob("sums_*.h5"))
    given = {"pictures": [0], "target": "all", "independent_masks": False, "description": {"name": "scaling"}}
    began = time.monotonic()
    merge(folder / "probe.h5", drawn, sums, results / "merged.h5", passes=passes, **given, provenance={})
    return time.monotonic() - began


def busy_with_other_things(seconds: float = 5.0) -> float:
    """Return how many cores other processes keep busy, while this one waits."""

    def busy() -> float:
        values = list(map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9]))
        return (sum(values) - values[3] - values[4]) / os.sysconf("SC_CLK_TCK")

    if not Path("/proc/stat").exists():
        return float("nan")
    before = busy()
    time.sleep(seconds)
    return (busy() - before) / seconds


def measure(passes: int, chunk: int) -> float:
    """Print the table; return the efficiency of two workers."""
    from nn_interpretability.storage.product import digest_of

    chunks = [(begin, min(begin + chunk, passes)) for begin in range(0, passes, chunk)]
    print(f"{passes} passes in {len(chunks)} chunks; others keep {busy_with_other_things():.2f} cores busy", flush=True)
    seconds, digests = {}, {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        for workers in (1, 2):
            results = folder / str(workers)
            seconds[workers] = all_chunks(folder, results, chunks, workers)
            print(f"  {workers} worker{'s' if workers > 1 else ' '} {seconds[workers]:8.1f} s", flush=True)
            took = merged(folder, results, passes)
            digests[workers] = digest_of(results / "merged.h5")
        for kind in ("drawn", "sums"):
            sizes = [file.stat().st_size for file in results.glob(f"{kind}_*.h5")]
            print(f"  {kind:8} {sum(sizes) / len(sizes) / 1e6:8.3f} MB a chunk, {sum(sizes) / 1e6:.1f} MB in all")
        print(f"  merging  {took:8.1f} s, {1000 * took / len(chunks):.0f} ms a chunk")
    print(f"  peak     {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f} MB while merging")
    print(f"  the same bits: {'yes' if digests[1] == digests[2] else 'NO'}")
    efficiency = seconds[1] / (2 * seconds[2])
    print(f"  parallel efficiency of two workers: {efficiency:.2f} (aim: at least {AIM})")
    return efficiency


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--passes", type=int, default=100_000)
    parser.add_argument("--chunk", type=int, default=5_000)
    parser.add_argument("--check", action="store_true", help="fail if the efficiency is below the aim")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        folder, results, begin, end = options.one
        one_chunk(Path(folder), Path(results), int(begin), int(end))
        return 0
    return int(measure(options.passes, options.chunk) < AIM and options.check)


if __name__ == "__main__":
    sys.exit(main())
