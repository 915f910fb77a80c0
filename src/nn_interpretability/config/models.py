"""What the section ``models`` of a configuration means: networks to train on the digits, and networks of your own."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nn_interpretability.config.problems import Problem, joined, unknown_name
from nn_interpretability.data.imagenet import IMAGENET_MEAN, IMAGENET_STD
from nn_interpretability.models.build import FILE, TORCHVISION

Config = Mapping[str, Any]

FOLDER = "folder"
"""The kind of probe that is no digits."""
IMPORTED = ("python", "torchvision")
"""Keys of a network that is imported, not trained."""
_ON_DIGITS = ("evidence", "calibrations")
_NEEDS_MEANS = {"start": ("first", "mean", "grand_mean"), "centre": ("mean", "grand_mean")}


def is_imported(entry: Mapping[str, Any]) -> bool:
    """Whether a network comes from outside, with its weights."""
    return any(key in entry for key in IMPORTED)


def imported(config: Config) -> list[str]:
    """Names of the networks that are imported."""
    return [name for name, entry in config["models"].items() if is_imported(entry)]


def trained(config: Config) -> list[str]:
    """Names of the networks that are trained on the digits."""
    return [name for name, entry in config["models"].items() if not is_imported(entry)]


def architecture(entry: Mapping[str, Any]) -> str:
    """The network as :func:`nn_interpretability.models.build.build_model` knows it."""
    if "python" in entry:
        return f"{FILE}{Path(entry['python']).expanduser()}:{entry['factory']}"
    return f"{TORCHVISION}{entry['torchvision']}" if "torchvision" in entry else str(entry["architecture"])


def folder_probes(config: Config) -> list[str]:
    """Names of the probes whose pictures are files of a folder."""
    return [name for name, entry in config["probes"].items() if entry["kind"] == FOLDER]


def digit_probes(config: Config) -> list[str]:
    """Names of the probes that are chosen among the digits."""
    return [name for name, entry in config["probes"].items() if entry["kind"] != FOLDER]


def needs_digits(config: Config) -> bool:
    """Whether anything of a configuration looks at digits."""
    return bool(trained(config) or digit_probes(config) or config["generators"])


def of_own(config: Config) -> dict[str, set[str]]:
    """Names of what is about imported networks or the user's own pictures, by section: nothing of the study."""
    own, pictures = set(imported(config)), set(folder_probes(config))
    found = {"models": own}
    for section in ("attributions", "passes", "syntheses", "activation_views"):
        entries = config[section].items()
        found[section] = {name for name, each in entries if each["model"] in own or each.get("probe") in pictures}
    explained = config["pass_attributions"].items()
    found["pass_attributions"] = {name for name, each in explained if each["passes"] in found["passes"]}
    names = set().union(*found.values())
    figures = config["figures"].items()
    found["figures"] = {name for name, each in figures if names & {*each["panels"], *each["published"]}}
    return found


def normalisation_of(config: Config, probe: str) -> dict[str, list[float]]:
    """``mean`` and ``std`` by which the pictures of a probe are normalised; empty where they are not."""
    said = config["probes"][probe].get("normalisation")
    if said is None:
        return {}
    known = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD} if isinstance(said, str) else said
    return {key: [float(value) for value in known[key]] for key in ("mean", "std")}


def problems(config: Config) -> Iterator[Problem]:
    """Find what is wrong with imported networks beyond what a schema can say."""
    models, probes = _entries(config, "models"), _entries(config, "probes")
    own = {name: entry for name, entry in models.items() if is_imported(entry)}
    for name, entry in own.items():
        yield from _of_file(name, entry)
        if isinstance(entry.get("probe"), str) and entry["probe"] not in probes:
            yield unknown_name(joined(["models", name, "probe"]), entry["probe"], list(probes), "probes")
    for section in _ON_DIGITS:
        for place, entry in _entries(config, section).items():
            listed = entry.get("models")
            for index, name in enumerate(listed if isinstance(listed, list) else ()):
                if isinstance(name, str) and name in own:
                    yield _not_trained(joined([section, place, "models", index]), name, models)
    judge = _mapping(config, "samples").get("judge")
    if isinstance(judge, str) and judge in own and (_entries(config, "generators") or _entries(config, "syntheses")):
        yield _not_trained("samples.judge", judge, models)
    for name, entry in _entries(config, "syntheses").items():
        if isinstance(entry.get("model"), str) and entry["model"] in own:
            yield from _of_synthesis(name, entry)


def _of_file(name: str, entry: Mapping[str, Any]) -> Iterator[Problem]:
    if all(key in entry for key in IMPORTED):
        yield Problem(joined(["models", name]), "has both python and torchvision", "one of them")
    path = entry.get("python")
    if not isinstance(path, str):
        return
    where, file = joined(["models", name, "python"]), Path(path).expanduser()
    if not file.is_file() or file.suffix != ".py":
        yield Problem(where, f"there is no Python file {path!r}", "the path of a file that ends in .py")
        return
    try:
        ast.parse(file.read_bytes(), filename=path)
    except (SyntaxError, ValueError) as error:
        line = f" (line {error.lineno})" if isinstance(error, SyntaxError) else ""
        yield Problem(where, f"{path!r} is not Python: {error.args[0]}{line}")


def _not_trained(path: str, name: str, models: Mapping[str, Any]) -> Problem:
    known = [each for each, entry in models.items() if not is_imported(entry)]
    return Problem(path, f"{name!r} is not trained on the digits", ", ".join(known) or "a network that is trained")


def _of_synthesis(name: str, entry: Mapping[str, Any]) -> Iterator[Problem]:
    """What needs digits, of which there are none for an imported network."""
    for key, values in _NEEDS_MEANS.items():
        if entry.get(key) in values:
            allowed = "noise or zeros" if key == "start" else "zero"
            yield Problem(
                joined(["syntheses", name, key]), f"{entry[key]!r} is made of digits, not for {entry['model']}", allowed
            )
    for key in ("generator", "expert"):
        if entry.get(key):
            yield Problem(joined(["syntheses", name, key]), f"draws digits, which {entry['model']} does not take")


def _mapping(config: Config, section: str) -> Mapping[str, Any]:
    found = config.get(section)
    return found if isinstance(found, Mapping) else {}


def _entries(config: Config, section: str) -> dict[str, Mapping[str, Any]]:
    return {name: entry for name, entry in _mapping(config, section).items() if isinstance(entry, Mapping)}
