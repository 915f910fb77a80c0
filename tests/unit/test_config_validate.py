"""Configurations: what is wrong with one, in whose words, and what it is filled up to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nn_interpretability.config.files import merged, read_config
from nn_interpretability.config.problems import Problem
from nn_interpretability.config.schema import config_schema
from nn_interpretability.config.shown import SHOWN
from nn_interpretability.config.validate import check_parameters, checked, problems_of, with_defaults
from nn_interpretability.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parents[2]


def lrp(**parameters: Any) -> dict[str, Any]:
    return {"attributions": {"mine": {"method": "lrp", "parameters": parameters}}}


def only_problem(config: dict[str, Any]) -> Problem:
    (problem,) = problems_of(config)
    return problem


@pytest.mark.parametrize(
    "name",
    [
        "config.yaml",
        "workflow/configs/smoke.yaml",
        "workflow/configs/full.yaml",
        "workflow/configs/my_model.example.yaml",
    ],
)
def test_what_the_project_ships_is_right(name: str) -> None:
    own = read_config(REPOSITORY / name)
    # The small and the full study say what is not as in the study itself, over which Snakemake lays them.
    config = (
        laid_over(read_config(REPOSITORY / "config.yaml"), own) if name.endswith(("smoke.yaml", "full.yaml")) else own
    )
    assert problems_of(config) == []


def laid_over(below: Any, above: Any) -> Any:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return {**below, **{key: laid_over(below.get(key), value) for key, value in above.items()}}


@pytest.mark.parametrize(
    ("config", "path", "complaint", "allowed", "suggestion"),
    [
        ({"sed": 1}, "sed", "is not a known key", "attributions, calibrations, claims, data, deepdream", "'seed'"),
        ({"device": "gpu"}, "device", "'gpu' is not allowed", "'auto' or 'cpu' or 'cuda'", "'cpu'"),
        ({"seed": -1}, "seed", "-1 is not allowed", "a whole number (at least 0)", ""),
        ({"seed": 1.5}, "seed", "1.5 is not allowed", "a whole number (at least 0)", ""),
        ({"data": {"download": "no"}}, "data.download", "'no' is not allowed", "true or false", ""),
        ({"data": {"download": "false"}}, "data.download", "'false' is not allowed", "true or false", "false (without"),
        (
            {"data": {"validation_share": 1}},
            "data.validation_share",
            "1 is not allowed",
            "a number (greater than 0 and less than 1)",
            "",
        ),
        (
            {"data": {"train_limit": 5}},
            "data.train_limit",
            "5 is not allowed",
            "a whole number (at least 100) or null",
            "",
        ),
        (
            {"models": {"cnn": {"max_learning_rate": "1e-2"}}},
            "models.cnn.max_learning_rate",
            "'1e-2' is not allowed",
            "a number (greater than 0)",
            "0.01 (without quotes",
        ),
        (
            {"models": {"cnn": {"architecture": "small_cn"}}},
            "models.cnn.architecture",
            "'small_cn' is not allowed",
            "'small_cnn'",
            "'small_cnn'",
        ),
        ({"models": {"Big": {}, "cnn": {}}}, "models", "'Big' cannot be a name", "small letters", ""),
        ({"attributions": {"a": {}}}, "attributions.a.method", "is missing", "'gradient' or", ""),
        (
            {"attributions": {"a": {"method": "gradent"}}},
            "attributions.a.method",
            "'gradent' is not allowed",
            "'gradient' or",
            "'gradient'",
        ),
        (
            {"attributions": {"a": {"method": "gradient", "parameters": {"rule": "0"}}}},
            "attributions.a.parameters.rule",
            "is not a known key",
            "no keys at all",
            "",
        ),
        (
            {"attributions": {"a": {"method": "gradient", "model": "cnm"}}},
            "attributions.a.model",
            "'cnm' is not a name under models",
            "the names under models: cnn",
            "'cnn'",
        ),
        (
            {"attributions": {"a": {"method": "gradient", "probe": "cats"}}},
            "attributions.a.probe",
            "'cats' is not a name under probes",
            "the names under probes: digits",
            "",
        ),
        (
            {"figures": {"fig12": {"panels": ["a"]}}},
            "figures.fig12.panels[0]",
            f"'a' is not a name under {' or '.join(SHOWN)}",
            f"the names under {' or '.join(SHOWN)}, which is empty",
            "",
        ),
        (
            {"models": {"cnn": {}, "b": {"kl_weight": 0.5}}},
            "models.b.loss",
            "is missing",
            "'evidential'",
            "",
        ),
        (
            {"models": {"cnn": {"loss": "cross_entropy", "kl_weight": 0.5}}},
            "models.cnn.loss",
            "'cross_entropy' is not allowed",
            "'evidential'",
            "",
        ),
        ({"probes": {"digits": {"kind": "rotations"}}}, "probes.digits.angles", "is missing", "", ""),
        (
            {"probes": {"digits": {"kind": "occlusions", "angles": [0]}}},
            "probes.digits.angles",
            "is not a known key",
            "kind",
            "",
        ),
        (
            {"evidence": {"e": {"models": ["cnm"], "probe": "digits"}}},
            "evidence.e.models[0]",
            "'cnm' is not a name under models",
            "the names under models: cnn",
            "'cnn'",
        ),
        (
            {"calibrations": {"c": {"probe": "digts"}}},
            "calibrations.c.probe",
            "'digts' is not a name under probes",
            "the names under probes: digits",
            "'digits'",
        ),
        (lrp(rule="gama"), "attributions.mine.parameters.rule", "'gama' is not allowed", "'0' or 'epsilon'", "'gamma'"),
        (lrp(rule=0), "attributions.mine.parameters.rule", "0 is not allowed", "'0' or", '"0" (in quotes'),
        (lrp(gamma=-1), "attributions.mine.parameters.gamma", "-1 is not allowed", "a number (at least 0)", ""),
        (
            lrp(epsilon={"rsm": 0.1}),
            "attributions.mine.parameters.epsilon.rsm",
            "is not a known key",
            "absolute, rms, signed",
            "'rms'",
        ),
        (
            lrp(epsilon="small"),
            "attributions.mine.parameters.epsilon",
            "'small' is not allowed",
            "a number (at least 0), or a mapping with the keys absolute, rms, signed",
            "",
        ),
        (
            lrp(composite={"features.*": {"rule": "gama"}}),
            "attributions.mine.parameters.composite.features.*.rule",
            "'gama' is not allowed",
            "'0' or",
            "'gamma'",
        ),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed_and_what_was_meant(
    config: dict[str, Any], path: str, complaint: str, allowed: str, suggestion: str
) -> None:
    problem = only_problem(config)
    assert problem.path == path
    assert problem.complaint == complaint
    assert allowed in problem.allowed
    assert problem.suggestion.startswith(suggestion) if suggestion else problem.suggestion == ""


def test_all_mistakes_come_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        checked({"sed": 1, "device": "gpu", **lrp(rule="gama")})
    message = str(raised.value)
    assert message.startswith("The configuration has 3 problems; nothing was run.\n")
    assert [path in message for path in ("  sed: ", "  device: ", "  attributions.mine.parameters.rule: ")] == [
        True
    ] * 3
    assert "      did you mean 'gamma'?\n      allowed: '0' or" in message


def test_wrong_types_at_the_top_are_told_and_do_not_crash() -> None:
    config = {"models": [], "attributions": "lrp", "figures": {"fig06": 3}, "data": None, "seed": True}
    assert {problem.path for problem in problems_of(config)} == {
        "attributions",
        "data",
        "figures.fig06",
        "models",
        "seed",
    }


def test_a_key_that_stands_twice_is_a_mistake_and_yaml_would_not_say_so(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 1\nmodels:\n  cnn: {epochs: 1}\n  cnn: {epochs: 2}\nseed: 2\n", encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        checked(read_config(file), [file])
    assert f"models.cnn: stands twice in {file}, in lines 3 and 4" in str(raised.value)
    assert f"seed: stands twice in {file}, in lines 1 and 5" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [("- 1\n- 2\n", "a configuration is a mapping"), ("a: [1\n", "cannot be read as YAML")],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        read_config(file)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no configuration file '.*none\.yaml'"):
        read_config(tmp_path / "none.yaml")


def test_an_empty_configuration_is_filled_up() -> None:
    config = checked({})
    assert config["seed"] == 2020
    assert config["models"]["cnn"] == {
        "architecture": "small_cnn",
        "epochs": 6,
        "batch_size": 128,
        "max_learning_rate": 0.01,
        "weight_decay": 0.0,
        "loss": "cross_entropy",
        "kl_weight": None,
    }
    assert config["probes"] == {"digits": {"kind": "first_of_class"}}
    assert config["data"]["validation_share"] == 0.1


def test_what_is_said_stays_and_entries_are_filled_up() -> None:
    config = checked({"seed": 7, **lrp(rule="0")})
    assert config["seed"] == 7
    assert config["attributions"]["mine"] == {
        "method": "lrp",
        "parameters": {"rule": "0"},
        "model": "cnn",
        "probe": "digits",
        "target": "predicted",
    }


THERE_ALONE = {*SHOWN, "deepdream", "passes", "figures", "claims", "replication"}


def test_the_study_says_what_holds_without_it() -> None:
    study = read_config(REPOSITORY / "config.yaml")
    silent = {key: value for key, value in study.items() if key not in THERE_ALONE}
    filled = checked({})
    for key, only in (("models", "cnn"), ("probes", "digits")):  # what else the study has is said there alone
        silent[key] = {only: silent[key][only]}
    assert silent == {key: value for key, value in filled.items() if key in silent}


def test_filling_up_copies() -> None:
    one, other = with_defaults({}, config_schema()), with_defaults({}, config_schema())
    one["data"]["download"] = False
    one["models"]["cnn"]["epochs"] = 0
    assert other["data"]["download"] is True
    assert other["models"]["cnn"]["epochs"] == 6


def test_files_are_merged_key_by_key_and_the_later_wins(tmp_path: Path) -> None:
    for name, text in {"a": "seed: 1\ndata: {download: true, local: x}\n", "b": "data: {download: false}\n"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert merged([tmp_path / "a", tmp_path / "b"]) == {"seed": 1, "data": {"download": False, "local": "x"}}


def test_parameters_of_one_method() -> None:
    assert check_parameters("lrp", {"rule": "gamma", "gamma": 0.5}) == {"rule": "gamma", "gamma": 0.5}
    with pytest.raises(ConfigError, match="These parameters of lrp cannot be used:\n  gama: is not a known key"):
        check_parameters("lrp", {"gama": 0.5})
    with pytest.raises(ConfigError, match="There is no method 'lpr'"):
        check_parameters("lpr", {})


def test_samples_need_a_judge_that_is_trained():
    (problem,) = problems_of({"generators": {"gan": {}}, "models": {"cnn": {}}})
    assert str(problem).startswith("  samples.judge: 'all_conv_cnn' is not a name under models")
    assert not problems_of({"generators": {"gan": {}}, "samples": {"judge": "cnn"}})
    assert not problems_of({"samples": {"judge": "nobody"}})  # nothing to judge


def test_generative_models_have_their_own_settings():
    filled = checked({"generators": {"dcgan": {"epochs": 1}, "rbm": {}}, "samples": {"judge": "cnn"}})["generators"]
    assert filled.keys() == {"dcgan", "rbm"}
    assert filled["dcgan"]["epochs"] == 1
    assert filled["dcgan"]["generator_learning_rate"] == 0.002
    assert filled["rbm"]["sigma"] == 0.3
    told = [str(problem) for problem in problems_of({"generators": {"rbm": {"sigma": 0}, "vae": {}}})]
    assert any("generators.rbm.sigma: 0 is not allowed" in words for words in told)
    assert any("generators.vae: is not a known key" in words for words in told)
