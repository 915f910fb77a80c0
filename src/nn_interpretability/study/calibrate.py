"""Calibration: temperature, vector scaling, isotonic regression, fitted on validation pictures, judged on test ones.

Layout (schema ``calibration/1``): ``count``, ``confidence`` and ``accuracy`` [model, scaling, bin] of the test part,
and ``temperature`` [model], with names as scales.  For the figure of maps before and after a temperature, of the first
model: ``images`` [sample, channel, y, x], ``maps`` [when, sample, y, x], ``probability`` and ``score`` [when, sample],
``class`` and ``label`` [sample]; and the same behind ``photograph_``, where there are photographs, with their
``photograph_temperature`` (one number).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nn_interpretability.data import digits as digits_file
from nn_interpretability.data import imagenet, probes
from nn_interpretability.errors import DataError
from nn_interpretability.models import build_model
from nn_interpretability.models.outside import from_torchvision
from nn_interpretability.models.weights import load_weights
from nn_interpretability.storage.hdf5 import Array, write_hdf5
from nn_interpretability.study.measurements import write_measures
from nn_interpretability.study.number_part import ANY, write_part
from nn_interpretability.study.numbers import entry
from nn_interpretability.study.temperature import TEMPERATURE, Maps, identity_of, maps_of, summed_to
from nn_interpretability.training.loop import BLOCK
from nn_interpretability.uncertainty.calibration import brier, nll, reliability
from nn_interpretability.uncertainty.isotonic import IsotonicCalibration
from nn_interpretability.uncertainty.temperature import fit_temperature
from nn_interpretability.uncertainty.vector_scaling import fit_vector_scaling

LOGGER = logging.getLogger("nn_interpretability")
SCHEMA = "calibration/1"
SCALINGS = ("none", "temperature", "vector", "isotonic")
METRICS = ("accuracy", "nll", "brier", "ece", "mce")
PICTURE = 28
"""Side of the maps of photographs, summed over blocks of pixels."""


def calibrate(
    digits_h5: Path | str,
    probe: Path | str,
    networks: Mapping[str, tuple[Path | str, str]],
    output: Path | str,
    numbers_json: Path | str,
    metrics_csv: Path | str,
    *,
    name: str,
    bins: int,
    found: imagenet.Photographs | None,
    photograph_settings: Mapping[str, Any],
    provenance: Mapping[str, Any],
    keys: Sequence[str] = ANY,
    required: bool = False,
) -> None:
    """Fit calibrations, measure what they are worth, and explain the first network before and after a temperature.

    Parameters
    ----------
    digits_h5, probe
        The digits, and those that are explained.
    networks
        Weights and architecture by name; networks of probabilities by softmax.
    output
        Schema ``calibration/1``.
    numbers_json
        Numbers for the report, behind ``calibration.<name>.``: ``<network>.<scaling>.<metric>``,
        ``<network>.temperature`` ("none" where there is no best one), ``identity.<case>.<what>``, ``photographs.*``.
    metrics_csv
        The same as rows of the table of measurements: ``calibration.<scaling>.<metric>``, ``temperature``, as shares.
    name
        Of the entry in the configuration.
    bins
        Bins of the reliability diagrams.
    found
        Where photographs and the weights of their network are; None: they are left out.
    photograph_settings
        ``network`` (of torchvision), ``limit`` (photographs read; half of them to fit, half to judge) and ``shown``.
    provenance
        What makes the files.
    keys
        Of the numbers that the job declares.
    required
        Whether there must be photographs: they were there when the run was planned.

    Raises
    ------
    DataError
        If there must be, and are none.
    """
    if found is None and required:
        raise DataError(
            "The photographs, or the weights of their network, were there when the run was planned, and are not where "
            f"this job runs: give it the same data folder, or remove {numbers_json} to go on without them."
        )
    digits = digits_file.load(digits_h5)
    source = f"calibrations/{name}.h5"
    numbers: dict[str, Any] = {"bins": entry(bins, source=source)}
    tables: list[list[Any]] = []
    temperatures = []
    measures: dict[str, dict[str, float | None]] = {}
    for each, (weights, architecture) in networks.items():
        model = load_weights(build_model(architecture), weights).eval()
        fit_on = _scores(model, digits.validation_images), torch.from_numpy(digits.validation_labels)
        judged_on = _scores(model, digits.test_images), torch.from_numpy(digits.test_labels)
        temperature, scaled = scalings(*fit_on, judged_on[0], what=each)
        measured = _measured(scaled, judged_on[1], bins)
        measures[each] = {"temperature": temperature}
        measures[each] |= {f"calibration.{key}": value for key, value in measured.items()}
        numbers |= _numbers(each, measured, source)
        numbers[f"{each}.temperature"] = entry(temperature, decimals=4, source=source)
        numbers[f"{each}.fitted_on"] = entry(len(fit_on[1]), source=source)
        numbers[f"{each}.judged_on"] = entry(len(judged_on[1]), source=source)
        tables.append([reliability(scores, judged_on[1], bins) for scores in scaled.values()])
        temperatures.append(1.0 if temperature is None else temperature)
    arrays = {
        what: Array(np.array([[getattr(t, what) for t in row] for row in tables]), ("model", "scaling", "bin"))
        for what in ("count", "confidence", "accuracy")
    }
    arrays["temperature"] = Array(np.array(temperatures), ("model",))

    explained = probes.load(probe)
    first, (weights, architecture) = next(iter(networks.items()))
    model = load_weights(build_model(architecture), weights).eval()
    images = torch.from_numpy(explained.images)
    arrays |= _arrays("", maps_of(model, images, temperatures[0]), explained.images, explained.labels)
    numbers["identity.temperature"] = entry(TEMPERATURE, decimals=1, source=source)
    for case, values in identity_of(model, images).items():
        for what, value in values.items():
            precision = 2 if what == "gap" else 4
            numbers[f"identity.{case}.{what}"] = entry(value, digits=precision, source=source)
    more, words = _photographs(found, photograph_settings, bins, source)
    write_hdf5(
        output,
        arrays | more,
        schema=SCHEMA,
        params={"network": first, "photographs": words["network"] if more else ""},
        provenance=provenance,
        scales={"model": list(networks), "scaling": list(SCALINGS), "when": ["before", "after"]},
    )
    numbers |= {f"photographs.{key}": value for key, value in words["numbers"].items()}
    write_measures(measures, metrics_csv)
    write_part(numbers_json, {f"calibration.{name}.{key}": value for key, value in numbers.items()}, keys=keys)


def scalings(held_out: Tensor, labels: Tensor, scores: Tensor, *, what: str) -> tuple[float | None, dict[str, Tensor]]:
    """The scores of other pictures as each calibration has them, and the temperature.

    Where the held-out pictures determine no temperature (all are classified correctly) or no other calibration, the
    scores stay as they are, and a warning says so.
    """
    temperature: float | None = None
    scaled = {"none": scores, "temperature": scores, "vector": scores, "isotonic": scores}
    try:
        temperature = fit_temperature(held_out, labels)
        scaled["temperature"] = scores / temperature
        weight, bias = fit_vector_scaling(held_out, labels)
        scaled["vector"] = scores * weight + bias
    except DataError as problem:
        LOGGER.warning("%s keeps its logits: %s", what, problem)
    try:
        scaled["isotonic"] = IsotonicCalibration(held_out, labels).log_probabilities(scores)
    except DataError as problem:
        LOGGER.warning("%s keeps its logits in place of isotonic regression: %s", what, problem)
    return temperature, scaled


def _measured(scaled: Mapping[str, Tensor], labels: Tensor, bins: int) -> dict[str, float]:
    """Each of :data:`METRICS` of each calibration, behind its name."""
    measured: dict[str, float] = {}
    for scaling, scores in scaled.items():
        table = reliability(scores, labels, bins)
        right = float((scores.argmax(1) == labels).double().mean())
        values = (right, nll(scores, labels), brier(scores, labels), table.expected_error, table.largest_error)
        measured |= {f"{scaling}.{metric}": value for metric, value in zip(METRICS, values, strict=True)}
    return measured


_DECIMALS = {"accuracy": 2, "nll": 4, "brier": 4, "ece": 2, "mce": 1}
_SHARES = {"accuracy", "ece", "mce"}


def _numbers(network: str, measured: Mapping[str, float], source: str) -> dict[str, Any]:
    numbers = {}
    for key, value in measured.items():
        metric = key.rpartition(".")[2]
        size, unit = (100 * value, "%") if metric in _SHARES else (value, "")
        numbers[f"{network}.{key}"] = entry(size, decimals=_DECIMALS[metric], unit=unit, source=source)
    return numbers


def _scores(model: torch.nn.Module, images: np.ndarray[Any, np.dtype[np.uint8]]) -> Tensor:
    pixels = torch.from_numpy(images)[:, None]
    with torch.no_grad():
        return torch.cat([model(block.float() / 255) for block in pixels.split(BLOCK)]).double()


def _arrays(prefix: str, maps: Maps, images: Any, labels: Any) -> dict[str, Array]:
    sample = f"{prefix}sample"
    y, x = (f"{prefix}y", f"{prefix}x") if prefix else ("y", "x")
    channel = f"{prefix}channel" if prefix else "channel"
    return {
        f"{prefix}images": Array(
            np.asarray(images, dtype=np.float32), (sample, channel, f"{y}_picture", f"{x}_picture")
        ),
        f"{prefix}maps": Array(maps.values.astype(np.float32), ("when", sample, y, x)),
        f"{prefix}probability": Array(maps.probability, ("when", sample)),
        f"{prefix}score": Array(maps.score, ("when", sample)),
        f"{prefix}class": Array(maps.classes, (sample,)),
        f"{prefix}label": Array(np.asarray(labels, dtype=np.int64), (sample,)),
    }


def _photographs(
    found: imagenet.Photographs | None, settings: Mapping[str, Any], bins: int, source: str
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Arrays and numbers of a network for photographs; none, and words that say so, where there are no photographs."""
    network = str(settings.get("network", ""))
    if found is None:
        keys = ["temperature", "n", *(f"{when}.{metric}" for when in ("none", "temperature") for metric in METRICS)]
        none = {key: entry(None, source=source) for key in keys}
        return {}, {
            "network": network,
            "numbers": {"shown": entry("no", source=source), "ratio": entry(None, source=source)} | none,
        }
    pixels, labels = imagenet.load(found.pictures, settings["limit"])
    model = load_weights(from_torchvision(network), found.weights).eval()
    with torch.no_grad():
        scores = torch.cat([model(imagenet.normalised(block)) for block in pixels.split(20)]).double()
    half = torch.arange(len(labels)) % 2 == 0
    try:
        temperature = fit_temperature(scores[half], labels[half])
    except DataError as problem:
        LOGGER.warning("%s keeps its logits: %s", network, problem)
        temperature = 1.0
    scaled = {"none": scores[~half], "temperature": scores[~half] / temperature}
    numbers = {
        key.removeprefix("photograph."): value
        for key, value in _numbers("photograph", _measured(scaled, labels[~half], bins), source).items()
    }
    chosen = torch.linspace(0, int((~half).sum()) - 1, settings["shown"]).round().long()
    shown = pixels[~half][chosen]
    maps = maps_of(model, imagenet.normalised(shown), temperature, reference=imagenet.black())
    numbers |= {
        "shown": entry("yes", source=source),
        "temperature": entry(temperature, decimals=3, source=source),
        "n": entry(len(labels), source=source),
        "ratio": entry(maps.ratio, digits=5, source=source),
    }
    arrays = _arrays(
        "photograph_", summed_to(maps, PICTURE), shown[:, :, ::2, ::2].numpy(), labels[~half][chosen].numpy()
    )
    arrays["photograph_temperature"] = Array(np.array([temperature]), ("one",))
    return arrays, {"network": network, "numbers": numbers}
