"""Numbers of a figure's sidecar, computed again from its file of figure data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Number = tuple[str, Any, Any]


def check_sidecar(data_h5: Path, sidecar_json: Path) -> int:
    """Compare a sidecar with the arrays that were drawn; return how many numbers were compared."""
    said = json.loads(sidecar_json.read_text(encoding="utf-8"))
    with h5py.File(data_h5) as file:
        params = json.loads(file.attrs["params"])
        arrays = {
            name: np.asarray(dataset) for name, dataset in file.items() if np.issubdtype(dataset.dtype, np.number)
        }
    compared = list(again(params, arrays, said))
    for what, stated, computed in compared:
        np.testing.assert_allclose(stated, computed, rtol=1e-6, atol=1e-12, err_msg=f"{data_h5.name}: {what}")
    return len(compared)


def again(params: dict[str, Any], arrays: dict[str, Any], said: dict[str, Any]) -> Iterator[Number]:
    """Name, stated value and computed value of some numbers of a figure."""
    numbers, words = said["numbers"], " | ".join(said["drawn"]["words"])
    kind = params["kind"]
    if kind == "panel_group":
        rows = [row["name"] for block in params["blocks"] for row in block["rows"]]
        last = rows[-1]
        yield "limit", numbers["rows"][rows[0]]["limit"], arrays["limit"][0]
        size = np.abs(arrays["maps"][-1]).max(axis=(1, 2))
        yield "largest", numbers["rows"][last]["largest"], size
        yield "score", numbers["rows"][last]["score"], arrays["score"][-1]
        ends = [high for _, high in said["drawn"]["colour_scales"]] + [
            x for axes in said["drawn"]["axes"] for x in axes["x"]
        ]
        yield "the scale that is drawn", min(abs(end - arrays["limit"][0]) for end in ends), 0
        beyond = [float(value) for value in re.findall(r"([\d.]+) % beyond the scale", words)]
        signed = [not block.get("grey") for block in params["blocks"] for _ in block["rows"]]
        yield "shares that are printed", beyond, np.round(100 * arrays["beyond"][signed], 1)
    elif kind == "occlusion_strip":
        yield "probability", numbers["probability"], arrays["probability"]
        yield "least", min(numbers["probability"]), arrays["probability"].min()
        assert [-arrays["limit"][0], arrays["limit"][0]] in said["drawn"]["colour_scales"]
    elif kind == "curves":
        lines = [numbers["lines"][panel["name"]][label] for panel in params["panels"] for label in panel["lines"]]
        yield "lines", lines, arrays["values"]
        yield "axis", said["drawn"]["axes"][0]["x"], [arrays["along"][0], arrays["along"][-1]]
    elif kind == "gallery":
        for place, row in enumerate(params["rows"]):
            pictures = arrays[f"row_{place}"]
            stated = numbers["rows"][row["name"]]
            yield "brightness", stated["mean"], pictures.mean(axis=(1, 2, 3), dtype=np.float64)
            yield "pictures", stated["pictures"], len(pictures)
            assert all(line in words for note in row["notes"] for line in note.split("\n"))
    elif kind == "evidence_curve":
        networks = [numbers["networks"][heading] for heading in params["headings"]]
        yield "uncertainty", [each["uncertainty"] for each in networks], arrays["uncertainty"]
        yield "angles", numbers["angle"], arrays["angle"]
        yield "probability", [each["probability"] for each in networks], arrays["probability"]
    elif kind == "reliability":
        bars = [[numbers["networks"][name][scaling] for scaling in params["scalings"]] for name in params["networks"]]
        yield "counts", [[each["count"] for each in row] for row in bars], arrays["count"]
        gap = (arrays["count"] * np.abs(arrays["accuracy"] - arrays["confidence"])).sum(2) / arrays["count"].sum(2)
        yield "errors", [[each["expected_error"] for each in row] for row in bars], gap
        printed = [float(value) for value in re.findall(r"ECE ([\d.]+) %", words)]
        yield "errors that are printed", printed, np.round(100 * gap, 2).ravel()
    else:
        yield from again_of_passes_and_toys(kind, params, arrays, said)


def again_of_passes_and_toys(
    kind: str, params: dict[str, Any], arrays: dict[str, Any], said: dict[str, Any]
) -> Iterator[Number]:
    """The same of two more kinds."""
    numbers, words = said["numbers"], " | ".join(said["drawn"]["words"])
    if kind == "pass_scatter":
        yield "mean", numbers["logit"]["mean"], arrays["logit"].mean(axis=0)
        yield "largest", numbers["probability"]["largest"], arrays["probability"].max(axis=0)
        printed = [float(value) for value in re.findall(r"([\d.]+) nat", words)]
        yield "information that is printed", printed, np.round(arrays["mutual_information"], 2)
    elif kind == "toys":
        for place, column in enumerate(params["columns"]):
            stated = numbers["columns"][column["name"]]
            yield "score", stated["score"], arrays[f"score_{place}"]
            yield (
                "values",
                list(stated["values"].values()),
                [
                    arrays[f"values_{place}"][params["headings"].index(said["facts"]["methods"][name])]
                    for name in stated["values"]
                ],
            )
    else:
        raise AssertionError(f"no numbers of a figure of kind {kind} are computed again: add them here")
