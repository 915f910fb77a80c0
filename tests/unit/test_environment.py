"""The pins, the dependencies and the environments of the rules say the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ENVIRONMENTS = ("compute", "draw", "report")


@pytest.fixture(scope="module")
def pins(repository: Path) -> dict[str, str]:
    lines = (repository / "envs" / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, dict[str, object]]:
    return tomllib.loads((repository / "pyproject.toml").read_text())


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return found.group()


def conda_packages(repository: Path, environment: str) -> dict[str, str]:
    content = yaml.safe_load((repository / "envs" / f"{environment}.yaml").read_text())
    (from_pip,) = [entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict)]
    return dict(entry.split("==") for entry in from_pip)


def test_each_line_of_the_constraints_is_one_exact_public_version(repository: Path) -> None:
    lines = (repository / "envs" / "constraints.txt").read_text().splitlines()
    entries = [line for line in lines if not line.startswith("#")]
    assert [line for line in entries if not re.fullmatch(r"[a-z0-9.-]+==[0-9][0-9.a-z]*", line)] == []
    assert entries == sorted(set(entries))


def test_each_dependency_has_a_pin(pins: dict[str, str], project: dict[str, dict[str, object]]) -> None:
    table = project["project"]
    requirements = [*table["dependencies"], *project["build-system"]["requires"]]
    for extra in table["optional-dependencies"].values():
        requirements += extra
    assert {name_of(requirement) for requirement in requirements} - set(pins) == set()


def test_the_pins_are_inside_the_supported_ranges(pins: dict[str, str]) -> None:
    assert pins["snakemake"].split(".")[0] == "9"
    assert tuple(map(int, pins["torch"].split(".")[:2])) >= (2, 11)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_environment_of_a_rule_has_the_pinned_versions(
    repository: Path, pins: dict[str, str], environment: str
) -> None:
    packages = conda_packages(repository, environment)
    assert packages
    assert {name: pins.get(name) for name in packages} == packages


def test_every_dependency_of_the_package_is_in_some_environment(
    repository: Path, project: dict[str, dict[str, object]]
) -> None:
    needed = {name_of(requirement) for requirement in project["project"]["dependencies"]} - {"snakemake"}
    assert needed == set().union(*(conda_packages(repository, environment) for environment in ENVIRONMENTS))


def test_rules_name_only_environments_that_exist(repository: Path) -> None:
    rules = sorted((repository / "workflow").rglob("*.smk"))
    named = {match for rule in rules for match in re.findall(r"envs/([\w.-]+\.yaml)", rule.read_text())}
    assert named <= {f"{environment}.yaml" for environment in ENVIRONMENTS}


def test_the_drawing_environment_needs_no_torch(repository: Path) -> None:
    assert not {"torch", "torchvision"} & set(conda_packages(repository, "draw"))


def test_the_version_is_the_same_everywhere(repository: Path, project: dict[str, dict[str, object]]) -> None:
    import nn_interpretability

    citation = yaml.safe_load((repository / "CITATION.cff").read_text())
    assert citation["version"] == project["project"]["version"] == nn_interpretability.__version__
