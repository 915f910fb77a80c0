"""How much memory a step of DeepDream takes, measured in a process of its own, so that its peak is that of the step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from itertools import islice

GIGABYTE = 1e9


def measured_step(
    width: int,
    height: int,
    tile: int,
    layer: str = "25",
    octaves: tuple[int, ...] = (0,),
    first_tiles: int | None = None,
) -> dict[str, float]:
    """Measure one step of DeepDream with VGG16; random weights suffice.

    Parameters
    ----------
    width, height
        Size of the picture in pixels.
    tile
        Side of the largest picture that the network sees at once.
    layer
        Of VGG16's ``features``.
    octaves
        Exponents of 1.5; one step in each.
    first_tiles
        How many tiles of each step to compute; all if None. The memory of a tile is given back before the next one,
        so those of a row have the peak of all but for a few per cent, in a fraction of the time.

    Returns
    -------
    dict
        ``peak``, the largest resident memory in units of 10**9 bytes, and that ``before`` the step; the number of
        ``tiles`` computed, and the ``seconds`` it took.
    """
    sizes = {"width": width, "height": height, "tile": tile}
    settings = {**sizes, "layer": layer, "octaves": list(octaves), "first_tiles": first_tiles}
    code = f"from {__name__} import step_here; step_here({json.dumps(settings)!r})"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    said = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(said.stdout.splitlines()[-1])
    return found


def step_here(settings_json: str) -> None:
    """Take the step in this process and print what it took, as JSON."""
    settings = json.loads(settings_json)
    import torch

    import nn_interpretability  # noqa: F401 (before torchvision)
    from torchvision.models.vgg import cfgs, make_layers  # isort: skip

    from nn_interpretability.synthesis.deepdream import DeepDream
    from nn_interpretability.synthesis.tiles import Span

    class FirstTiles(DeepDream):
        """Takes steps with the gradient of the first tiles alone."""

        def _cut(self, height: int, width: int) -> Iterable[tuple[Span, Span]]:
            return islice(super()._cut(height, width), settings["first_tiles"])

    torch.manual_seed(0)
    width, height, tile = settings["width"], settings["height"], settings["tile"]
    model = make_layers(cfgs["D"], batch_norm=False)  # the features of VGG16; its classifier never runs
    before = _gigabytes()
    dream = FirstTiles(model, layer=settings["layer"], octaves=settings["octaves"], steps=1, tile=tile, overlap=0)
    photograph = torch.rand(3, height, width)
    begin = time.perf_counter()
    dream.synthesize(photograph)
    seconds = time.perf_counter() - begin
    count = sum(1 for _ in dream._cut(height, width))
    said = {"tiles": count, "before": before, "peak": _gigabytes(), "seconds": seconds}
    sys.stdout.write(json.dumps(said) + "\n")


def _gigabytes() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIGABYTE  # Linux counts in KiB
