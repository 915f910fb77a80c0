"""Weights are read without running anything, and refused in words that name file, tensor and remedy."""

from __future__ import annotations

import os
import pickle
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nn_interpretability.errors import BrokenProductError, DataError
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import load_weights, save_weights
from nn_interpretability.storage.lock import RunLock
from nn_interpretability.storage.product import sidecar_of


def small(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return nn.Sequential(OrderedDict(first=nn.Conv2d(2, 3, 2), norm=nn.BatchNorm2d(3), last=nn.Conv2d(3, 4, 1)))


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def test_round_trip(tmp_path: Path):
    model, path = small(1), tmp_path / "weights.safetensors"
    save_weights(model, path)
    other = small(2)
    assert not same(model, other)
    assert load_weights(other, path) is other
    assert same(model, other)


def test_same_weights_same_bytes_whatever_their_memory_layout(tmp_path: Path):
    model = small(1)
    save_weights(model, tmp_path / "a.safetensors")
    save_weights(model.to(memory_format=torch.channels_last), tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize("suffix", [".pt", ".pth"])
def test_state_dict_saved_by_torch(tmp_path: Path, suffix: str):
    path = tmp_path / f"weights{suffix}"
    torch.save(small(1).state_dict(), path)
    assert same(load_weights(small(2), path), small(1))


def by_pickle(content: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


def by_pickle_as_torch_does(content: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(content, protocol=2))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("save", [by_pickle, by_pickle_as_torch_does, torch.save])
@pytest.mark.parametrize("wrap", [lambda p: p, lambda p: {"first.weight": torch.zeros(1), "x": p}, lambda p: [p]])
def test_a_pickle_with_a_payload_is_refused_and_nothing_runs(tmp_path: Path, wrap, save):
    touched, path = tmp_path / "touched", tmp_path / "weights.pt"
    save(wrap(Payload(f"touch {touched}")), path)
    with pytest.raises(
        DataError, match=rf"{path} was refused: it is a pickle that .*Nothing in it was run.*state_dict"
    ):
        load_weights(small(), path)
    assert not touched.exists()
    # the payload does run where it is let: the test would notice
    torch.load(path, weights_only=False) if save is torch.save else pickle.loads(path.read_bytes())
    assert touched.exists()


def test_what_a_refused_pickle_would_call_is_named(tmp_path: Path):
    torch.save(Payload("true"), tmp_path / "weights.pt")
    with pytest.raises(DataError, match=r"calls (posix|nt)\.system"):
        load_weights(small(), tmp_path / "weights.pt")


def test_a_whole_pickled_model_is_refused(tmp_path: Path):
    torch.save(small(), tmp_path / "model.pth")
    with pytest.raises(DataError, match=r"was refused: .*torch\.nn\.modules"):
        load_weights(small(), tmp_path / "model.pth")


def changed(**changes: Tensor | None) -> dict[str, Tensor]:
    state = dict(small(1).state_dict())
    for key, value in changes.items():
        name = key.replace("__", ".")
        if value is None:
            del state[name]
        else:
            state[name] = value
    return state


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"last__bias": None}, r"last\.bias is missing"),
        ({"head__weight": torch.zeros(2)}, r"head\.weight is not part of the model"),
        ({"last__bias": torch.zeros(5)}, r"last\.bias has the shape \(5,\), expected \(4,\)"),
        ({"last__bias": torch.tensor([0, 1, float("nan"), 2])}, r"last\.bias has NaN or infinite numbers"),
        ({"last__bias": torch.full((4,), float("inf"))}, r"last\.bias has NaN or infinite numbers"),
        ({"last__bias": torch.zeros(4, dtype=torch.int64)}, r"last\.bias has numbers of type torch\.int64"),
        ({"last__bias": torch.zeros(4, dtype=torch.complex64)}, r"last\.bias has numbers of type torch\.complex64"),
        ({"first__bias": None, "last__bias": torch.zeros(1)}, r"first\.bias is missing; last\.bias has the shape"),
    ],
)
def test_what_does_not_fit_is_named_and_the_model_is_left_as_it_was(tmp_path: Path, changes, words: str):
    path = tmp_path / "weights.pt"
    torch.save(changed(**changes), path)
    model = small(2)
    with pytest.raises(DataError, match=rf"{path} does not fit Sequential: .*{words}"):
        load_weights(model, path)
    assert same(model, small(2))


def test_published_names_of_dense_networks(tmp_path: Path):
    """As in densenet121-a639ec97.pth: other names in dense layers, and no counts of batches."""
    model, other = (build_model("torchvision:densenet121") for _ in range(2))
    state = {re.sub(r"(denselayer\d+\.\w+)([12]\.)", r"\1.\2", name): v for name, v in model.state_dict().items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in state
    torch.save({name: v for name, v in state.items() if "num_batches_tracked" not in name}, tmp_path / "w.pth")
    assert same(load_weights(other, tmp_path / "w.pth"), model)


def test_networks_with_the_older_names_keep_them(tmp_path: Path):
    def one() -> nn.Module:
        return nn.ModuleDict({"denselayer1": nn.ModuleDict({"conv": nn.Sequential(nn.ReLU(), nn.Linear(2, 2))})})

    model = one()
    assert "denselayer1.conv.1.weight" in model.state_dict()
    torch.save(model.state_dict(), tmp_path / "w.pt")
    assert same(load_weights(one(), tmp_path / "w.pt"), model)


def test_weights_in_half_precision_are_taken(tmp_path: Path):
    torch.save({name: v.half() if v.is_floating_point() else v for name, v in changed().items()}, tmp_path / "w.pt")
    loaded = load_weights(small(2), tmp_path / "w.pt")
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}


@pytest.mark.parametrize("content", [{"state_dict": {}}, [torch.zeros(2)], 5, torch.zeros(3)])
def test_something_else_than_a_state_dict(tmp_path: Path, content):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(DataError, match="does not hold a state dict"):
        load_weights(small(), tmp_path / "w.pt")


def test_missing_file_and_other_types(tmp_path: Path):
    with pytest.raises(DataError, match=r"no weights file .*none\.pt"):
        load_weights(small(), tmp_path / "none.pt")
    (tmp_path / "w.h5").touch()
    with pytest.raises(DataError, match=r"w\.h5 cannot be read as weights; the file types are \.safetensors"):
        load_weights(small(), tmp_path / "w.h5")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damage_of_any_kind_is_a_data_error_or_harmless(tmp_path_factory: pytest.TempPathFactory, suffix: str, data):
    path = tmp_path_factory.mktemp("damage") / f"w{suffix}"
    if suffix == ".pt":
        torch.save(small(1).state_dict(), path)
    else:
        save_weights(small(1), path)
        sidecar_of(path).unlink()
    content = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[position:]
    else:
        content[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(content))
    model = small(2)
    message = ""
    try:
        load_weights(model, path)
    except DataError as error:
        message = str(error)
    assert not message or (str(path) in message and same(model, small(2)))


def flip_last_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def test_a_damaged_result_is_set_aside(tmp_path: Path):
    path = tmp_path / "results" / "w.safetensors"
    with RunLock().acquire(tmp_path / "results"):
        save_weights(small(1), path)
        flip_last_bit(path)
        with pytest.raises(BrokenProductError):
            load_weights(small(), path)
    assert path.with_name("w.safetensors.broken").exists()


def test_a_damaged_file_of_the_user_is_named_and_left_alone(tmp_path: Path):
    path = tmp_path / "w.safetensors"
    save_weights(small(1), path)
    flip_last_bit(path)
    with pytest.raises(DataError, match=r"w\.safetensors is damaged or was changed: its SHA-256 is \w{64}, but"):
        load_weights(small(), path)
    assert path.exists()


def test_nothing_is_left_when_weights_cannot_be_saved(tmp_path: Path):
    model = small()
    with torch.no_grad():
        model.last.bias[0] = float("nan")
    with pytest.raises(DataError, match="NaN"):
        save_weights(model, tmp_path / "w.safetensors")
    assert not list(tmp_path.iterdir())
    assert not sidecar_of(tmp_path / "w.safetensors").exists()
