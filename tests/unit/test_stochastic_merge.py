"""Chunks of passes: what the merge refuses, what files keep, and arguments that are not allowed."""

from __future__ import annotations

import warnings
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nets import relative
from passes import linear_net
from torch import Tensor, nn

from nn_interpretability import Gradient, InputNoise, InputXGradient, MCDropout
from nn_interpretability.errors import BrokenProductError, ConfigError, DataError
from nn_interpretability.stochastic.attributor import _each_warning_once
from nn_interpretability.stochastic.chunks import AttributedPasses, DrawnPasses
from nn_interpretability.stochastic.files import (
    load_attributed,
    load_drawn,
    load_result,
    save_attributed,
    save_drawn,
    save_result,
)
from nn_interpretability.stochastic.information import mutual_information
from nn_interpretability.stochastic.merge import Merge, merge_passes
from nn_interpretability.stochastic.passes import attribute_passes, draw_passes
from nn_interpretability.stochastic.sampler import Dropout, Noise, Randomness
from nn_interpretability.storage.tensors import content

IMAGES = torch.rand(2, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
DROPOUT = Randomness(dropout=Dropout(3))
Chunk = tuple[DrawnPasses, AttributedPasses]


def chunk(
    begin: int, end: int, *, model: nn.Module | None = None, images: Tensor = IMAGES, seed: int = 3, **options: Any
) -> Chunk:
    model, randomness = model or linear_net(), Randomness(dropout=Dropout(seed))
    drawn = draw_passes(model, images, randomness, begin, end, block=options.pop("block", 5))
    method = options.pop("method", Gradient)(model)
    target = options.pop("target", "all")
    return drawn, attribute_passes(method, images, drawn, randomness, target, **options)


def other_model() -> nn.Module:
    model = linear_net()
    with torch.no_grad():
        model.a.bias[0] += 1
    return model


def test_a_merge_needs_every_pass() -> None:
    with pytest.raises(DataError, match="passes 10 to 20 are missing"):
        merge_passes([chunk(0, 10), chunk(20, 25)], 25)
    with pytest.raises(DataError, match="passes 0 to 10 are missing"):
        merge_passes([chunk(10, 25)], 25)
    with pytest.raises(DataError, match="passes 10 to 25 are missing"):
        merge_passes([chunk(0, 10)], 25)
    with pytest.raises(DataError, match="no chunks of passes"):
        merge_passes([])


def test_a_merge_takes_no_pass_twice() -> None:
    with pytest.raises(DataError, match="passes 5 to 20 overlaps with the passes before 10"):
        merge_passes([chunk(0, 10), chunk(5, 20)], 20)
    with pytest.raises(DataError, match="overlaps"):
        merge_passes([chunk(0, 10), chunk(0, 10)], 10)
    with pytest.raises(DataError, match="25 passes, not 20"):
        merge_passes([chunk(0, 25)], 20)


def test_only_the_last_chunk_may_end_within_a_block() -> None:
    short = chunk(0, 8)
    later = [replace(each, begin=8, end=13) for each in chunk(10, 15)]
    with pytest.raises(DataError, match="does not begin with a block of 5"):
        merge_passes([short, (later[0], later[1])])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("foreign", "named"),
    [
        ({"model": other_model()}, "weights"),
        ({"images": IMAGES + 1}, "images"),
        ({"seed": 4}, "randomness"),
        ({"block": 10}, "block"),
        ({"method": InputXGradient}, "method"),
        ({"target": 1}, "target"),
        ({"products": ("mean",)}, "products"),
        ({"keep_raw": 5}, "keep_raw"),
    ],
)
def test_foreign_chunks_are_refused_and_named(foreign: dict[str, Any], named: str) -> None:
    with pytest.raises(DataError, match=rf"passes 10 to 20 was made with other .*{named}"):
        merge_passes([chunk(0, 10), chunk(10, 20, **foreign)], 20)


def test_scores_and_maps_must_be_of_the_same_passes() -> None:
    (drawn, _), (_, attributed) = chunk(0, 10), chunk(10, 20)
    with pytest.raises(DataError, match="attribution of the passes 10 to 20"):
        Merge().add(drawn, attributed)
    (drawn, _), (_, attributed) = chunk(0, 10), chunk(0, 10, seed=4)
    with pytest.raises(DataError, match="explained with other randomness than it was drawn with"):
        Merge().add(drawn, attributed)


def test_other_scores_of_the_same_images_are_refused() -> None:
    (one, first), (two, second) = chunk(0, 10), chunk(10, 20)
    two = replace(two, undisturbed=two.undisturbed * 1.01)
    with pytest.raises(DataError, match="other scores without dropout"):
        merge_passes([(one, first), (two, second)])


def test_processors_of_one_name_may_round_differently() -> None:
    (one, first), (two, second) = chunk(0, 10), chunk(10, 20)
    two = replace(two, undisturbed=two.undisturbed + 1e-9)
    with pytest.warns(UserWarning, match="2 kinds of processor"):
        merge_passes([(one, first), (two, second)])
    with pytest.raises(DataError, match="passes 10 to 20 was made on another kind of processor"):
        merge_passes([(one, first), (two, second)], strict_device=True)


def test_chunks_of_another_kind_of_processor_are_merged_and_named_or_refused() -> None:
    (one, first), (two, second) = chunk(0, 10), chunk(10, 20)
    two = replace(two, undisturbed=two.undisturbed + 1e-9, device="cuda, some card")
    with pytest.warns(UserWarning, match="2 kinds of processor.*cuda, some card"):
        found = merge_passes([(one, first), (two, second)])
    assert found.coverage["devices"]["cuda, some card"] == 1
    assert relative(found.mean, merge_passes([chunk(0, 10), chunk(10, 20)]).mean) == 0
    with pytest.raises(DataError, match="passes 10 to 20 was made on another kind of processor"):
        merge_passes([(one, first), (two, second)], strict_device=True)
    other = replace(two, undisturbed=two.undisturbed + 1)
    with pytest.raises(DataError, match="other scores without dropout"):
        merge_passes([(one, first), (other, second)])


@pytest.mark.parametrize(
    ("changed", "named"), [({"model": other_model()}, "weights"), ({"images": IMAGES + 1}, "images")]
)
def test_explaining_passes_of_another_model_or_other_images_is_refused(changed: dict[str, Any], named: str) -> None:
    drawn = draw_passes(linear_net(), IMAGES, DROPOUT, 0, 10, block=5)
    method = Gradient(changed.get("model", linear_net()))
    with pytest.raises(DataError, match=f"passes from 0 to 10 were drawn with other {named}"):
        attribute_passes(method, changed.get("images", IMAGES), drawn, DROPOUT, "all")


def test_other_random_numbers_than_were_drawn_are_refused() -> None:
    drawn = draw_passes(linear_net(), IMAGES, DROPOUT, 0, 10, block=5)
    drawn = replace(drawn, digests=(drawn.digests[0], drawn.digests[0]))
    with pytest.raises(DataError, match="random numbers of the passes from 5 on are not those"):
        attribute_passes(Gradient(linear_net()), IMAGES, drawn, DROPOUT, "all")


@pytest.mark.parametrize("options", [{}, {"products": ("variance", "covariance"), "keep_raw": 7}, {"target": 1}])
def test_files_keep_everything(tmp_path: Path, options: dict[str, Any]) -> None:
    parts = [chunk(0, 10, **options), chunk(10, 13, **options)]
    stored = []
    for number, (drawn, attributed) in enumerate(parts):
        save_drawn(drawn, tmp_path / f"{number}.h5")
        save_attributed(attributed, tmp_path / f"{number}_sums.h5")
        stored.append((load_drawn(tmp_path / f"{number}.h5"), load_attributed(tmp_path / f"{number}_sums.h5")))
    expected, found = merge_passes(parts, 13), merge_passes(stored, 13)
    save_result(found, tmp_path / "result.h5")
    for each in (found, load_result(tmp_path / "result.h5")):
        for field in fields(expected):
            one, two = getattr(expected, field.name), getattr(each, field.name)
            assert torch.equal(one, two) if isinstance(one, Tensor) else one == two, field.name


def test_files_of_a_function_and_of_independent_masks(tmp_path: Path) -> None:
    model = linear_net()
    for found in (
        MCDropout(Gradient(model), passes=7, block=5).interpret(IMAGES, mutual_information),
        MCDropout(Gradient(model), passes=7, block=5, independent_masks=True).interpret(IMAGES, "all"),
    ):
        save_result(found, tmp_path / "result.h5")
        loaded = load_result(tmp_path / "result.h5")
        assert torch.equal(loaded.mean, found.mean)
        assert torch.equal(loaded.mutual_information, found.mutual_information)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_passes_of_half_precision(tmp_path: Path, dtype: torch.dtype) -> None:
    model, images = linear_net().to(dtype), IMAGES.to(dtype)
    found = MCDropout(Gradient(model), passes=7, block=5, keep_raw=7).interpret(images, "all")
    assert found.mean.dtype == found.quantile(0.5).dtype == dtype
    assert torch.equal(found.quantile(0.5), found.raw.double().quantile(0.5, dim=0).to(dtype))
    save_result(found, tmp_path / "result.h5")
    assert torch.equal(load_result(tmp_path / "result.h5").mean.to(dtype), found.mean)


def test_weights_are_known_by_their_bytes() -> None:
    values = {torch.float16: [0x3C00, 0xC000], torch.bfloat16: [0x3F80, 0xC000]}  # 1 and -2
    for dtype, words in values.items():
        assert content(torch.tensor([1.0, -2.0], dtype=dtype)) == np.array(words, dtype="<u2").tobytes()
    for given in (IMAGES.T, torch.tensor(True), torch.arange(5), torch.zeros(0, 3), torch.tensor([1 + 2j])):
        assert content(given) == given.numpy().tobytes()


def test_passes_of_volumes_have_a_file(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv3d(1, 2, 2), nn.Dropout(), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    volumes = torch.rand(2, 1, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    found = MCDropout(Gradient(model), passes=7, block=5, keep_raw=7).interpret(volumes, "all")
    save_result(found, tmp_path / "result.h5")
    assert torch.equal(load_result(tmp_path / "result.h5").raw, found.raw)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "passes_00000-00010.h5"
    save_drawn(chunk(0, 10)[0], path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(BrokenProductError, match="passes_00000-00010"):
        load_drawn(path)


@pytest.mark.parametrize("passes", [0, -1, 2.5, True, "many"])
def test_passes_that_are_not_allowed(passes: Any) -> None:
    with pytest.raises(ConfigError, match=r"passes=.* is not allowed"):
        MCDropout(Gradient(linear_net()), passes=passes)
    with pytest.raises(ConfigError, match=r"passes=.* is not allowed"):
        InputNoise(Gradient(linear_net()), sigma=0.1, passes=passes)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"chunk": 75}, "chunk=75 is not allowed: give a multiple of the block, 50"),
        ({"chunk": 0}, "chunk=0 is not allowed"),
        ({"block": 0}, "block=0 is not allowed"),
        ({"seed": -1}, "seed=-1 is not allowed"),
        ({"products": ("median",)}, "products=.*median.* is not allowed: choose from 'mean', 'covariance'"),
        ({"products": "mean"}, "products='mean' is not allowed"),
        ({"keep_raw": -1}, "keep_raw=-1 is not allowed"),
    ],
)
def test_arguments_that_are_not_allowed(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        MCDropout(Gradient(linear_net()), **options)


def test_only_methods_can_be_repeated() -> None:
    with pytest.raises(ConfigError, match="goes around a method, not a Net"):
        MCDropout(linear_net())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="goes around a method, not a InputNoise"):
        MCDropout(InputNoise(Gradient(linear_net()), sigma=0.1))  # type: ignore[arg-type]


def test_noise_and_dropout_agree_on_their_passes() -> None:
    inner = MCDropout(Gradient(linear_net()), passes=10, block=5)
    assert InputNoise(inner, sigma=0.1).passes == 10
    assert InputNoise(inner, sigma=0.1, passes=10, keep_raw=3).keep_raw == 3
    with pytest.raises(ConfigError, match="passes=20 for the noise and passes=10 for the dropout"):
        InputNoise(inner, sigma=0.1, passes=20)


@pytest.mark.parametrize(
    ("begin", "end", "words"), [(5, 5, "the range is empty"), (-5, 5, "empty"), (3, 10, "begins at a multiple")]
)
def test_ranges_that_are_not_allowed(begin: int, end: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        draw_passes(linear_net(), IMAGES, DROPOUT, begin, end, block=5)


def test_targets_that_do_not_fit() -> None:
    wrapper = MCDropout(Gradient(linear_net()), passes=5, block=5)
    for target, words in ((7, "not a class of this model"), ("every", "the only word is 'all'")):
        with pytest.raises(ConfigError, match=words):
            wrapper.interpret(IMAGES, target)
    with pytest.raises(ConfigError, match=r"returned \(5, 2\) for scores of shape"):
        wrapper.interpret(IMAGES, lambda scores: scores[..., 0])
    with pytest.raises(ConfigError, match="differentiable"):
        wrapper.interpret(IMAGES, lambda scores: scores.argmax(dim=-1).double().mean(dim=0))
    with pytest.raises(ConfigError, match="independent_masks=True is for target='all'"):
        MCDropout(Gradient(linear_net()), passes=5, independent_masks=True).interpret(IMAGES, 1)
    with pytest.raises(ConfigError, match="'target_by_predicted_class' is for one class"):
        MCDropout(Gradient(linear_net()), passes=5, products=("target_by_predicted_class",)).interpret(IMAGES, "all")


def test_images_are_checked() -> None:
    with pytest.raises(DataError, match="NaN"):
        MCDropout(Gradient(linear_net())).interpret(IMAGES * float("nan"))
    for wrapper in (MCDropout, partial(MCDropout, independent_masks=True), partial(InputNoise, sigma=1)):
        with pytest.raises(DataError, match=r"The model does not take images of shape \(2, 7\): "):
            wrapper(Gradient(linear_net()), passes=5).interpret(torch.rand(2, 7, dtype=torch.float64), "all")


def test_blocks_say_the_same_once_but_for_its_numbers_and_nothing_else_is_lost() -> None:
    with warnings.catch_warnings(record=True) as seen, _each_warning_once():
        for block in range(3):
            warnings.warn(f"{block} images", stacklevel=1)
            warnings.warn("of another kind", stacklevel=1)
            warnings.warn(f"in features.{block // 2}", stacklevel=1)
    said = ["0 images", "of another kind", "in features.0", "in features.1"]
    assert [str(warning.message) for warning in seen] == said


def test_what_was_not_asked_for_is_said() -> None:
    found = MCDropout(Gradient(linear_net()), passes=5, block=5).interpret(IMAGES)
    with pytest.raises(ConfigError, match="keep_raw=200"):
        found.quantile(0.5)
    with pytest.raises(ConfigError, match="variance"):
        _ = found.coefficient_of_variation
    kept = MCDropout(Gradient(linear_net()), passes=5, block=5, keep_raw=5).interpret(IMAGES)
    with pytest.raises(ConfigError, match="q=2 is not allowed"):
        kept.quantile(2)


def test_the_target_is_decided_without_dropout() -> None:
    model = linear_net()
    found = MCDropout(Gradient(model), passes=5, block=5).interpret(IMAGES)
    assert torch.equal(found.target, model.eval()(IMAGES).argmax(dim=1))  # type: ignore[arg-type]
    assert torch.equal(found.undisturbed, model(IMAGES).detach())
    assert found.passes == 5
    assert torch.allclose(found.probabilities.sum(dim=1), torch.ones(2, dtype=torch.float64))
    modes = found.predicted.mode(dim=0).values
    same = (found.predicted == modes).double().mean(dim=0)
    assert torch.allclose(found.variation_ratio, 1 - same)


def test_noise_is_described() -> None:
    described = Randomness(Dropout(1), Noise(0.5, clip=(0, 1))).describe()
    assert described["noise"] == {"sigma": 0.5, "scale": "absolute", "seed": 0, "clip": [0.0, 1.0]}
    assert described["dropout"] == {"seed": 1, "stochastic_depth": False}
