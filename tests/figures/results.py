"""A small made-up results folder with everything that the report includes."""

from __future__ import annotations

import importlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from figures.synthetic import (
    PROVENANCE,
    covered,
    exact_trace,
    waves,
    write_attribution,
    write_card,
    write_filters,
    write_record,
)

from figures.synthetic_passes import write_pass_attribution
from figures.synthetic_uncertainty import evidential_card, write_calibration, write_evidence

from nn_interpretability.claims.ledger import decide_claims
from nn_interpretability.claims.rules import load_rules
from nn_interpretability.claims.samples import write_measured
from nn_interpretability.plotting.figures import draw
from nn_interpretability.plotting.gallery_data import Gallery, GalleryRow, write_gallery
from nn_interpretability.reporting.tables import TABLES, write_tables
from nn_interpretability.reporting.tex import write_numbers
from nn_interpretability.storage.product import write_json
from nn_interpretability.study import numbers
from nn_interpretability.study.figures import assemble
from nn_interpretability.study.toys import run_toys
from nn_interpretability.study.published import COMPARED, JOBS, load
from nn_interpretability.study.replication import compare

REPOSITORY = Path(__file__).resolve().parents[2]
GALLERIES = {"dreams_of_layers", "dreams_of_channels", "dreams_without", "activation_views", "samples", "syntheses"}
NOT_MADE_UP = ("generator.", *(f"figure.{name}." for name in ("expert", "class_model", "dreams_without", "activation_views")))


def study() -> Mapping[str, Any]:
    """The configuration of the study."""
    loaded: Mapping[str, Any] = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    return loaded


@dataclass(frozen=True)
class Results:
    """A results folder with figures, numbers and a model card."""

    folder: Path

    @property
    def figures(self) -> dict[str, Path]:
        """Sidecar of each figure."""
        return {name: self.folder / f"figures/{name}.json" for name in study()["figures"]}

    def write_tables(self, timings: Path | None) -> dict[str, str]:
        """Write the tables, and return them by name."""
        folder = self.folder / "report/tables"
        write_tables(
            folder,
            numbers=self.folder / "numbers.json",
            cards={name: self.folder / f"card_{name}.json" for name in study()["models"]},
            figures=self.figures,
            timings=timings,
            claims=self.folder / "claims.json",
            verdicts=self.folder / "replication/verdicts.json",
        )
        return {name: (folder / f"{name}.tex").read_text() for name in TABLES}

    def report_inputs(self) -> dict[str, Path]:
        """What the report includes, by its place in the folder of the build."""
        self.write_tables(timings=None)
        write_numbers(self.folder / "numbers.json", self.folder / "report/numbers.tex")
        inputs = {"numbers.tex": self.folder / "report/numbers.tex"}
        inputs |= {f"tables/{name}.tex": self.folder / f"report/tables/{name}.tex" for name in TABLES}
        return inputs | {f"figures/{name}.pdf": self.folder / f"figures/{name}.pdf" for name in self.figures}


def copied(results: Path, folder: Path) -> Results:
    """A copy of a results folder, to be written to."""
    return Results(Path(shutil.copytree(results, folder / "results")))


def make_results(folder: Path) -> Results:
    """Make up a results folder for the attributions and figures of the study's configuration.

    Each map sums to 90 % of its score (of 1.0, 2.0, 3.0), as :func:`figures.synthetic.exact_trace` has it.
    """
    results, config = Results(folder), study()
    paths, parts = {}, []
    for phase, (name, entry) in enumerate(config["attributions"].items()):
        score = np.array([1.0, 2.0, 3.0])
        values = waves(phase=phase).astype(np.float64)
        values += (0.9 * score - values.sum(axis=(1, 2)))[:, None, None] / 64
        if entry.get("probe") == "occluded":
            values = np.concatenate([values, waves(samples=14, phase=phase)])
            values[1:] = values[0]
            score = np.ones(17)
        if entry["method"] == "deconvolution" and entry.get("parameters", {}).get("mode"):
            paths[name] = write_filters(folder / f"attributions/{name}.h5", entry["parameters"])
            continue
        paths[name] = write_attribution(
            folder / f"attributions/{name}.h5",
            values,
            method=entry["method"],
            parameters=entry.get("parameters", {}),
            score=score,
            **({"images": covered(), "label": np.ones(17, int), "target": [1] * 17} if len(score) == 17 else {}),
            **(turned(entry) if entry.get("probe") == "rotated" else {}),
            trace=exact_trace(score) if entry["method"] == "lrp" else None,
            probe=entry.get("probe", "digits"),
            provenance={**PROVENANCE, "wildcards": {"attribution": name}},
        )
        parts.append(folder / f"numbers/attribution_{name}.json")
        numbers.numbers_of_attributions({name: paths[name]}, parts[-1])
    for name, entry in config["evidence"].items():
        paths[name], part = write_evidence(folder, name, entry["models"], config["models"])
        parts.append(part)
    for name in config["pass_attributions"]:
        paths[name], part = write_pass_attribution(folder, name, config)
        parts.append(part)
    for name, entry in config["calibrations"].items():
        paths[name], part = write_calibration(folder, name, entry["models"])
        parts.append(part)
    for name in config["toys"]:
        paths[name], parts_of_toys = folder / f"toys/{name}.h5", folder / f"numbers/toys_{name}.json"
        run_toys(paths[name], parts_of_toys, name=name, steps=5, points=6, provenance={**PROVENANCE, "rule": "toys"})
        parts.append(parts_of_toys)
    for name, definition in config["figures"].items():
        parts.append(folder / f"numbers/{name}.json")
        if definition.get("kind") in GALLERIES:
            make_gallery(folder, name, parts[-1])
        else:
            make_figure(folder, name, definition, paths, parts[-1])
    for name, entry in config["models"].items():
        card = write_card(folder / f"card_{name}.json")
        if entry.get("loss") == "evidential":
            evidential_card(card, entry["kl_weight"])
        parts.append(folder / f"numbers/model_{name}.json")
        numbers.numbers_of_models({name: card}, parts[-1])
    parts += [folder / f"numbers/{part}.json" for part in ("run", "data")]
    numbers.numbers_of_run(parts[-2], provenance=PROVENANCE)
    numbers.numbers_of_data(write_record(folder / "digits.json"), parts[-1])
    parts.append(folder / "numbers/synthesis.json")
    write_json(parts[-1], {key: numbers.entry(1, source="made up") for key in stated((*NOT_MADE_UP, *(f"figure.fig0{n}." for n in range(1, 6))))})
    parts += [compare_one_job(folder), decide_planted(folder)]
    numbers.merge_numbers(parts, folder / "numbers.json")
    return results


def decide_planted(folder: Path) -> Path:
    """The ledger of planted claims, one of them not run, and its numbers."""
    measured = {}
    for rule in load_rules():
        planted = importlib.import_module(f"planted_claims.{rule.module}").true()
        measured[rule.id] = folder / f"claims/{rule.id}.h5"
        write_measured(
            measured[rule.id],
            "there was nothing to measure." if rule.id == "c24" else planted,
            claim=rule.id,
            params={"rule_digest": rule.digest},
            provenance=PROVENANCE,
        )
    part = folder / "numbers/claims.json"
    decide_claims(measured, folder / "claims.json", part, first_commits={}, provenance=PROVENANCE)
    return part


def compare_one_job(folder: Path) -> Path:
    """The verdicts of a job that finds what was printed, with those of jobs that had nothing to run on."""
    jobs = {job: folder / f"replication/{job}.json" for job in JOBS}
    for path in jobs.values():
        write_json(path, {"reason": "made up", "measured": {}})
    tables = [table for table in load().values() if table.job == "networks" and table.kind in COMPARED]
    exact = {value.name: {"value": value.number} for table in tables for value in table.values()}
    write_json(jobs["networks"], {"reason": None, "measured": exact})
    output, part = folder / "replication/verdicts.json", folder / "numbers/replication.json"
    settings = {"passes": 1, "seeds": 0, "pictures": 2}
    compare(jobs, {}, [], output, part, settings=settings, provenance=PROVENANCE)
    return part


def stated(beginnings: tuple[str, ...]) -> set[str]:
    """The results of some jobs that the text states: what synthesis found is not made up here, number by number."""
    text = "".join(path.read_text() for path in (REPOSITORY / "report/sections").glob("*.tex"))
    return {key for key in re.findall(r"\\result\{([^}#]+)\}", text) if key.startswith(beginnings)}


def make_gallery(folder: Path, name: str, output: Path) -> None:
    """Draw a figure of made-up pictures."""
    data = folder / f"figures/data/{name}.h5"
    pictures = np.random.default_rng(0).random((5, 1, 8, 8)).astype(np.float32)
    write_gallery(data, Gallery(name, (GalleryRow("row", "Pictures", "made up", pictures),)), provenance=PROVENANCE)
    files = (folder / f"figures/{name}{suffix}" for suffix in (".pdf", ".png", ".json"))
    draw(data, *files, provenance={**PROVENANCE, "rule": "draw_figure", "inputs": {f"figures/data/{name}.h5": "dd" * 32}})
    write_json(output, {})


def turned(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What figures of a turning digit read beside maps: a logit above zero, one below, one of zero."""
    logits = np.full((3, 10), -1.0)
    logits[:, 1] = [10.0, -0.5, 0.0]
    return {"logits": logits, "model": entry.get("model", "cnn"), "explained": entry.get("target", "predicted")}


def make_figure(
    folder: Path, name: str, definition: Mapping[str, Any], paths: Mapping[str, Path], output: Path
) -> None:
    """Assemble and draw one figure, and write its numbers."""
    data = folder / f"figures/data/{name}.h5"
    assemble(name, paths, data, definition=definition, provenance={**PROVENANCE, "rule": "figure_data"})
    drawing = {
        **PROVENANCE,
        "rule": "draw_figure",
        "wildcards": {"figure": name},
        "inputs": {f"figures/data/{name}.h5": "dd" * 32},
    }
    files = (folder / f"figures/{name}{suffix}" for suffix in (".pdf", ".png", ".json"))
    draw(data, *files, provenance=drawing)
    numbers.numbers_of_figure(data, output)
