"""Jobs of passes: chunked and in one piece they give the same bits, and what is merged is what was drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nn_interpretability import LRP, MCDropout
from nn_interpretability.errors import BrokenProductError, ConfigError, DataError
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import load_weights, save_weights
from nn_interpretability.stochastic.files import load_result
from nn_interpretability.storage.hdf5 import Array, read_hdf5, write_hdf5
from nn_interpretability.storage.product import read_json
from nn_interpretability.study.attribute_chunk import attribute_chunk
from nn_interpretability.study.draw_passes import draw
from nn_interpretability.study.merge_passes import merge, write_numbers

PASSES, BLOCK, SEED = 50, 10, 5
COMPOSITE = {"composite": "small_cnn", "input_bounds": [0, 1]}
COMMON: dict[str, Any] = {
    "architecture": "dropout_cnn",
    "pictures": [2, 0],
    "randomness": {"dropout": SEED, "noise": None},
    "device": "cpu",
    "provenance": {},
}


class Jobs:
    """Runs the jobs of one explanation in a folder."""

    def __init__(self, folder: Path, weights: Path, probe: Path, **explained: Any) -> None:
        self.folder, self.weights, self.probe = folder, weights, probe
        self.explained = {
            "method": "lrp",
            "parameters": COMPOSITE,
            "target": "all",
            "products": ["mean", "covariance", "by_predicted_class"],
            "keep_raw": 0,
            "independent_masks": False,
            **explained,
        }
        self.chunks: list[tuple[int, int]] = []
        folder.mkdir()

    def file(self, kind: str, begin: int) -> Path:
        return self.folder / f"{kind}_{begin}.h5"

    def draw(self, begin: int, end: int, **other: Any) -> None:
        self.chunks.append((begin, end))
        given = {**COMMON, "block": BLOCK, **other}
        draw(self.weights, self.probe, self.file("drawn", begin), begin=begin, end=end, **given)

    def attribute(self, begin: int, drawn: list[Path] | None = None, **other: Any) -> None:
        files = drawn or [self.file("drawn", begin)]
        given = {**COMMON, **self.explained, **other}
        attribute_chunk(self.weights, self.probe, files, self.file("sums", begin), begin=begin, **given)

    def merge(self, passes: int = PASSES, **other: Any) -> Path:
        drawn, sums = ([self.file(kind, begin) for begin, _ in self.chunks] for kind in ("drawn", "sums"))
        given = {
            "pictures": COMMON["pictures"],
            **{key: self.explained[key] for key in ("target", "independent_masks")},
        }
        given |= other
        merged = self.folder / "merged.h5"
        merge(self.probe, drawn, sums, merged, passes=passes, description={"name": "x"}, provenance={}, **given)
        return merged

    def run(self, *chunks: tuple[int, int]) -> Path:
        for chunk in chunks:
            self.draw(*chunk)
        drawn = [self.file("drawn", begin) for begin, _ in chunks]
        functions = self.explained["target"] not in ("all", "label", "predicted")
        for begin, _ in reversed(chunks):
            self.attribute(begin, drawn if functions else None)
        return self.merge()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    save_weights(build_model("dropout_cnn"), path)
    return path


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("probe") / "probe.h5"
    images = np.random.default_rng(1).random((3, 1, 28, 28), dtype=np.float32)
    arrays = {
        "images": Array(images, ("sample", "channel", "y", "x")),
        "labels": Array(np.array([1, 1, 7]), ("sample",)),
        "source_index": Array(np.array([3, 3, 4]), ("sample",)),
    }
    write_hdf5(path, arrays, schema="probe/1", params={"angles": [0.0, -7.0, -21.0]}, provenance={})
    return path


WHOLE, CHUNKED = ((0, 50),), ((0, 20), (20, 40), (40, 50))


@pytest.mark.parametrize("target", ["all", "predicted", "mutual_information"])
def test_chunks_give_the_bits_of_one_piece(tmp_path: Path, weights: Path, probe: Path, target: str) -> None:
    one = read_hdf5(Jobs(tmp_path / "one", weights, probe, target=target).run(*WHOLE))
    many = read_hdf5(Jobs(tmp_path / "many", weights, probe, target=target).run(*CHUNKED))
    assert one.arrays.keys() == many.arrays.keys()
    assert np.abs(one.arrays["mean"].values).max() > 0
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array.values, many.arrays[name].values, err_msg=name)


def test_jobs_give_what_the_library_gives(tmp_path: Path, weights: Path, probe: Path) -> None:
    merged = load_result(Jobs(tmp_path / "jobs", weights, probe).run(*CHUNKED))
    model = load_weights(build_model("dropout_cnn"), weights).eval()
    images = torch.from_numpy(read_hdf5(probe).arrays["images"].values[[2, 0]])
    cloud = MCDropout(LRP(model, **COMPOSITE), passes=PASSES, block=BLOCK, seed=SEED).interpret(images, "all")
    for name in ("mean", "covariance", "by_predicted_class", "logits", "counts"):
        assert torch.equal(getattr(merged, name), getattr(cloud, name)), name


INDEPENDENT: dict[str, Any] = {"independent_masks": True, "products": ["mean", "covariance"]}


def test_other_masks_for_each_class_are_those_of_the_library_in_chunks_too(
    tmp_path: Path, weights: Path, probe: Path
) -> None:
    merged = load_result(Jobs(tmp_path / "jobs", weights, probe, **INDEPENDENT).run(*CHUNKED))
    model = load_weights(build_model("dropout_cnn"), weights).eval()
    images = torch.from_numpy(read_hdf5(probe).arrays["images"].values[[2, 0]])
    settings: dict[str, Any] = {"passes": PASSES, "block": BLOCK, "seed": SEED, "products": INDEPENDENT["products"]}
    own = MCDropout(LRP(model, **COMPOSITE), independent_masks=True, **settings).interpret(images, "all")
    for name in ("mean", "covariance", "logits", "counts", "score_mean", "score_variance"):
        assert torch.equal(getattr(merged, name), getattr(own, name)), name
    shared = MCDropout(LRP(model, **COMPOSITE), **settings).interpret(images, "all")
    assert shared.counts.sum(dim=1).tolist() == [PASSES, PASSES]
    assert merged.counts.sum(dim=1).tolist() != [PASSES, PASSES]
    votes = torch.bincount(merged.logits[:, :, 1].flatten(0, 1).argmax(dim=1), minlength=10)
    assert float(merged.variation_ratio[1]) == pytest.approx(1 - float(votes.max()) / (10 * PASSES))


def test_merging_other_masks_for_each_class_refuses_what_is_missing_or_of_other_weights(
    tmp_path: Path, weights: Path, probe: Path
) -> None:
    jobs = Jobs(tmp_path / "jobs", weights, probe, **INDEPENDENT)
    jobs.draw(0, 20)
    jobs.attribute(0)
    with pytest.raises(DataError, match="The passes 20 to 50 are missing"):
        jobs.merge()
    torch.manual_seed(1)
    jobs.weights = tmp_path / "other.safetensors"
    save_weights(build_model("dropout_cnn"), jobs.weights)
    with pytest.raises(DataError, match="passes from 0 to 20 were drawn with other weights: draw them again"):
        jobs.attribute(0)
    jobs.draw(20, 50)
    jobs.attribute(20)
    with pytest.raises(DataError, match="passes 20 to 50 was made with other weights than the chunks before"):
        jobs.merge()
    with pytest.raises(ConfigError, match="for target='all'"):
        jobs.attribute(20, target="predicted")


def test_what_is_merged_says_what_was_explained(tmp_path: Path, weights: Path, probe: Path) -> None:
    product = read_hdf5(Jobs(tmp_path / "jobs", weights, probe).run(*WHOLE), schema="pass_attribution/1")
    np.testing.assert_array_equal(product.arrays["images"].values, read_hdf5(probe).arrays["images"].values[[2, 0]])
    assert product.arrays["label"].values.tolist() == [7, 1]
    assert product.arrays["picture"].values.tolist() == [2, 0]
    assert product.arrays["angle"].values.tolist() == [-21.0, 0.0]
    assert (product.params["passes"], product.params["target"], product.params["name"]) == (PASSES, "all", "x")


def test_the_map_of_mutual_information_starts_from_its_value(tmp_path: Path, weights: Path, probe: Path) -> None:
    jobs = Jobs(tmp_path / "jobs", weights, probe, target="mutual_information")
    product = read_hdf5(jobs.run(*CHUNKED))
    value = product.arrays["mutual_information"].values
    assert (value > 0).all()
    np.testing.assert_allclose(product.arrays["score_mean"].values, value, rtol=1e-9)


def test_numbers_are_those_of_the_result(tmp_path: Path, weights: Path, probe: Path) -> None:
    result = load_result(Jobs(tmp_path / "jobs", weights, probe).run(*WHOLE))
    write_numbers(result, tmp_path / "numbers.json", name="x")
    numbers = {key: entry["value"] for key, entry in read_json(tmp_path / "numbers.json").items()}
    assert numbers["passes.x.passes"] == PASSES
    assert sum(numbers[f"passes.x.0.count.{k}"] for k in range(10)) == PASSES
    gap = numbers["passes.x.1.entropy"] - numbers["passes.x.1.expected_entropy"]
    assert gap == pytest.approx(numbers["passes.x.1.mutual_information"])
    assert numbers["passes.x.1.variance.3"] == pytest.approx(float(result.score_variance[1, 3]))
    assert numbers["passes.x.0.positive"] == int((result.score_mean[0] > 0).sum())
    seen = int(result.undisturbed[0].argmax())
    share = numbers[f"passes.x.0.covariance_sum.{seen}"] / numbers[f"passes.x.0.variance.{seen}"]
    assert (numbers["passes.x.0.seen"], numbers["passes.x.0.covariance_share"]) == (seen, pytest.approx(100 * share))
    assert result.covariance is not None
    assert numbers["passes.x.1.covariance_sum.3"] == pytest.approx(float(result.covariance[1, 3].double().sum()))


def test_a_missing_chunk_is_named(tmp_path: Path, weights: Path, probe: Path) -> None:
    jobs = Jobs(tmp_path / "jobs", weights, probe)
    for chunk in CHUNKED:
        jobs.draw(*chunk)
        jobs.attribute(chunk[0])
    jobs.chunks.remove((20, 40))
    with pytest.raises(DataError, match="The passes 20 to 40 are missing"):
        jobs.merge()
    assert not (jobs.folder / "merged.h5").exists()


def test_an_altered_chunk_is_named(tmp_path: Path, weights: Path, probe: Path) -> None:
    jobs = Jobs(tmp_path / "jobs", weights, probe)
    jobs.run(*WHOLE)
    file = jobs.file("sums", 0)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(BrokenProductError, match=r"sums_0\.h5"):
        jobs.merge()


def test_a_chunk_of_other_weights_is_refused(tmp_path: Path, weights: Path, probe: Path) -> None:
    jobs = Jobs(tmp_path / "jobs", weights, probe)
    jobs.draw(0, 20)
    jobs.attribute(0)
    torch.manual_seed(1)
    jobs.weights = tmp_path / "other.safetensors"
    save_weights(build_model("dropout_cnn"), jobs.weights)
    jobs.draw(20, 50)
    jobs.attribute(20)
    with pytest.raises(DataError, match="passes 20 to 50 was made with other weights than the chunks before"):
        jobs.merge()


def test_passes_of_something_else_are_not_explained(tmp_path: Path, weights: Path, probe: Path) -> None:
    jobs = Jobs(tmp_path / "jobs", weights, probe)
    jobs.draw(0, 20)
    with pytest.raises(DataError, match="drawn with other randomness"):
        jobs.attribute(0, randomness={"dropout": SEED + 1, "noise": None})
    with pytest.raises(DataError, match="drawn with other images"):
        jobs.attribute(0, pictures=[1, 0])
    with pytest.raises(DataError, match="The passes from 20 on are not among those that were drawn"):
        jobs.attribute(20, [jobs.file("drawn", 0)])


def test_bad_settings_are_named(tmp_path: Path, weights: Path, probe: Path) -> None:
    jobs = Jobs(tmp_path / "jobs", weights, probe)
    with pytest.raises(DataError, match=r"pictures=\[3\] is not allowed: probe.h5 has pictures 0 to 2"):
        jobs.draw(0, 20, pictures=[1, 3])
    jobs.draw(0, 20)
    with pytest.raises(ConfigError, match="target='mutual_information' is for methods without a reference"):
        jobs.attribute(0, method="deeplift", parameters={}, target="mutual_information")


def test_deeplift_explains_more_pictures_than_fit_into_one_batch(tmp_path: Path, weights: Path, probe: Path) -> None:
    """Blocks of 125 passes leave room for two pictures at a time, and references go along."""
    pictures, both = [0, 1, 2], {"method": "deeplift", "parameters": {"rule": "rescale"}, "products": ["mean"]}
    jobs = Jobs(tmp_path / "jobs", weights, probe, **both)
    jobs.draw(0, 125, pictures=pictures, block=125)
    jobs.attribute(0, pictures=pictures)
    three = read_hdf5(jobs.merge(125, pictures=pictures)).arrays
    alone = Jobs(tmp_path / "alone", weights, probe, **both)
    alone.draw(0, 125, pictures=[2], block=125)
    alone.attribute(0, pictures=[2])
    one = read_hdf5(alone.merge(125, pictures=[2])).arrays
    np.testing.assert_allclose(three["mean"].values[2:], one["mean"].values, atol=1e-5)
    np.testing.assert_allclose(
        three["mean"].values.sum(axis=(-3, -2, -1)), three["score_mean"].values, atol=1e-4
    )  # complete
