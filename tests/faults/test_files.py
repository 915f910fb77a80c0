"""Whatever is in a file that the package reads, it is refused in words, and nothing else is touched."""

from __future__ import annotations

import os
import pickle
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from tiny_mnist import idx_bytes

from faults.volume import generators, mutated, volumes, words_of
from nn_interpretability.data.idx import read_idx
from nn_interpretability.errors import DataError
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import load_weights, save_weights
from nn_interpretability.storage.hdf5 import Array, read_hdf5, write_hdf5
from nn_interpretability.storage.product import digest_of, sidecar_of, write_json, write_text, writing
from nn_interpretability.storage.verify import verify

PICTURES = np.arange(3 * 28 * 28, dtype=np.uint16).astype(np.uint8).reshape(3, 28, 28)


@volumes
def test_any_damage_to_an_idx_file_is_refused_in_words(count: int) -> None:
    content, labels = idx_bytes(PICTURES), idx_bytes(np.arange(10, dtype=np.uint8))
    header = 16
    refused = 0
    for rng in generators(count):
        whole, shape = rng.choice(((content, (28, 28)), (labels, ())))
        spoilt = mutated(whole[:header], rng) + whole[header:] if rng.random() < 0.5 else mutated(whole, rng)
        with words_of(DataError) as told:
            read = read_idx(spoilt, name="some-file", item_shape=shape)
        if told:
            refused += 1
            assert "some-file" in told[0]
        else:
            assert read.dtype == np.uint8
            assert read.shape[1:] == shape
            assert len(spoilt) == read.size + 4 + 4 * read.ndim
    assert refused > count / 3


# verify ------------------------------------------------------------------------------------------------------------


def products(results: Path) -> Path:
    """A small results folder with a product of each kind."""
    values = Array(np.arange(6.0).reshape(2, 3), ("sample", "x"), {"unit": "1", "shares": [0.25, 0.75]})
    names = Array(np.array(["a", "bc"]), ("sample",))
    write_hdf5(
        results / "a.h5", {"values": values, "names": names}, schema="attribution/1", params={"a": 1}, provenance={}
    )
    write_json(results / "card.json", {"accuracy": 0.99, "names": ["ü", None, True]})
    write_text(results / "metrics.csv", 'method,value\n"a,b",0.5\nb,1.5\n')
    write_text(results / "numbers.tex", "\\relax ü\n")
    with writing(results / "w.safetensors") as temporary:
        save_file({"w": np.arange(3, dtype=np.float32)}, temporary)
    for name, content in {"a.pdf": b"%PDF-1.4\n%%EOF\n", "a.png": b"\x89PNG\r\n\x1a\n..IEND\xaeB`\x82"}.items():
        with writing(results / name) as temporary:
            temporary.write_bytes(content)
    return results


@volumes
def test_verify_has_a_sentence_for_any_damage_and_writes_nothing_elsewhere(count: int, tmp_path: Path) -> None:
    """Half of the damaged files have a digest that fits, so that the readers themselves see the damage."""
    results = products(tmp_path / "all" / "results")
    names = sorted(path.name for path in results.iterdir() if path.suffix != ".sha256")
    wholes = {name: ((results / name).read_bytes(), sidecar_of(results / name).read_bytes()) for name in names}
    shutil.rmtree(results)
    seen = 0
    for rng in generators(count):
        name = rng.choice(names)
        path, (whole, sidecar) = results / name, wholes[name]
        results.mkdir(exist_ok=True)
        spoilt, kind = mutated(whole, rng), rng.random()
        path.write_bytes(spoilt)
        sidecar_of(path).write_bytes(mutated(sidecar, rng) if kind < 0.2 else sidecar)
        if kind > 0.5:
            sidecar_of(path).write_text(f"{digest_of(path)}  {name}\n")
        problems = verify(results, patience_s=5)
        assert path.read_bytes() == spoilt
        assert all(problem.path == path and problem.what and problem.advice for problem in problems)
        assert len(problems) == 1 or kind > 0.5 or spoilt == whole
        seen += len(problems)
        path.unlink()
        sidecar_of(path).unlink()
    assert seen > count / 2
    assert {path.name for path in (tmp_path / "all").iterdir()} == {"results"}


def test_verify_sets_aside_no_file_outside_the_folder(tmp_path: Path) -> None:
    results = products(tmp_path / "results")
    outside = tmp_path / "mine.json"
    outside.write_text("{}")
    (results / "link.json").symlink_to(outside)
    (results / "folder").symlink_to(tmp_path)
    (results / "loop").symlink_to(results)
    (results / "b.json").mkdir()
    (results / "gone.h5").symlink_to(tmp_path / "nowhere")
    problems = verify(results, set_aside=True)
    assert {problem.path.name for problem in problems} == {"link.json", "gone.h5"}
    assert outside.read_text() == "{}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.json", "results"]


def test_a_fifo_does_not_make_verify_wait_for_ever(tmp_path: Path) -> None:
    results = products(tmp_path / "results")
    os.mkfifo(results / "pipe.json")
    (problem,) = verify(results)
    assert problem.path.name == "pipe.json"


# HDF5 --------------------------------------------------------------------------------------------------------------


def any_attribute(rng: random.Random) -> Any:
    return rng.choice(
        (
            0, -1, 2**63 - 1, 0.5, True, "ü", "", "a\nb", [1, 2], ["a", "é"], [0.5], [True], np.float32(0.5),
            float("nan"), float("inf"), None, [], [[1]], {"a": 1}, object(), 1j, 2**70, b"bytes", ["a", 1], "a\0b", {1},
            np.int8(3), "\ud800",
        )
    )  # fmt: skip


@volumes
def test_attributes_names_and_values_are_stored_or_refused(count: int, tmp_path: Path) -> None:
    """What is stored reads back as it was; what is not leaves no file."""
    count = min(count, 2000)  # each is flushed to the disk
    stored = 0
    names = ("unit", "a1", "", "a b", "../x", "/x", "CLASS", "ü", "x" * 300, "a\0")
    for rng in generators(count):
        path = tmp_path / "a.h5"
        attributes = {rng.choice(names[:2] if rng.random() < 0.7 else names): any_attribute(rng)}
        shape = tuple(rng.choice((0, 1, 3)) for _ in range(rng.randrange(4)))
        kind = rng.choice(("f4", "f8", "i8", "u1", "?", "f2", "c8", "M8[s]", "S3", "U3", "O"))
        array = Array(np.zeros(shape, kind), tuple("xyz"[: len(shape) - (rng.random() < 0.1)]), attributes)
        with words_of(ValueError, TypeError) as told:
            write_hdf5(path, {rng.choice(("values", *names)): array}, schema="attribution/1", params={}, provenance={})
        if told:
            assert str(path) in told[0]
            assert not path.exists()
            continue
        (read,) = read_hdf5(path).arrays.values()
        assert read.values.shape == shape
        for key, value in attributes.items():
            assert read.attrs[key] == value
        stored += 1
        path.unlink()
        sidecar_of(path).unlink()
    assert stored > count / 20


# Weights -----------------------------------------------------------------------------------------------------------


class Evil:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    ran = tmp_path / "ran"
    (tmp_path / "plain.pt").write_bytes(pickle.dumps({"w": Evil(ran)}, protocol=protocol))
    torch.save({"w": Evil(ran)}, tmp_path / "zip.pt")
    torch.save({"w": Evil(ran)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for name in ("plain.pt", "zip.pt", "old.pth"):
        with pytest.raises(DataError, match=r"was refused|is damaged or no weights file"):
            load_weights(build_model("small_cnn"), tmp_path / name)
    assert not ran.exists()


def test_nothing_in_the_package_unpickles_freely(repository: Path) -> None:
    for file in (repository / "src").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert text.count("torch.load(") == text.count("weights_only=True)"), file
        assert "pickle.load" not in text, file
        assert "allow_pickle=True" not in text, file
        assert "yaml.unsafe_load" not in text, file
        assert text.count("yaml.load(") == text.count("a safe loader"), file


@volumes
def test_any_damage_to_weights_is_refused_in_words(count: int, tmp_path: Path) -> None:
    count = min(count, 1000)  # each reads a network
    network = torch.nn.Linear(3, 2)
    save_weights(network, tmp_path / "a.safetensors")
    torch.save(network.state_dict(), tmp_path / "a.pt")
    sidecar_of(tmp_path / "a.safetensors").unlink()
    wholes = {suffix: (tmp_path / f"a{suffix}").read_bytes() for suffix in (".safetensors", ".pt")}
    for rng in generators(count):
        suffix = rng.choice(tuple(wholes))
        path = tmp_path / f"spoilt{suffix}"
        path.write_bytes(mutated(wholes[suffix], rng))
        model = torch.nn.Linear(3, 2)
        before = model.weight.detach().clone()
        with words_of(DataError) as told:
            load_weights(model, path)
        if told:
            assert str(path) in told[0]
            assert torch.equal(model.weight, before)
        else:
            assert bool(torch.isfinite(model.weight).all())
