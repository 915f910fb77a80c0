"""A network of a user's own, outside the package: its file, its weights, its pictures, its configuration."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

CODE = '''"""A small network for colour pictures."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.conv2 = nn.Conv2d(6, 8, 3)
        self.dropout = nn.Dropout(0.5)
        self.linear = nn.Linear(8, classes)

    def forward(self, images):
        maps = torch.max_pool2d(torch.relu(self.conv1(images)), 2)
        maps = torch.max_pool2d(torch.relu(self.conv2(maps)), 2)
        return self.linear(self.dropout(maps.mean(dim=(2, 3))))


def build():
    return Net()
'''
CLASSES = ["50% cat_&_dog", "zebra #1", "Bär ~ {x}"]
SIDE = 32


def make(folder: Path) -> Path:
    """Write everything into a folder whose name is hard; returns it."""
    home = folder / "my stüff"
    home.mkdir(parents=True)
    code = home / "my model.py"
    code.write_text(CODE, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("theirs", code)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    torch.save(module.build().state_dict(), home / "weights of it.pt")
    random = np.random.default_rng(0)
    for name in CLASSES[:2]:
        (home / "pictures" / name).mkdir(parents=True)
        for number in range(4):
            pixels = random.integers(0, 255, (40, 36, 3), dtype=np.uint8)
            pixels[5 + number : 20, 8:30] = (250, 40, 30) if name == CLASSES[0] else (20, 60, 240)
            Image.fromarray(pixels).save(home / "pictures" / name / f"picture {number}.png")
    (home / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    return home


def configuration(home: Path) -> dict[str, Any]:
    """A small configuration of everything that explains pictures."""
    mine = {"model": "mine", "probe": "mine"}
    bounds_free = {
        "gradient": {},
        "guided_backprop": {},
        "input_x_gradient": {},
        "lrp": {"composite": "montavon2019"},
        "deeplift": {},
        "occlusion": {"window": 8, "stride": 8},
        "smoothgrad": {"samples": 4},
    }
    attributions = {name: {"method": name, **mine, "parameters": given} for name, given in bounds_free.items()}
    attributions["cam"] = {"method": "grad_cam", **mine, "parameters": {"layer": "conv2"}}
    attributions["filters_conv1"] = {
        "method": "deconvolution",
        **mine,
        "parameters": {"layer": "conv1", "mode": "activation"},
    }
    figures = {
        "my_maps": {"section": "mine", "panels": ["lrp", "deeplift"]},
        "my_gradients": {"section": "mine", "panels": ["gradient", "smoothgrad"]},
        "my_occlusion": {"section": "mine", "panels": ["occlusion"]},
        "my_cam": {"section": "mine", "kind": "overlay", "panels": ["cam"]},
        "my_guided": {"section": "mine", "kind": "reconstructions", "panels": ["guided_backprop"]},
        "my_filters": {"section": "mine", "kind": "filters", "panels": ["filters_conv1"]},
        "my_scatter": {"section": "mine_passes", "kind": "pass_scatter", "panels": ["mine_passes"]},
        "my_uncertainty": {"section": "mine_passes", "kind": "uncertainty_maps", "panels": ["mine_passes"]},
        "my_by_class": {"section": "mine_passes", "kind": "passes_by_class", "panels": ["mine_every"]},
        "my_syntheses": {"section": "mine", "kind": "syntheses", "panels": ["mine_am"]},
        "my_dream": {"section": "mine", "kind": "dreams_of_layers", "panels": ["mine_dream"]},
        "my_views": {"section": "mine", "kind": "activation_views", "panels": ["mine_views"]},
    }
    return {
        "results": "results-own",
        "data": {"download": False},
        "models": {
            "mine": {"python": str(home / "my model.py"), "weights": str(home / "weights of it.pt"), "probe": "mine"}
        },
        "probes": {
            "mine": {
                "kind": "folder",
                "pictures": str(home / "pictures"),
                "classes": str(home / "classes.txt"),
                "size": SIDE,
                "normalisation": "imagenet",
            }
        },
        "attributions": attributions,
        "passes": {
            "mine_dropout": {**mine, "passes": 20, "block": 10, "chunk": 20},
            "mine_noise": {**mine, "pictures": [0, 4], "noise": 0.1, "passes": 20, "block": 10, "chunk": 20},
        },
        "pass_attributions": {
            "mine_passes": {"passes": "mine_dropout", "method": "lrp", "products": ["mean", "covariance"]},
            "mine_every": {"passes": "mine_noise", "method": "gradient", "products": ["mean", "by_predicted_class"]},
        },
        "syntheses": {"mine_am": {"model": "mine", "steps": 5}},
        "deepdream": {
            "models": [{"name": "mine", "layers": ["conv1", "conv2"], "channel_layer": "conv2", "channels": [0, 1]}]
        },
        "dreams": {"mine_dream": {"size": 64, "octaves": 2, "steps": 1}},
        "activation_views": {"mine_views": {**mine, "layers": ["conv1", "conv2"], "count": 4}},
        "figures": {name: {**entry, "caption": f"{name}: 100 % mine & yours."} for name, entry in figures.items()},
    }


def write(folder: Path, home: Path, **changes: Any) -> Path:
    """Write the configuration, with some of its sections changed."""
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({**configuration(home), **changes}, allow_unicode=True), encoding="utf-8")
    return path
