"""Networks and pictures for the tests of the engine: small, seeded, in float64 unless stated."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nn_interpretability.data.idx import read_idx
from nn_interpretability.models import build_model

DATA = Path(os.environ.get("NN_INTERPRETABILITY_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
STUDY_WEIGHTS = DATA / "study2020" / "model_cnn.pt"
MNIST_TEST = DATA / "MNIST" / "raw" / "t10k-images-idx3-ubyte"

# Classifiers of torchvision that are piecewise linear, so that LRP-0 is input x gradient; with the smallest picture.
RELU_CLASSIFIERS = {
    "alexnet": 64,
    "vgg11": 32,
    "vgg11_bn": 32,
    "resnet18": 64,
    "squeezenet1_0": 64,
    "densenet121": 64,
    "shufflenet_v2_x0_5": 64,
    "mnasnet0_5": 64,
}


def seeded(seed: int) -> torch.Generator:
    """Return a generator of its own, so that no test depends on the order of tests."""
    return torch.Generator().manual_seed(seed)


def uniform(*shape: int, low: float = 0.0, high: float = 1.0, seed: int = 0) -> Tensor:
    """Draw values in [low, high)."""
    return low + (high - low) * torch.rand(*shape, generator=seeded(seed), dtype=torch.float64)


def randomised(model: nn.Module, seed: int = 0, dtype: torch.dtype = torch.float64) -> nn.Module:
    """Give a model new weights and biases, and statistics to its batch norms, that keep activations of order one.

    Biases and shifts are large enough to matter, and scales of batch norm have both signs.
    """
    generator = seeded(seed)
    model = model.to(dtype)

    def fill(values: Tensor, low: float, high: float) -> None:
        drawn = torch.rand(values.shape, generator=generator, dtype=torch.float64)
        values.copy_((low + (high - low) * drawn).to(dtype))

    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                if module.track_running_stats:
                    fill(module.running_mean, -0.5, 0.5)
                    fill(module.running_var, 0.5, 1.5)
                if module.affine:
                    fill(module.weight, 0.5, 1.5)
                    module.weight[::3] *= -1
                    fill(module.bias, -0.3, 0.3)
                continue
            for name, parameter in module.named_parameters(recurse=False):
                bound = 0.3 if parameter.dim() < 2 else math.sqrt(6 / parameter[0].numel())
                fill(parameter, -bound, bound)
                if name == "bias" and isinstance(module, nn.Linear):
                    fill(parameter, -0.1, 0.1)
    return model


def small_cnn(*, study: bool = True, dtype: torch.dtype = torch.float64) -> nn.Module:
    """Return the study's network: with the study's own weights where they are at hand, else with random ones."""
    model = build_model("small_cnn")
    if study and STUDY_WEIGHTS.is_file():
        model.load_state_dict(torch.load(STUDY_WEIGHTS, map_location="cpu", weights_only=True))
        return model.to(dtype)
    return randomised(model, seed=1, dtype=dtype)


def digits(count: int = 8, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return MNIST digits where they are at hand, else bright bars on black; either way most of a picture is black."""
    if MNIST_TEST.is_file():
        content = MNIST_TEST.read_bytes()
        images = read_idx(content, name=MNIST_TEST.name, item_shape=(28, 28))[:count]
        return torch.from_numpy(images.astype(np.float64) / 255)[:, None].to(dtype)
    images = torch.zeros(count, 1, 28, 28, dtype=torch.float64)
    for i, image in enumerate(images):
        image[0, 4 + i % 12 : 9 + i % 12, 5:20] = uniform(5, 15, low=0.3, seed=i)
        image[0, 5:24, 6 + i % 10 : 9 + i % 10] = uniform(19, 3, low=0.5, seed=100 + i)
    return images.to(dtype)


def torchvision_classifier(
    name: str, *, dtype: torch.dtype = torch.float64, classes: int = 10, **settings: Any
) -> nn.Module:
    """Build a torchvision classifier with random weights and statistics."""
    import torchvision

    # Its own initialisation of the large linear layers takes seconds and is overwritten anyway.
    with torch.device("meta"):
        model = getattr(torchvision.models, name)(weights=None, num_classes=classes, **settings)
        if name.startswith(("alexnet", "vgg")):
            _narrow(model.classifier)
    model = model.to_empty(device="cpu")
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.num_batches_tracked.zero_()
    return randomised(model, seed=2, dtype=dtype)


def _narrow(classifier: nn.Sequential, width: int = 64) -> None:
    """Give the linear layers of a classifier few hidden units, else its weights are a gigabyte of float64."""
    features = None
    for i, module in enumerate(classifier):
        if isinstance(module, nn.Linear):
            last = i == len(classifier) - 1
            classifier[i] = nn.Linear(features or module.in_features, module.out_features if last else width)
            features = width


class Net(nn.Module):
    """A network from named modules and a function of itself and its input."""

    def __init__(self, function: Callable[[Any, Tensor], Any], **modules: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, images: Tensor) -> Any:
        return self.function(self, images)


def net(function: Callable[[Any, Tensor], Any], seed: int = 0, **modules: nn.Module) -> Net:
    """Return such a network with random weights, in float64."""
    randomised_net = randomised(Net(function, **modules), seed)
    assert isinstance(randomised_net, Net)
    return randomised_net


def relative(found: Tensor, expected: Tensor) -> float:
    """Largest deviation, relative to the largest expected magnitude; absolute where nothing but zero is expected."""
    assert found.shape == expected.shape
    size = expected.detach().abs().max().double()
    return float((found.detach().double() - expected.detach().double()).abs().max() / (size if size > 0 else 1.0))
