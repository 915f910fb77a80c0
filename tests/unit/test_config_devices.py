"""GPU or CPU: what is asked for, and what is made of what was granted."""

from __future__ import annotations

import pytest
import torch
from devices import settings_kept

from nn_interpretability.config.devices import (
    PRETEND_VARIABLE,
    gpus_to_ask,
    granted_device,
    machine_has_gpu,
    number_of_gpus,
)
from nn_interpretability.errors import ConfigError


@pytest.mark.parametrize(
    ("device", "has_gpu", "asked"),
    [("auto", True, 1), ("auto", False, 0), ("cuda", True, 1), ("cuda", False, 1), ("cpu", True, 0)],
)
def test_what_a_rule_asks_for(monkeypatch: pytest.MonkeyPatch, device: str, has_gpu: bool, asked: int) -> None:
    monkeypatch.setenv(PRETEND_VARIABLE, "1" if has_gpu else "0")
    assert gpus_to_ask(device) == asked


def test_without_a_pretence_the_machine_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PRETEND_VARIABLE, raising=False)
    assert machine_has_gpu() >= torch.cuda.is_available()


@pytest.mark.parametrize(("pretended", "number"), [("0", 0), ("1", 1), ("3", 3), ("yes", 1)])
def test_a_pretence_says_how_many(monkeypatch: pytest.MonkeyPatch, pretended: str, number: int) -> None:
    monkeypatch.setenv(PRETEND_VARIABLE, pretended)
    assert number_of_gpus() == number
    assert machine_has_gpu() == bool(number)


@pytest.mark.parametrize(
    ("device", "granted", "sees_gpu", "used"),
    [
        ("auto", 1, True, "cuda"),
        ("auto", 1, False, "cpu"),
        ("auto", 0, True, "cpu"),
        ("cuda", 1, True, "cuda"),
        ("cuda", 0, True, "cpu"),
        ("cpu", 0, True, "cpu"),
    ],
)
def test_what_a_job_uses(monkeypatch: pytest.MonkeyPatch, device: str, granted: int, sees_gpu: bool, used: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: sees_gpu)
    with settings_kept():
        assert granted_device(device, granted) == used


def test_a_job_on_a_gpu_computes_in_full_precision_and_the_same_bits_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    with settings_kept():
        matmul.allow_tf32 = cudnn.allow_tf32 = cudnn.benchmark = True
        cudnn.deterministic = False
        granted_device("auto", 1)
        assert not matmul.allow_tf32
        assert not cudnn.allow_tf32
        assert not cudnn.benchmark
        assert cudnn.deterministic
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_gpu_that_was_demanded_and_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"device: 'cuda' was asked for, but torch sees no GPU .* Allowed: 'auto'"):
        granted_device("cuda", 1)
