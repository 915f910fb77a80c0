"""What the sections ``passes`` and ``pass_attributions`` of a configuration mean: chunks, seeds, jobs; no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nn_interpretability.config.problems import Problem, joined, unknown_name
from nn_interpretability.config.seeds import derive_seed, seeded

Config = Mapping[str, Any]

FUNCTIONS = ("predictive_entropy", "expected_entropy", "mutual_information")
"""Targets that are functions of all passes; to explain one chunk, the scores of all chunks are needed."""


INDEPENDENT = ("mean", "covariance", "variance")
"""Products that there are where each class has masks of its own."""


def chunks(entry: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The half-open ranges of an entry of ``passes``: all of one size but perhaps the last."""
    size, total = entry["chunk"], entry["passes"]
    return [(begin, min(begin + size, total)) for begin in range(0, total, size)]


def chunk_name(begin: int, end: int) -> str:
    """How files and jobs call a range of passes, such as ``00500-01000``."""
    return f"{begin:05d}-{end:05d}"


def draw_jobs(config: Config) -> dict[tuple[str, int, int], list[str]]:
    """Entries of ``passes`` by model and range: one job draws them, since to start a process costs more."""
    found: dict[tuple[str, int, int], list[str]] = {}
    for name, entry in config["passes"].items():
        for begin, end in chunks(entry):
            found.setdefault((entry["model"], begin, end), []).append(name)
    return found


def attribute_jobs(config: Config) -> dict[tuple[str, str, int, int], list[str]]:
    """Entries of ``pass_attributions`` by model, method and range of passes.

    Those of functions of all passes are jobs of their own (``<method>_functions``): more passes make them, and no
    others, run again.
    """
    found: dict[tuple[str, str, int, int], list[str]] = {}
    for name, entry in config["pass_attributions"].items():
        drawn = config["passes"][entry["passes"]]
        for begin, end in chunks(drawn):
            method = entry["method"] + ("_functions" if entry["target"] in FUNCTIONS else "")
            found.setdefault((drawn["model"], method, begin, end), []).append(name)
    return found


def merge_jobs(config: Config) -> dict[str, list[str]]:
    """Entries of ``pass_attributions`` by model."""
    found: dict[str, list[str]] = {}
    for name, entry in config["pass_attributions"].items():
        found.setdefault(config["passes"][entry["passes"]]["model"], []).append(name)
    return found


def randomness(config: Config, name: str) -> dict[str, Any]:
    """What is random in an entry of ``passes``, with its seeds.

    The seed of noise depends on the probe alone, so that networks are compared under the same noise; that of dropout
    also on the model. All methods that explain these passes see the same ones.
    """
    entry = config["passes"][name]
    dropout = (
        derive_seed(config["seed"], "dropout", f"{entry['model']}\0{entry['probe']}") if entry["dropout"] else None
    )
    noise = None
    if entry["noise"]:
        noise = {"sigma": entry["noise"], "seed": derive_seed(config["seed"], "noise", entry["probe"])}
    return {"dropout": dropout, "noise": noise}


def passes_file(config: Config, name: str, begin: int, end: int) -> str:
    """Where the scores of a chunk of an entry of ``passes`` are."""
    return f"{config['results']}/passes/{name}/passes_{chunk_name(begin, end)}.h5"


def sums_file(config: Config, name: str, begin: int, end: int) -> str:
    """Where what an entry of ``pass_attributions`` says of a chunk is."""
    return f"{config['results']}/pass_sums/{name}/passes_{chunk_name(begin, end)}.h5"


def drawn_files(config: Config, name: str, begin: int | None = None, end: int | None = None) -> list[str]:
    """The chunks that an entry of ``pass_attributions`` reads to explain one of them; without a range, all."""
    entry = config["pass_attributions"][name]
    ranges = chunks(config["passes"][entry["passes"]])
    if begin is not None and end is not None and entry["target"] not in FUNCTIONS:
        ranges = [(begin, end)]
    return [passes_file(config, entry["passes"], *each) for each in ranges]


def sums_files(config: Config, name: str) -> list[str]:
    """All chunks of an entry of ``pass_attributions``."""
    drawn = config["passes"][config["pass_attributions"][name]["passes"]]
    return [sums_file(config, name, *each) for each in chunks(drawn)]


def drawn_settings(config: Config, name: str) -> dict[str, Any]:
    """What a job must know to draw passes."""
    entry = config["passes"][name]
    return {"pictures": entry["pictures"], "randomness": randomness(config, name), "block": entry["block"]}


def explained_settings(config: Config, name: str) -> dict[str, Any]:
    """What a job must know to explain passes."""
    entry = config["pass_attributions"][name]
    return {
        "pictures": config["passes"][entry["passes"]]["pictures"],
        "randomness": randomness(config, entry["passes"]),
        **{key: entry[key] for key in ("method", "target", "products", "keep_raw", "independent_masks")},
        "parameters": seeded(entry["method"], entry["parameters"], config["seed"]),
    }


def merged_settings(config: Config, name: str) -> dict[str, Any]:
    """What a job must know to merge passes; ``description`` is stored with the result."""
    entry = config["pass_attributions"][name]
    drawn = config["passes"][entry["passes"]]
    description = {"name": name, "method": entry["method"], "parameters": entry["parameters"], "drawn": entry["passes"]}
    description |= {key: drawn[key] for key in ("model", "probe", "dropout", "noise")}
    if "title" in entry:
        description["title"] = entry["title"]
    return {
        "passes": drawn["passes"],
        "pictures": drawn["pictures"],
        "target": entry["target"],
        "independent_masks": entry["independent_masks"],
        "description": description,
    }


def problems(config: Config) -> Iterator[Problem]:
    """Find what is wrong with the two sections beyond what a schema can say."""
    for name, entry in _entries(config, "passes"):
        for key, section in (("model", "models"), ("probe", "probes")):
            known = [each for each, _ in _entries(config, section)]
            if isinstance(entry.get(key), str) and entry[key] not in known:
                yield unknown_name(joined(["passes", name, key]), entry[key], known, section)
        chunk, block = entry.get("chunk"), entry.get("block")
        if isinstance(chunk, int) and isinstance(block, int) and block > 0 and chunk % block:
            complaint = f"{chunk} is no multiple of the block, {block}"
            yield Problem(joined(["passes", name, "chunk"]), complaint, f"{block}, {2 * block}, {3 * block} and so on")
        if entry.get("dropout") is False and entry.get("noise") == 0:
            yield Problem(
                joined(["passes", name]), "nothing is random: all passes would be the same", "dropout, noise, or both"
            )
    for name, entry in _entries(config, "pass_attributions"):
        known = [each for each, _ in _entries(config, "passes")]
        if isinstance(entry.get("passes"), str) and entry["passes"] not in known:
            yield unknown_name(joined(["pass_attributions", name, "passes"]), entry["passes"], known, "passes")
        if entry.get("independent_masks") is True:
            yield from _independent_problems(name, entry)


def _independent_problems(name: str, entry: Mapping[str, Any]) -> Iterator[Problem]:
    """With masks of its own for each class there are no passes that all classes share."""
    place = joined(["pass_attributions", name, "independent_masks"])
    if entry.get("target") != "all":
        yield Problem(place, f"is for all classes, not for the target {entry.get('target')}", "target: all")
    products = entry.get("products")
    wrong = [each for each in products if each not in INDEPENDENT] if isinstance(products, list) else []
    if wrong:
        yield Problem(place, f"leaves no {' and no '.join(map(str, wrong))}", f"products: [{', '.join(INDEPENDENT)}]")


def _entries(config: Config, section: str) -> list[tuple[str, Mapping[str, Any]]]:
    found = config.get(section)
    entries = found.items() if isinstance(found, Mapping) else ()
    return [(name, entry) for name, entry in entries if isinstance(entry, Mapping)]
