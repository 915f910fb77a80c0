"""The study's networks: names, sizes, order of the layers, and its own weights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nn_interpretability.code_digest import code_digest
from nn_interpretability.data.idx import read_idx
from nn_interpretability.errors import ConfigError
from nn_interpretability.models import architecture_module, architectures, build_model
from nn_interpretability.models.weights import load_weights


def test_every_network_can_be_built_and_has_its_own_code_digest():
    assert "small_cnn" in architectures()
    for name in architectures():
        assert isinstance(build_model(name), torch.nn.Module)
        assert code_digest(architecture_module(name)) != code_digest("nn_interpretability.models.build")


def test_an_unknown_network_is_named_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"no network 'big_cnn'\. The networks are: .*small_cnn"):
        build_model("big_cnn")
    with pytest.raises(ConfigError):
        build_model("weights")


def test_list_of_networks_costs_no_torch():
    code = (
        "import sys; from nn_interpretability.models import architectures; architectures();"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_small_cnn_has_the_parameters_of_the_study():
    model = build_model("small_cnn")
    assert sum(p.numel() for p in model.parameters()) == 21_840
    assert {name: tuple(value.shape) for name, value in model.state_dict().items()} == {
        "features.conv1.weight": (10, 1, 5, 5),
        "features.conv1.bias": (10,),
        "features.conv2.weight": (20, 10, 5, 5),
        "features.conv2.bias": (20,),
        "classifier.fc1.weight": (50, 320),
        "classifier.fc1.bias": (50,),
        "classifier.fc2.weight": (10, 50),
        "classifier.fc2.bias": (10,),
    }


def test_small_cnn_pools_before_its_relu():
    kinds = [type(layer).__name__ for layer in build_model("small_cnn").features]
    assert kinds == ["Conv2d", "MaxPool2d", "ReLU"] * 2


def test_small_cnn_is_what_its_description_says():
    model = build_model("small_cnn").double()
    state = model.state_dict()
    images = torch.rand(5, 1, 28, 28, dtype=torch.float64)
    x = images
    for layer in ("features.conv1", "features.conv2"):
        x = F.relu(F.max_pool2d(F.conv2d(x, state[f"{layer}.weight"], state[f"{layer}.bias"]), 2))
    x = F.relu(x.reshape(5, 320) @ state["classifier.fc1.weight"].T + state["classifier.fc1.bias"])
    x = x @ state["classifier.fc2.weight"].T + state["classifier.fc2.bias"]
    torch.testing.assert_close(model(images), x, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (3, 28, 28), (2, 3, 28, 28), (2, 1, 32, 32), (2, 28, 28, 1)])
def test_small_cnn_refuses_other_shapes_in_words(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"shape \(n, 1, 28, 28\), not \("):
        build_model("small_cnn")(torch.zeros(shape))


def test_published_weights_fit_and_classify_unseen_digits(study_data: Path):
    model = load_weights(build_model("small_cnn"), study_data / "study2020" / "model_cnn.pt").eval()
    raw = study_data / "MNIST" / "raw"
    images = read_idx((raw / "t10k-images-idx3-ubyte").read_bytes(), name="images", item_shape=(28, 28))[:1000]
    labels = read_idx((raw / "t10k-labels-idx1-ubyte").read_bytes(), name="labels", item_shape=())[:1000]
    with torch.no_grad():
        predicted = model(torch.from_numpy(images[:, None].astype(np.float32) / 255)).argmax(1).numpy()
    assert (predicted == labels).mean() > 0.97
