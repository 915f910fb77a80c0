"""Made-up evidence and calibrations, for tests of figures, numbers and the report."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from figures.synthetic import PROVENANCE, pictures, waves

from nn_interpretability.storage.hdf5 import Array, write_hdf5
from nn_interpretability.storage.product import read_json, write_json
from nn_interpretability.study.calibrate import METRICS, SCALINGS
from nn_interpretability.study.evidence import QUESTIONS
from nn_interpretability.study.numbers import entry


def evidential_card(card_json: Path, kl_weight: float) -> None:
    """Add to a card what is said of an evidential network: 50 of 1000 pictures without evidence."""
    card = read_json(card_json)
    card["recipe"] |= {"loss": "evidential", "kl_weight": kl_weight}
    for part in ("test", "validation"):
        card[part]["evidential"] = {
            "abstentions": 50,
            "answers": 950,
            "accuracy_of_answers": 0.98,
            "accuracy_by_logits": 0.96,
            "mean_evidence": 61.5,
            "mean_uncertainty": 0.25,
            "mean_uncertainty_right": 0.2,
            "mean_uncertainty_wrong": None,
        }
    write_json(card_json, card)


def write_evidence(
    folder: Path, name: str, networks: Sequence[str], models: Mapping[str, Mapping[str, Any]]
) -> tuple[Path, Path]:
    """What a job of evidence leaves: the digit at three angles, u of 0.2, 1 and 0.6; and its numbers."""
    path, source = folder / f"evidence/{name}.h5", f"evidence/{name}.h5"
    uncertainty = np.array([0.2, 1.0, 0.6])
    probability = np.repeat(uncertainty[:, None] / 10, 10, axis=1)
    probability[:, 1] += 1 - uncertainty
    arrays = {
        "images": Array(pictures(), ("sample", "channel", "y", "x")),
        "label": Array(np.ones(3, dtype=np.int64), ("sample",)),
        "angle": Array(np.array([0.0, -6.0, -12.0]), ("sample",)),
        "probability": Array(np.stack([probability] * len(networks)), ("model", "sample", "class")),
        "logit": Array(np.stack([10 * probability] * len(networks)), ("model", "sample", "class")),
        "uncertainty": Array(np.stack([uncertainty] * len(networks)), ("model", "sample")),
    }
    evidential = [network for network in networks if models[network].get("loss") == "evidential"]
    write_hdf5(
        path,
        arrays,
        schema="evidence/1",
        params={"evidential": evidential, "data": {}},
        provenance={**PROVENANCE, "rule": "measure_evidence"},
        scales={"model": list(networks)},
    )
    numbers = {"n": entry(1000, source=source)}
    numbers |= {"level": entry(95.0, decimals=0, unit="%", source=source)}
    numbers |= {"passes": entry(50, source=source), "passes.n": entry(100, source=source)}
    for network in networks:
        passes = ("entropy.", "mutual_information.") if network == "dropout_cnn" else ()
        for measure in ("", *passes):
            numbers[f"{network}.{measure}errors"] = entry(12, source=source)
            for question, (end, value) in itertools.product(QUESTIONS, {"": 0.75, ".low": 0.7, ".high": 0.8}.items()):
                numbers[f"{network}.{measure}auroc.{question}{end}"] = entry(value, decimals=3, source=source)
    part = folder / f"numbers/evidence_{name}.json"
    write_json(part, {f"evidence.{name}.{key}": value for key, value in numbers.items()})
    return path, part


def write_calibration(folder: Path, name: str, networks: Sequence[str]) -> tuple[Path, Path]:
    """What a job of calibration leaves, in four bins, without photographs; and its numbers."""
    path, source = folder / f"calibrations/{name}.h5", f"calibrations/{name}.h5"
    shape = (len(networks), len(SCALINGS), 1)
    maps = waves()
    arrays = {
        "count": Array(np.tile([0, 10, 20, 70], shape), ("model", "scaling", "bin")),
        "confidence": Array(np.tile([0, 0.4, 0.6, 0.9], shape), ("model", "scaling", "bin")),
        "accuracy": Array(np.tile([0, 0.5, 0.5, 0.95], shape), ("model", "scaling", "bin")),
        "temperature": Array(np.full(len(networks), 1.25), ("model",)),
        "images": Array(pictures(), ("sample", "channel", "y", "x")),
        "maps": Array(np.stack([maps, maps / np.float32(1.25)]), ("when", "sample", "y", "x")),
        "probability": Array(np.array([[0.99, 0.98, 0.6], [0.97, 0.96, 0.5]]), ("when", "sample")),
        "score": Array(np.array([[5.0, 4.0, 1.0], [4.0, 3.2, 0.8]]), ("when", "sample")),
        "class": Array(np.arange(3), ("sample",)),
        "label": Array(np.arange(3), ("sample",)),
    }
    write_hdf5(
        path,
        arrays,
        schema="calibration/1",
        params={"network": networks[0], "photographs": ""},
        provenance={**PROVENANCE, "rule": "calibrate"},
        scales={"model": list(networks), "scaling": list(SCALINGS), "when": ["before", "after"]},
    )
    numbers = {"bins": entry(4, source=source), "identity.temperature": entry(1.7, decimals=1, source=source)}
    for network in networks:
        numbers |= {f"{network}.temperature": entry(1.25, decimals=4, source=source)}
        numbers |= {f"{network}.{part}": entry(100, source=source) for part in ("fitted_on", "judged_on")}
        for scaling in SCALINGS:
            numbers |= {f"{network}.{scaling}.{m}": entry(0.125, decimals=3, source=source) for m in METRICS}
    for case in ("deeplift", "lrp", "folded", "unit_start", "probability"):
        numbers |= {f"identity.{case}.{w}": entry(0.5, digits=2, source=source) for w in ("cosine", "ratio", "gap")}
    numbers["photographs.shown"] = entry("no", source=source)
    part = folder / f"numbers/calibration_{name}.json"
    write_json(part, {f"calibration.{name}.{key}": value for key, value in numbers.items()})
    return path, part
