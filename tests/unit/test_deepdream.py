"""DeepDream: tiles, octaves, roll, noise, penalty, bounds, and going on after a stop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.synthesis import deepdream as module
from nn_interpretability.synthesis.deepdream import DeepDream
from nn_interpretability.synthesis.octaves import checked_octaves, octave_size
from nn_interpretability.synthesis.tiles import STRIDE, seams, spans

# Receptive field of `deep` in `net`: 3, +1 for the pool, +2 * 2, +2 * 2 for stride 2 -> 12 pixels, and stride 4.
RECEPTIVE_FIELD = 12


def net(channels: int = 3, dtype: torch.dtype = torch.float64) -> nn.Module:
    """Padded and strided convolutions and a pool, then a head that takes one size only, which must never run."""
    torch.manual_seed(3)
    body = nn.Sequential()
    body.add_module("first", nn.Conv2d(channels, 6, 3, padding=1))
    body.add_module("relu", nn.ReLU(inplace=True))
    body.add_module("pool", nn.MaxPool2d(2))
    body.add_module("middle", nn.Conv2d(6, 5, 3, stride=2, padding=1))
    body.add_module("deep", nn.Softplus())
    body.add_module("flat", nn.Flatten())
    body.add_module("head", nn.Linear(7, 2))
    return body.to(dtype)


def photograph(height: int = 96, width: int = 140, channels: int = 3) -> Tensor:
    return torch.rand(channels, height, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def dream(image: Tensor | None = None, **changes: object) -> Tensor:
    settings: dict[str, object] = {"layer": "deep", "octaves": 2, "steps": 3, "tile": 64, "overlap": 16}
    return DeepDream(net(), **{**settings, **changes}).synthesize(photograph() if image is None else image).image


@pytest.mark.parametrize("length", [1, 31, 64, 65, 96, 97, 200, 513])
@pytest.mark.parametrize(("tile", "overlap"), [(64, 0), (64, 16), (100, 20), (128, 32)])
def test_tiles_cover_each_pixel_once_and_are_never_wider_than_asked(length: int, tile: int, overlap: int) -> None:
    cut = spans(length, tile, overlap)
    assert [pixel for span in cut for pixel in range(span.first, span.last)] == list(range(length))
    assert all(span.stop - span.start <= tile for span in cut)
    assert all(span.start % STRIDE == 0 for span in cut)
    assert all(span.stop - span.start > min(tile - STRIDE, length - 1) for span in cut)
    for span in cut:
        assert span.first - span.start >= overlap or span.start == 0
        assert span.stop - span.last >= overlap or span.stop == length


def test_a_narrow_last_tile_sees_more_than_its_own() -> None:
    last = spans(513, 512, 0)[-1]
    assert (last.first, last.last) == (512, 513)
    assert last.stop - last.start > 400
    assert seams(513, 512, 0) == [512]


@pytest.mark.parametrize("side", [(96, 140), (160, 224), (161, 230)])
def test_a_tiled_gradient_with_enough_overlap_is_the_untiled_one(side: tuple[int, int]) -> None:
    x = photograph(*side)[None]
    whole, _ = DeepDream(net(), layer="deep", tile=None).gradient(x)
    tiled, _ = DeepDream(net(), layer="deep", tile=64, overlap=RECEPTIVE_FIELD + 4).gradient(x)
    scale = (
        tiled.std() / whole.std()
    )  # positions are counted in one tile: their number per pixel may differ by rounding
    assert scale == pytest.approx(1, abs=0.02)
    torch.testing.assert_close(tiled / scale, whole, rtol=1e-12, atol=1e-16)


def test_without_overlap_only_the_edges_of_tiles_differ() -> None:
    x = photograph(128, 128)[None]
    whole, _ = DeepDream(net(), layer="deep", tile=None).gradient(x)
    tiled, _ = DeepDream(net(), layer="deep", tile=64, overlap=0).gradient(x)
    differs = ((tiled - whole).abs() > 1e-14).any(dim=(0)).any(dim=0).nonzero()
    assert len(differs) > 0
    assert ((differs - 64).abs().amin(dim=1) <= RECEPTIVE_FIELD).all()


def test_the_gradient_is_that_of_the_mean_minus_the_penalty() -> None:
    model, x = net(), photograph()[None].clone().requires_grad_(True)
    value = model[:5](x.clone())[:, [1, 3]].mean() - 0.7 * x.square().mean().sqrt()
    (expected,) = torch.autograd.grad(value, x)
    found, activation = DeepDream(model, layer="deep", channel=[1, 3], penalty=0.7).gradient(x.detach())
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-18)
    assert activation.item() == pytest.approx(value.item() + 0.7 * x.square().mean().sqrt().item(), rel=1e-12)


def test_one_step_is_the_formula() -> None:
    image = 0.4 + 0.2 * photograph()  # far enough from the bounds
    gradient, _ = DeepDream(net(), layer="deep").gradient(image[None])
    expected = image + 0.01 * gradient[0] / gradient.std(correction=0)
    found = DeepDream(net(), layer="deep", octaves=1, steps=1, learning_rate=0.01, roll=False).synthesize(image).image
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_the_default_device_does_not_matter() -> None:
    ascent, image = DeepDream(net(), layer="deep", octaves=2, steps=3, tile=64, overlap=16), photograph()
    expected = ascent.synthesize(image)
    with torch.device("meta"):
        found = ascent.synthesize(image)
    assert torch.equal(found.image, expected.image)
    assert torch.equal(found.activation, expected.activation)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_model_of_half_precision_dreams_what_its_twin_dreams(tmp_path, dtype: torch.dtype) -> None:
    settings, image = {"layer": "deep", "octaves": 2, "steps": 3, "penalty": 0.1}, photograph().to(dtype)
    found = DeepDream(net(dtype=dtype), **settings).synthesize(image, checkpoint=tmp_path / "state.h5").image
    expected = DeepDream(net(), **settings).synthesize(image.double()).image
    assert found.dtype == dtype
    assert torch.corrcoef(torch.stack([(x.double() - image).flatten() for x in (found, expected)]))[0, 1] > 0.9


def test_a_step_undoes_its_roll(monkeypatch: pytest.MonkeyPatch) -> None:
    # With a gradient that is the picture itself, where the picture was rolled to cannot matter.
    ascent = DeepDream(net(), layer="deep", roll=True, learning_rate=0.01)
    monkeypatch.setattr(ascent, "gradient", lambda x: (x.clone(), torch.zeros(1)))
    x = 0.3 + 0.2 * photograph()[None]
    assert ascent._shift(5, (96, 140)) != (0, 0)
    torch.testing.assert_close(ascent._step(x, 5)[0], x + 0.01 * x / x.std(correction=0), rtol=1e-12, atol=0)


def test_shifts_stay_within_a_tile_and_differ_from_step_to_step() -> None:
    ascent = DeepDream(net(), layer="deep", tile=64, overlap=0)
    shifts = [ascent._shift(draw, (96, 40)) for draw in range(50)]
    assert len(set(shifts)) > 40
    assert max(y for y, _ in shifts) < 64
    assert max(x for _, x in shifts) < 40


def test_the_same_seed_gives_the_same_bits_and_another_other_ones() -> None:
    assert torch.equal(dream(noise=0.1, seed=4), dream(noise=0.1, seed=4))
    assert not torch.equal(dream(noise=0.1, seed=4), dream(noise=0.1, seed=5))
    assert not torch.equal(dream(roll=True, seed=4), dream(roll=True, seed=5))


def test_without_noise_and_roll_the_seed_does_not_matter() -> None:
    assert torch.equal(dream(roll=False, seed=4), dream(roll=False, seed=5))


@pytest.mark.parametrize("change", [{"octaves": 1}, {"roll": False}, {"tile": None}, {"noise": 0.0}, {"penalty": 0.0}])
def test_each_technique_can_be_switched_off_by_itself(change: dict[str, object]) -> None:
    everything = {"octaves": 2, "roll": True, "tile": 64, "overlap": 0, "noise": 0.05, "penalty": 0.05}
    assert not torch.equal(dream(**everything), dream(**{**everything, **change}))


def test_the_penalty_lowers_the_norm_and_the_reward_raises_it() -> None:
    def norm(penalty: float) -> float:
        settings = {"mean": [0.5] * 3, "std": [0.25] * 3, "penalty": penalty}
        return float(((dream(0.3 + 0.4 * photograph(), **settings) - 0.5) / 0.25).norm())

    assert norm(2.0) < norm(0.0) < norm(-2.0)


def test_noise_has_the_documented_size_in_every_channel() -> None:
    ascent = DeepDream(net(), layer="deep", noise=0.1, bounds=(-1, 1), mean=[0, 0, 0], std=[0.5, 1, 2])
    drawn = ascent._noise(0, torch.zeros(2, 3, 200, 200, dtype=torch.float64))
    assert drawn.std(dim=(1, 2)).tolist() == pytest.approx([0.4, 0.2, 0.1], rel=0.02)


@pytest.mark.parametrize("normalised", [False, True])
def test_the_picture_stays_within_its_bounds(normalised: bool) -> None:
    settings: dict[str, object] = {"learning_rate": 1.0, "noise": 0.5, "penalty": -1.0}
    if normalised:
        settings |= {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}
    image = dream(**settings)
    assert image.min() == 0
    assert image.max() == 1


def test_mean_and_std_are_what_the_model_would_be_given() -> None:
    image, mean, std = 0.3 + 0.4 * photograph(), torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.3, 0.4])

    class Normalised(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net()

        def forward(self, x: Tensor) -> Tensor:
            return self.net((x - mean[:, None, None]) / std[:, None, None])

    outside, _ = DeepDream(net(), layer="deep").gradient(((image - mean[:, None, None]) / std[:, None, None])[None])
    inside, _ = DeepDream(Normalised(), layer="net.deep").gradient(image[None])
    torch.testing.assert_close(inside, outside / std[:, None, None])
    dreamed = dream(image, mean=mean.tolist(), std=std.tolist(), steps=1, octaves=1, roll=False, learning_rate=0.01)
    step = (dreamed - image) / std[:, None, None]
    assert step.std(correction=0).item() == pytest.approx(0.01, rel=1e-6)


def test_memory_follows_the_tile_not_the_picture() -> None:
    seen: list[tuple[int, ...]] = []
    model = net()
    model[0].register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))
    ascent = DeepDream(model, layer="deep", octaves=[-1, 0, 1], steps=1, tile=64, overlap=8)
    ascent.synthesize(photograph(300, 500))
    assert max(shape[-1] for shape in seen) == 64
    assert max(shape[-2] for shape in seen) == 64
    assert min(shape[-2] for shape in seen) > 64 - STRIDE


def test_nothing_behind_the_layer_runs_and_the_model_is_left_as_found() -> None:
    model = net()
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ran: list[str] = []
    model.head.register_forward_hook(lambda *_: ran.append("head"))
    DeepDream(model, layer="relu", octaves=1, steps=1).synthesize(photograph())
    assert ran == []
    assert model.training
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert len(model.relu._forward_hooks) == 0


def test_the_activation_rises() -> None:
    found = DeepDream(net(), layer="deep", octaves=2, steps=5).synthesize(photograph())
    assert found.activation.shape == (2, 5, 1)
    assert (found.activation[:, -1] > found.activation[:, 0]).all()
    assert found.sizes == ((64, 93), (96, 140))


def test_pictures_of_a_batch_are_dreamed_by_themselves() -> None:
    first, second = photograph(), photograph().flip(1)
    both = dream(torch.stack([first, second]), noise=0.05)
    torch.testing.assert_close(both[0], dream(first, noise=0.05), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(both[1], dream(second, noise=0.05), rtol=1e-9, atol=1e-9)


def test_an_octave_keeps_the_photographs_fine_detail() -> None:
    # Only what was dreamed is resized: where nothing is dreamed, the photograph comes through bit for bit.
    checkers = (torch.arange(96)[:, None] + torch.arange(140)[None]).remainder(2).double().expand(3, -1, -1).clone()
    with pytest.warns(UserWarning, match="silent"):
        result = DeepDream(_silent(), layer="deep", octaves=3, steps=2).synthesize(checkers).image
    assert torch.equal(result, checkers)


def _silent() -> nn.Module:
    model = net()
    model.deep = nn.Threshold(1e9, 0.0)
    return model


def test_a_stopped_dream_goes_on_behind_the_last_octave(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"layer": "deep", "octaves": 3, "steps": 2, "noise": 0.05}
    whole = DeepDream(net(), **settings).synthesize(photograph())
    path = tmp_path / "state.h5"

    def stop(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        DeepDream(net(), **settings).synthesize(photograph(), checkpoint=path, progress=stop)
    told: list[int] = []
    resumed = DeepDream(net(), **settings).synthesize(
        photograph(), checkpoint=path, progress=lambda done, _: told.append(done)
    )
    assert told == [5, 6]
    assert torch.equal(resumed.image, whole.image)
    assert torch.equal(resumed.activation, whole.activation)


@pytest.mark.parametrize("what", ["settings", "weights", "photograph", "architecture"])
def test_the_state_of_another_dream_is_not_used(tmp_path, what: str) -> None:
    path, settings = tmp_path / "state.h5", {"layer": "deep", "octaves": 2, "steps": 1}
    DeepDream(net(), **settings).synthesize(photograph(), checkpoint=path)
    model, image = net(), photograph()
    if what == "settings":
        settings["learning_rate"] = 0.1
    elif what == "weights":
        model.first.bias.data += 0.1
    elif what == "architecture":
        model.relu = nn.GELU()
    else:
        image = image.flip(2)
    told: list[int] = []
    DeepDream(model, **settings).synthesize(image, checkpoint=path, progress=lambda done, _: told.append(done))
    assert told == [1, 2]


def test_a_damaged_state_is_said_and_the_work_begins_anew(tmp_path, caplog: pytest.LogCaptureFixture) -> None:
    path, settings = tmp_path / "state.h5", {"layer": "deep", "octaves": 2, "steps": 1}
    whole = DeepDream(net(), **settings).synthesize(photograph(), checkpoint=path)
    path.write_bytes(path.read_bytes()[:-20])
    again = DeepDream(net(), **settings).synthesize(photograph(), checkpoint=path)
    assert torch.equal(again.image, whole.image)
    assert "begins anew" in caplog.text


def test_octaves_by_number_or_by_exponent() -> None:
    assert checked_octaves(3) == (-2, -1, 0)
    assert checked_octaves([-5, 0, 2]) == (-5, 0, 2)
    assert octave_size((1001, 1500), -5, 1.5) == (132, 198)
    assert octave_size((1001, 1500), 2, 1.5) == (2252, 3375)


def test_a_picture_too_small_for_the_coarsest_octave_says_which_one_fits() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 9), nn.ReLU()).double()
    with pytest.raises(DataError, match=r"12 x 10 pixels is 3 x 2 in octave -2, .* first octave that fits is 0"):
        DeepDream(model, layer="1", octaves=3, octave_scale=2).synthesize(photograph(10, 12))
    with pytest.raises(DataError, match="another layer"):
        DeepDream(model, layer="1", octaves=1).synthesize(photograph(8, 8))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layer": "depe"}, "Did you mean 'deep'"),
        ({"octaves": 0}, "octaves=0"),
        ({"octaves": [0, -1]}, "ascending"),
        ({"octave_scale": 1.0}, "octave_scale=1.0"),
        ({"steps": 0}, "steps=0"),
        ({"learning_rate": 0}, "learning_rate=0"),
        ({"noise": -0.1}, "noise=-0.1"),
        ({"penalty": float("nan")}, "penalty=nan"),
        ({"tile": 63, "overlap": 16}, "an integer >= 64"),
        ({"tile": 63, "overlap": 0}, "an integer >= 64"),
        ({"overlap": -1}, "overlap=-1"),
        ({"bounds": (1, 0)}, "bounds="),
        ({"mean": [0.5]}, "give both"),
        ({"mean": [0.5], "std": [0.0]}, "std above 0"),
        ({"seed": -1}, "seed=-1"),
        ({"channel": []}, "channel="),
    ],
)
def test_a_wrong_setting_is_refused_at_once(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        DeepDream(net(), **{"layer": "deep", **changes})


def test_an_unknown_channel_says_how_many_there_are() -> None:
    with pytest.raises(ConfigError, match="no channel 5: it has 5, counted from 0"):
        DeepDream(net(), layer="deep", channel=5).synthesize(photograph())


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (photograph() * 2, "pixel values from"),
        (photograph().float(), "nothing is converted silently"),
        (photograph()[0], "floating-point tensor"),
        (torch.full((3, 40, 40), float("nan"), dtype=torch.float64), "NaN"),
        (np.zeros((3, 4, 4)), "not ndarray"),
    ],
)
def test_a_wrong_picture_is_refused(image: Tensor, words: str) -> None:
    with pytest.raises(DataError, match=words):
        DeepDream(net(), layer="deep").synthesize(image)


def test_any_torchvision_network_by_the_name_of_its_layer() -> None:
    import torchvision

    model = torchvision.models.mobilenet_v2(weights=None)
    result = DeepDream(model, layer="features.3.conv", octaves=1, steps=1).synthesize(photograph(64, 64).float())
    assert result.image.shape == (3, 64, 64)


def test_the_numbers_of_noise_and_roll_are_not_the_same() -> None:
    assert module._NOISE != module._ROLL


def test_each_step_has_a_shift_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    ascent = DeepDream(net(), layer="deep", octaves=2, steps=3)
    draws: list[int] = []
    monkeypatch.setattr(ascent, "_shift", lambda draw, size: draws.append(draw) or (0, 0))
    ascent.synthesize(photograph())
    assert draws == [0, 1, 2, 3, 4, 5]


def test_the_model_never_sees_a_pixel_out_of_bounds() -> None:
    model, seen = net(), []
    model[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    settings = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4], "learning_rate": 1.0, "noise": 0.5}
    DeepDream(model, layer="deep", octaves=2, steps=3, **settings).synthesize(photograph())
    pixels = [
        x * torch.tensor([0.2, 0.3, 0.4])[:, None, None] + torch.tensor([0.4, 0.5, 0.6])[:, None, None] for x in seen
    ]
    assert min(float(p.min()) for p in pixels[1:]) > -1e-6  # the first is the trial of the smallest octave
    assert max(float(p.max()) for p in pixels[1:]) < 1 + 1e-6


def test_the_narrowest_tile_decides_whether_a_picture_is_too_small() -> None:
    # 100 pixels in tiles of 64: the last tile has 36, too few for a kernel of 40.
    model = nn.Sequential(nn.Conv2d(3, 2, 40), nn.ReLU()).double()
    ascent = DeepDream(model, layer="1", octaves=1, steps=1, tile=64, overlap=0)
    with pytest.raises(DataError, match="too small for the layer"):
        ascent.synthesize(photograph(100, 100))
    ascent.synthesize(photograph(64, 64))
