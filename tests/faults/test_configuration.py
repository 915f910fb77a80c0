"""Whatever a configuration says, one is told what is wrong with it: no other error, no hang, nothing written."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from faults.volume import generators, mutated, volumes, words_of
from nn_interpretability.config.files import merged, read_config
from nn_interpretability.config.validate import checked
from nn_interpretability.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parents[2]
STUDY = REPOSITORY / "config.yaml"

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 7, 10**400, 1e308, 0.5, -0.0, float("nan"), float("inf"), "", " ", "a", "../x",
    "/etc/passwd", "ü é", "a\0b", "x" * 5000, [], [None], [[]], {}, {"": None}, {None: 1}, {1: 2}, {True: {}}, b"bytes",
    "1e-3", "predicted", "lrp", [1, "a", {}], {"method": "lrp"}, [float("nan")],
)  # fmt: skip


def small_study() -> dict[str, Any]:
    """One or two entries of each section of the study."""
    config = read_config(STUDY)
    return {
        key: {name: value[name] for name in list(value)[:2]} if isinstance(value, dict) and len(value) > 4 else value
        for key, value in config.items()
    }


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each container in a configuration, with a key of it."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


def spoilt(config: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """A configuration with one to three values, keys or entries that are not what they should be."""
    config = copy.deepcopy(config)
    for _ in range(rng.randint(1, 3)):
        container, key = rng.choice(places(config) or [(config, "seed")])
        kind = rng.randrange(5)
        if kind <= 1:
            container[key] = copy.deepcopy(rng.choice(ODD))
        elif kind == 2 and isinstance(container, dict):
            container[rng.choice((None, 1, True, 2.5, "", "../x", "Ü", "x" * 300, "seed"))] = container[key]
        elif kind == 3:
            other, there = rng.choice(places(config))
            container[key] = copy.deepcopy(other[there])
        else:
            del container[key]
    return config


def assert_answered(config: dict[str, Any]) -> None:
    """A configuration is taken, or refused by one message in which each problem has its place."""
    with words_of(ConfigError) as told:
        checked(config)
    if told:
        lines = told[0].splitlines()
        assert lines[0].startswith("The configuration has "), lines[0]
        assert len(lines) > 1


@volumes
def test_any_value_anywhere_is_taken_or_refused_in_words(count: int) -> None:
    config = small_study()
    for rng in generators(count):
        assert_answered(spoilt(config, rng))


@volumes
def test_any_damage_to_the_file_is_refused_in_words(count: int, tmp_path: Path) -> None:
    text = yaml.safe_dump(small_study(), sort_keys=False).encode()
    file = tmp_path / "in" / "config.yaml"
    file.parent.mkdir()
    for rng in generators(count):
        begin = rng.randrange(len(text))
        file.write_bytes(mutated(text[begin : begin + 1000], rng))
        with words_of(ConfigError):
            assert_answered(merged([STUDY_PART, file]) if rng.random() < 0.1 else read_config(file))
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "config.yaml"]


STUDY_PART = REPOSITORY / "workflow" / "configs" / "my_model.example.yaml"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed: 2020-13-45", "month must be in"),
        ("seed: " + "9" * 5000, "digits"),
        ("a: " + "[" * 3000, "nested too deeply"),
        ("a: &a [*a]\nb: {c: *a}", "contains itself"),
        ("models: &a {cnn: *a}", "contains itself"),
        ("seed: !!python/object/apply:os.system ['true']", "python/object"),
        ("? [1, 2]\n: 3", "cannot be read as YAML"),
        ("seed: \0", "cannot be read as YAML"),
        ("seed: .nan", "seed: NaN is not allowed"),
        ("data: {validation_share: .nan}", "data.validation_share: NaN is not allowed"),
        ("models: {cnn: {max_learning_rate: .inf}}", "models.cnn.max_learning_rate: Infinity is not allowed"),
        ("models: {cnn: {weight_decay: .nan}}", "models.cnn.weight_decay: NaN is not allowed"),
        ("attributions: {a: {method: smoothgrad, parameters: {sigma: .nan}}}", "sigma"),
        ("models: {1: {}}", "models: 1 cannot be a name"),
        ("models: {true: {}}", "models: true cannot be a name"),
        ("1: {}", "the configuration: 1 cannot be a name"),
    ],
)  # fmt: skip
def test_what_yaml_itself_would_let_through_or_die_of(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        checked(read_config(file), [file])
    assert words in str(caught.value)


def test_a_file_whose_aliases_stand_for_billions_of_values_is_refused_at_once(tmp_path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
    ]
    file = tmp_path / "config.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError, match="aliases"):
        checked(read_config(file), [file])
