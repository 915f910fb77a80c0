"""Class activation maps: CAM, Grad-CAM, the head that CAM needs, and their words."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import nets
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nn_interpretability import CAM, LRP, GradCAM, GuidedBackprop, GuidedGradCAM, MCDropout, with_gap_head
from nn_interpretability.errors import ConfigError, CoverageWarning, DataError
from nn_interpretability.methods.class_map import ClassMap
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import load_weights
from nn_interpretability.rules.gap_head import _pooled

# --- nets that end in global average pooling --------------------------------------------------------------------------


def functional(model: Any, images: Tensor) -> Tensor:
    maps = F.relu_(model.conv(images))
    pooled = F.avg_pool2d(maps, maps.shape[2:])
    maps.mul_(7)  # too late for the scores; the feature maps were those before
    return model.linear(F.dropout(pooled.view(len(images), -1), training=model.training))


def by_mean(model: Any, images: Tensor) -> Tensor:
    return model.linear(torch.mean(model.conv(images).tanh(), dim=[2, 3]))


def pool_is_the_end(model: Any, images: Tensor) -> Tensor:
    return F.adaptive_avg_pool2d(F.relu(model.conv(images)), 1).squeeze(3).squeeze(2)


HEADS = {
    "functional": functional,
    "by mean": by_mean,
    "the pool is the end": pool_is_the_end,
}
IMAGES = nets.uniform(4, 2, 9, 7, low=-1)


def with_head(name: str) -> nn.Module:
    return nets.net(HEADS[name], conv=nn.Conv2d(2, 5, 3), linear=nn.Linear(5, 4)).train()


def test_the_default_device_does_not_matter():
    method = GradCAM(with_head("by mean"), layer="conv")
    expected = method.interpret(IMAGES).values
    with torch.device("meta"):
        assert torch.equal(method.interpret(IMAGES).values, expected)


@pytest.mark.parametrize("name", HEADS)
def test_the_mean_of_a_map_and_the_bias_are_the_score(name: str):
    model = with_head(name)
    found = CAM(model).interpret(IMAGES, "all")
    bias = 0 if name == "the pool is the end" else model.linear.bias
    assert nets.relative(found.details["raw_map"].mean((2, 3)) + bias, found.logits) < 1e-14
    assert found.values.shape == (4, len(found.logits[0]), 1, 9, 7)
    one = CAM(model).interpret(IMAGES, 2)
    assert nets.relative(one.values, found.values[:, 2]) < 1e-14


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "squeezenet1_0", "shufflenet_v2_x0_5", "mnasnet0_5"])
def test_models_of_torchvision_with_such_an_end(name: str):
    model = nets.torchvision_classifier(name)
    images = nets.uniform(2, 3, 64, 64)
    found = CAM(model).interpret(images, 3)
    last = list(model.modules())[-1]
    bias = last.bias[3] if isinstance(last, nn.Linear) else 0
    assert nets.relative(found.details["raw_map"].mean((1, 2)) + bias, found.score) < 1e-12


def test_dropout_in_front_of_the_weights_is_part_of_the_map():
    """In every pass the mean of the map and the bias are the score; a mask twice, on means with and without axes."""

    def forward(model: Any, images: Tensor) -> Tensor:
        pooled = F.dropout2d(F.adaptive_avg_pool2d(F.relu(model.conv(images)), 1), 0.3) * 2
        return model.linear(gates * F.dropout(pooled.flatten(1), 0.4) / 0.5)

    gates = nets.uniform(5, low=1, high=2)
    model = nets.net(forward, conv=nn.Conv2d(2, 5, 3, padding=1), linear=nn.Linear(5, 4))
    found = MCDropout(CAM(model), passes=6, block=3, keep_raw=6).interpret(IMAGES, 2)
    assert (found.logits.std(0) > 0).all()
    assert nets.relative(found.raw.flatten(2).mean(2) + model.linear.bias[2], found.logits[:, :, 2]) < 1e-12


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_pool_is_recognised_to_rounding_in_any_precision(dtype: torch.dtype):
    ones, eps = torch.ones(2, 3, 4, 4, dtype=dtype), torch.finfo(dtype).eps
    assert _pooled(ones, torch.full((2, 3), 1 + eps, dtype=dtype)) is not None
    assert _pooled(ones, torch.full((2, 3), 1.1, dtype=dtype)) is None


def softmaxed(model: Any, images: Tensor) -> Tensor:
    return model.linear(model.conv(images).mean((2, 3))).softmax(1)


def two_layers(model: Any, images: Tensor) -> Tensor:
    return model.more(model.linear(model.conv(images).mean((2, 3))).relu())


def flattened(model: Any, images: Tensor) -> Tensor:
    return model.wide(model.conv(images).flatten(1))


def partly_pooled(model: Any, images: Tensor) -> Tensor:
    return model.linear(F.avg_pool2d(model.conv(images), (3, 5), stride=9).flatten(1))


def mean_of_squares(model: Any, images: Tensor) -> Tensor:
    return model.linear(model.conv(images).mean((2, 3)) ** 2)


@pytest.mark.parametrize("forward", [softmaxed, two_layers, flattened, partly_pooled, mean_of_squares])
def test_other_ends_are_refused(forward: Any):
    model = nets.net(
        forward, conv=nn.Conv2d(2, 5, 3), linear=nn.Linear(5, 4), more=nn.Linear(4, 3), wide=nn.Linear(175, 4)
    )
    with pytest.raises(ConfigError, match=r"CAM needs a model that ends in global average pooling.*with_gap_head"):
        CAM(model).interpret(IMAGES)


# --- Grad-CAM ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("upsampling", ["bilinear", "bicubic", "nearest"])
def test_grad_cam_at_the_pooled_maps_is_cam_over_the_number_of_places(upsampling: Any, relu: bool):
    model = build_model("cam_3x3")
    nets.randomised(model, seed=4)
    images = nets.digits(5)
    grad = GradCAM(model, layer="relu3", upsampling=upsampling, relu=relu).interpret(images, "all")
    cam = CAM(model, upsampling=upsampling).interpret(images, "all")
    raw = cam.details["raw_map"] / 9
    assert nets.relative(grad.details["raw_map"], raw) < 1e-12
    assert (raw < 0).any()
    kept = raw.clamp(min=0) if relu else raw
    drawn = F.interpolate(kept, (28, 28), mode=upsampling, align_corners=None if upsampling == "nearest" else False)
    assert nets.relative(grad.values[:, :, 0], drawn) < 1e-12


def test_corners_are_aligned_where_asked_for():
    model, images = nets.small_cnn(study=False), nets.digits(3)
    found = GradCAM(model, layer="features.relu2", align_corners=True).interpret(images, 4)
    raw = found.details["raw_map"].clamp(min=0)
    assert torch.allclose(found.values[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]], raw[:, [0, 0, -1, -1], [0, -1, 0, -1]])
    apart = GradCAM(model, layer="features.relu2").interpret(images, 4).values
    assert nets.relative(apart, found.values) > 0.01


def test_feature_maps_are_those_before_an_activation_writes_into_them():
    layers = (nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(140, 3))
    made = [nn.Sequential(layers[0], nn.ReLU(inplace=flag), *layers[1:]) for flag in (True, False)]
    nets.randomised(made[0])
    in_place, apart = (GradCAM(model, layer="0").interpret(IMAGES, 1) for model in made)
    assert torch.equal(in_place.values, apart.values)
    assert (made[0][0](IMAGES) < 0).any()
    behind = GradCAM(made[0], layer="1").interpret(IMAGES, 1)
    assert torch.equal(behind.values, GradCAM(made[1], layer="1").interpret(IMAGES, 1).values)
    assert not torch.equal(behind.values, in_place.values)


def test_weights_and_functions_as_targets():
    model = with_head("by mean")
    weights = nets.uniform(4, 4, low=-1)
    for method in (CAM(model), GradCAM(model, layer="conv", relu=False)):
        every = method.interpret(IMAGES, "all").details["raw_map"]
        expected = torch.einsum("nk,nkyx->nyx", weights, every)
        assert nets.relative(method.interpret(IMAGES, weights).details["raw_map"], expected) < 1e-12
        function = method.interpret(IMAGES, lambda scores: (scores * weights).sum(1))
        assert nets.relative(function.details["raw_map"], expected) < 1e-12


def test_chunks_keep_the_raw_maps():
    method = GradCAM(with_head("by mean"), layer="conv")
    whole, parts = method.interpret(IMAGES), method.interpret(IMAGES, chunk=3)
    assert nets.relative(parts.details["raw_map"], whole.details["raw_map"]) < 1e-12


def test_guided_grad_cam_is_the_product_of_its_parts():
    model, images = nets.small_cnn(study=False), nets.digits(4)
    found = GuidedGradCAM(model, layer="features.pool1").interpret(images, "all")
    where = GradCAM(model, layer="features.pool1").interpret(images, "all")
    assert torch.equal(found.values, where.values * GuidedBackprop(model).interpret(images, "all").values)
    assert torch.equal(found.details["class_map"], where.values)
    assert torch.equal(found.details["raw_map"], where.details["raw_map"])
    with pytest.warns(CoverageWarning, match="GuidedBackprop has no rule for .*tanh"):
        GuidedGradCAM(with_head("by mean"), layer="conv").interpret(IMAGES)


@pytest.mark.parametrize("make", [lambda m: GradCAM(m, layer="conv"), CAM, lambda m: LRP(m, layer="conv")])
def test_memory_is_freed_at_once(make: Any):
    seen: list[weakref.ref[Tensor]] = []

    def forward(model: Any, images: Tensor) -> Tensor:
        hidden = model.conv(images)
        seen.extend([weakref.ref(images), weakref.ref(hidden)])
        return model.linear(hidden.relu().mean((2, 3)))

    model = nets.net(forward, conv=nn.Conv2d(2, 5, 3), linear=nn.Linear(5, 4))
    gc.collect()
    gc.disable()
    try:
        make(model).interpret(IMAGES, "all")
        assert {reference() for reference in seen} == {None}
    finally:
        gc.enable()


def test_the_layer_is_left_as_it_was():
    model = with_head("by mean")
    called: list[str] = []
    model.conv.register_forward_hook(lambda *_: called.append("theirs"))
    before = tuple(model.conv._forward_hooks)
    for _ in range(3):
        GradCAM(model, layer="conv").interpret(IMAGES)
    assert tuple(model.conv._forward_hooks) == before
    assert len(called) == 3
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert model.training


def raising(model: Any, images: Tensor) -> Tensor:
    hidden = model.conv(images)
    raise ArithmeticError("after the layer")
    return hidden


def twice(model: Any, images: Tensor) -> Tensor:
    return model.linear(model.relu(model.relu(model.conv(images)) - 0.1).mean((2, 3)))


def unused(model: Any, images: Tensor) -> Tensor:
    return model.linear(model.other(images).mean((2, 3)))


def beside(model: Any, images: Tensor) -> Tensor:
    model.conv(images)
    return model.linear(model.other(images).mean((2, 3)))


@pytest.mark.parametrize(
    ("forward", "layer", "words"),
    [
        (twice, "relu", "'relu' is used 2 times"),
        (unused, "conv", "'conv' is used not at all"),
        (beside, "conv", "Nothing arrives at the output of 'conv'"),
        (by_mean, "linear", r"'linear' returns the shape \(4, 4\), not feature maps"),
        (by_mean, "cnov", r"no layer 'cnov'. Did you mean 'conv'\? Layers: conv, other, relu, linear\."),
        (by_mean, "", "no layer ''"),
        (by_mean, 3, "no layer 3"),
    ],
)
def test_layers_that_do_not_do(forward: Any, layer: Any, words: str):
    model = nets.net(forward, conv=nn.Conv2d(2, 5, 3), other=nn.Conv2d(2, 5, 3), relu=nn.ReLU(), linear=nn.Linear(5, 4))
    with pytest.raises(ConfigError, match=words):
        GradCAM(model, layer=layer).interpret(IMAGES)
    assert not any(module._forward_hooks for module in model.modules())


def test_long_lists_of_layers_are_cut():
    with pytest.raises(ConfigError, match=r"Did you mean 'layer4'\? Layers: conv1, bn1, .* in all"):
        GradCAM(nets.torchvision_classifier("resnet18"), layer="layer_4")


def test_no_hook_is_left_after_an_exception():
    model = nets.net(raising, conv=nn.Conv2d(2, 5, 3))
    with pytest.raises(ArithmeticError, match="after the layer"):
        GradCAM(model, layer="conv").interpret(IMAGES)
    assert not model.conv._forward_hooks


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"upsampling": "cubic"}, "'cubic'"),
        ({"upsampling": "nearest", "align_corners": True}, "align_corners=True"),
        ({"align_corners": 1}, "align_corners=1"),
        ({"relu": "no"}, "'no'"),
    ],
)
def test_bad_hyper_parameters(options: dict[str, Any], words: str):
    with pytest.raises(ConfigError, match=words):
        GradCAM(with_head("by mean"), layer="conv", **options)


def test_vectors_have_no_map():
    with pytest.raises(DataError, match="CAM needs images"):
        CAM(nets.randomised(nn.Linear(4, 2))).interpret(nets.uniform(2, 4))
    assert issubclass(CAM, ClassMap)


# --- a head for CAM ---------------------------------------------------------------------------------------------------


def test_a_net_is_cut_after_its_last_block():
    model = nets.small_cnn(study=False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    cut = with_gap_head(model)
    assert torch.equal(torch.get_rng_state(), random)
    assert cut.layer == "features"
    assert [name for name in cut.state_dict() if "features" not in name] == ["fc.weight", "fc.bias"]
    assert torch.equal(cut.fc.weight, with_gap_head(model).fc.weight)
    assert not torch.equal(cut.fc.weight, with_gap_head(model, seed=1).fc.weight)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    images = nets.digits(3)
    found = CAM(cut).interpret(images, "all")
    assert nets.relative(found.details["raw_map"].mean((2, 3)) + cut.fc.bias, found.logits) < 1e-12
    features = model.features(images).mean((2, 3))
    assert nets.relative(found.logits, features @ cut.fc.weight.T + cut.fc.bias) < 1e-12


@pytest.mark.parametrize("name", ["vgg11", "resnet18", "densenet121", "mobilenet_v3_small", "googlenet"])
def test_models_of_torchvision_get_such_a_head(name: str):
    options = {"aux_logits": False} if name == "googlenet" else {}
    model = nets.torchvision_classifier(name) if not options else nets.randomised(googlenet())
    cut = with_gap_head(model, nets.uniform(1, 3, 64, 64), classes=6).eval()
    found = CAM(cut).interpret(nets.uniform(2, 3, 64, 64), 5)
    assert found.logits.shape == (2, 6)
    assert nets.relative(found.details["raw_map"].mean((1, 2)) + cut.fc.bias[5], found.score) < 1e-12


def googlenet() -> nn.Module:
    import torchvision

    return torchvision.models.googlenet(weights=None, num_classes=10, aux_logits=False, init_weights=False).double()


def test_such_a_net_learns_and_can_be_stored(tmp_path: Path):
    cut = with_gap_head(nets.small_cnn(study=False), classes=3)
    optimizer = torch.optim.SGD(cut.parameters(), lr=0.05)
    images, labels = nets.digits(8), torch.arange(8) % 3
    losses = []
    for _ in range(5):
        loss = F.cross_entropy(cut(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert all(parameter.grad is not None for parameter in cut.parameters())
    torch.save(cut.state_dict(), tmp_path / "cut.pt")
    again = with_gap_head(nets.small_cnn(study=False), classes=3)
    again.load_state_dict(torch.load(tmp_path / "cut.pt", weights_only=True))
    assert torch.equal(again(images), cut(images))


def test_relevance_passes_through_such_a_net():
    cut = with_gap_head(nets.small_cnn(study=False))
    found = LRP(cut, rule="0", trace=True, strict=True).interpret(nets.digits(3), 1)
    assert found.trace.unaccounted.abs().max() < 1e-10


def test_another_cut():
    cut = with_gap_head(nets.small_cnn(study=False), layer="features.relu1")
    assert cut.fc.in_features == 10
    assert isinstance(cut.body.features.conv2, nn.Identity)


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        (nn.Linear(3, 2), {}, "no convolution"),
        (build_model("small_cnn"), {"layer": "features.conv3"}, "Did you mean 'features.conv"),
        (build_model("small_cnn"), {"layer": "classifier.fc1"}, "returns no feature maps"),
        (build_model("small_cnn"), {"images": torch.zeros(1, 1, 32, 32)}, "trial run failed"),
        (
            nn.Sequential(nn.Conv2d(1, 2, 28), nn.Flatten()),
            {"images": torch.zeros(1, 1, 28, 28)},
            "more than one place",
        ),
        (nn.Conv2d(1, 2, 3), {}, "does not return scores"),
    ],
)
def test_nets_that_cannot_be_cut(model: nn.Module, options: dict[str, Any], words: str):
    with pytest.raises(ConfigError, match=words):
        with_gap_head(model, **options)


# --- the study's networks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "file", "size"), [("cam_3x3", "cam_classifier.pt", 3), ("cam_6x6", "cam_extended_classifier.pt", 6)]
)
def test_the_published_weights_load_strictly(study_data: Path, name: str, file: str, size: int):
    model = load_weights(build_model(name), study_data / "study2020" / file).double()
    images = nets.digits(20)
    found = CAM(model).interpret(images)
    assert found.details["raw_map"].shape == (20, size, size)
    assert found.logits.argmax(1)[:8].tolist() == [7, 2, 1, 0, 4, 1, 4, 9]
    bias = model.fc.bias[found.target]
    assert nets.relative(found.details["raw_map"].mean((1, 2)) + bias, found.score) < 1e-12
