"""Grad-CAM against captum and pytorch-grad-cam."""

from __future__ import annotations

import nets
import pytest
import torch
from torch import Tensor, nn

import nn_interpretability  # noqa: F401 (before pytorch-grad-cam, which imports torchvision)
from nn_interpretability import CAM, GradCAM, GuidedGradCAM

# isort: split
from captum.attr import GuidedGradCam, LayerGradCam
from pytorch_grad_cam import GradCAM as PytorchGradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

LAYERS = {
    "small_cnn": ["features.conv1", "features.pool1", "features.relu2"],
    "resnet18": ["conv1", "layer1.0", "layer4", "layer2.1.bn2"],
    "densenet121": ["features.denseblock2", "features"],
    "squeezenet1_0": ["features.12.expand3x3", "classifier.1"],
    "shufflenet_v2_x0_5": ["stage3", "conv5"],
}
CASES = [(model, layer) for model, layers in LAYERS.items() for layer in layers]


def prepared(name: str) -> tuple[nn.Module, Tensor]:
    if name == "small_cnn":
        return nets.small_cnn(), nets.digits(4)
    return nets.torchvision_classifier(name).eval(), nets.uniform(4, 3, 64, 64, seed=3)


@pytest.mark.parametrize(("name", "layer"), CASES)
def test_raw_maps_are_captums(name: str, layer: str) -> None:
    model, images = prepared(name)
    target = torch.tensor([3, 0, 9, 3])
    found = GradCAM(model, layer=layer).interpret(images, target).details["raw_map"]
    expected = LayerGradCam(model, model.get_submodule(layer)).attribute(images, target=target)
    assert nets.relative(found[:, None], expected) < 1e-12
    assert found.any()


def spread(maps: Tensor) -> Tensor:
    low, high = maps.amin((-2, -1), keepdim=True), maps.amax((-2, -1), keepdim=True)
    return (maps - low) / (1e-7 + high - low)


@pytest.mark.parametrize(
    ("name", "layer"), [("small_cnn", "features.relu2"), ("resnet18", "layer4"), ("shufflenet_v2_x0_5", "stage3")]
)
def test_enlarged_maps_are_those_of_pytorch_grad_cam(name: str, layer: str) -> None:
    """It stretches each map to [0, 1], enlarges it with OpenCV, and stretches it again."""
    model, images = prepared(name)
    found = GradCAM(model, layer=layer).interpret(images, 3).values[:, 0]
    with PytorchGradCAM(model=model, target_layers=[model.get_submodule(layer)]) as peer:
        expected = torch.from_numpy(peer(input_tensor=images.clone(), targets=[ClassifierOutputTarget(3)] * 4))
    drawn = found.amax((1, 2)) > 0
    assert drawn.any()
    assert (spread(found) - expected)[drawn].abs().max() < 1e-5


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "shufflenet_v2_x0_5"])
def test_cam_is_captums_grad_cam_times_the_number_of_places(name: str) -> None:
    model, images = prepared(name)
    layer = {"resnet18": "layer4", "shufflenet_v2_x0_5": "conv5"}.get(name, "features.norm5")
    cam = CAM(model).interpret(images, 2).details["raw_map"]
    peer = LayerGradCam(model, model.get_submodule(layer)).attribute(images, target=2, relu_attributions=False)[:, 0]
    if name == "densenet121":  # a functional ReLU follows the last layer that has a name
        model_relu = nn.Sequential(model.features, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), model.classifier)
        peer = LayerGradCam(model_relu, model_relu[1]).attribute(images, target=2)[:, 0]
    assert nets.relative(cam, peer * cam[0].numel()) < 1e-12


@pytest.mark.parametrize(("name", "layer"), [("small_cnn", "features.pool1"), ("alexnet", "features.8")])
def test_guided_grad_cam_is_captums(name: str, layer: str) -> None:
    """It enlarges to the nearest value; in-place ReLUs would be a trap on its side."""
    model, images = prepared(name)
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    found = GuidedGradCAM(model, layer=layer, upsampling="nearest").interpret(images, 3)
    expected = GuidedGradCam(model, model.get_submodule(layer)).attribute(images, target=3)
    assert nets.relative(found.values, expected) < 1e-12
    assert found.values.any()
