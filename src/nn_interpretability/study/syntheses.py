"""Activation maximisation in the study: one file for each entry of the configuration, the runs of a group in one job.

Layout of ``syntheses/{name}.h5`` (schema ``synthesis/1``), all starts of a class before the next class:

=========================  =========================================================================================
``images``                 what is shown, float32 ``[sample, channel, y, x]``, in [0, 1]
``target, start, steps``   class, number of the start, and steps taken, int64 ``[sample]``
``reason``                 why it ended: index into the parameter ``reasons``, int64 ``[sample]``
``probability``            of the class, of exactly the images shown, float64 ``[sample]``
``judge_probability``      the same by another network, float64 ``[sample]``
``searched_probability``   where the search ended, before the study's display changed the image, float64 ``[sample]``
``objective, total``       what was maximised, without and with priors, where the search ended, float64 ``[sample]``
=========================  =========================================================================================
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nn_interpretability.data import probes
from nn_interpretability.errors import ConfigError
from nn_interpretability.models.build import build_model
from nn_interpretability.models.weights import load_weights
from nn_interpretability.storage.hdf5 import Array, write_hdf5
from nn_interpretability.study.published_synthesis import BatchOfOne, PublishedMaximization, rescaled
from nn_interpretability.synthesis.activation_maximization import ActivationMaximization, Progress
from nn_interpretability.synthesis.loop import REASONS
from nn_interpretability.synthesis.objectives import log_probability
from nn_interpretability.synthesis.priors import Prior, SquaredDistance, TotalVariation
from nn_interpretability.synthesis.result import Synthesis
from nn_interpretability.training.generative import load_generative_model

LOGGER = logging.getLogger("nn_interpretability")
SCHEMA = "synthesis/1"
_PARTS = 1000  # of one entry, for the progress


@dataclass(frozen=True)
class Material:
    """What searches need: networks, and pictures by class."""

    model: nn.Module
    judge: nn.Module
    generative: Mapping[str, nn.Module]
    first: Tensor
    mean: Tensor


def synthesize(
    weights: Path | str,
    judge: Path | str,
    digits_probe: Path | str,
    means_probe: Path | str,
    generative: Mapping[str, Path | str],
    outputs: Mapping[str, Path | str],
    *,
    entries: Mapping[str, Mapping[str, Any]],
    architecture: str,
    judge_architecture: str,
    seed: int,
    device: str,
    provenance: Mapping[str, Any],
    progress: Progress | None = None,
) -> None:
    """Search for images of all classes, for each of some entries; stopped, it goes on behind the last finished part.

    Parameters
    ----------
    weights, judge
        Weights of the network, and of another one that judges the images.
    digits_probe, means_probe
        One picture of each class, and their class means.
    generative
        Weights of the generators and the density that the entries name.
    outputs
        File of each entry, schema ``synthesis/1``.
    entries
        Entries of the configuration's section ``syntheses``.
    architecture, judge_architecture
        Names of the networks.
    seed, device
        Seed of the starts, and where to compute.
    provenance
        What makes the files.
    progress
        Called with thousandths of an entry.
    """
    material = Material(
        model=load_weights(build_model(architecture), weights).to(device).eval(),
        judge=load_weights(build_model(judge_architecture), judge).to(device).eval(),
        generative={name: load_generative_model(name, path).to(device) for name, path in generative.items()},
        first=_by_class(digits_probe).to(device),
        mean=_by_class(means_probe).to(device),
    )
    states = []
    for number, (name, entry) in enumerate(entries.items()):
        states.append(Path(f"{outputs[name]}.state"))
        report = _share(progress, number, len(entries))
        found = _search(material, entry, seed).synthesize(
            "all", _start(material, entry), starts=entry["starts"], checkpoint=states[-1], progress=report
        )
        arrays = _arrays(material, entry, found)
        LOGGER.info("%s: steps %s, p %s", name, found.steps.tolist(), arrays["probability"].values.round(4).tolist())
        params = {"entry": dict(entry), "reasons": list(REASONS), "seed": seed, "parameters": dict(found.parameters)}
        write_hdf5(outputs[name], arrays, schema=SCHEMA, params=params, provenance=provenance)
    for state in states:
        shutil.rmtree(state, ignore_errors=True)


def _by_class(probe: Path | str) -> Tensor:
    pictures = probes.load(probe)
    classes = pictures.labels.tolist()
    if classes != list(range(len(classes))):
        raise ConfigError(
            f"{Path(probe).name} has the classes {classes}; one picture of each class is needed, in order."
        )
    return torch.from_numpy(pictures.images)


def _search(material: Material, entry: Mapping[str, Any], seed: int) -> ActivationMaximization:
    shape = tuple(material.first.shape[1:])
    centre = {"zero": None, "mean": material.mean, "grand_mean": material.mean.mean(dim=0)}[entry["centre"]]
    generator = material.generative[entry["generator"]] if entry["generator"] else None
    common = {
        "image_shape": None if generator is not None else shape,
        "steps": entry["steps"],
        "learning_rate": entry["learning_rate"],
        "threshold": entry["threshold"],
        "seed": seed,
    }
    if entry["published"]:
        if generator is not None and entry["batch_of_one"]:
            generator = BatchOfOne(generator)
        return PublishedMaximization(
            material.model, weight=entry["distance"], centre=centre, generator=generator, **common
        )
    return ActivationMaximization(
        material.model,
        objective=entry["objective"],
        parametrisation=entry["parametrisation"],
        priors=_priors(entry, centre),
        generator=generator,
        code_weight=entry["code_weight"],
        expert=material.generative[entry["expert"]] if entry["expert"] else None,
        expert_weight=entry["expert_weight"],
        **common,
    )


def _priors(entry: Mapping[str, Any], centre: Tensor | None) -> list[Prior]:
    priors: list[Prior] = []
    if entry["squared_distance"]:
        priors.append(SquaredDistance(entry["squared_distance"], centre))
    if entry["total_variation"]:
        priors.append(TotalVariation(entry["total_variation"]))
    return priors


def _start(material: Material, entry: Mapping[str, Any]) -> str | Tensor:
    given = {"first": material.first, "mean": material.mean, "grand_mean": material.mean.mean(dim=0)}
    start: str | Tensor = given.get(entry["start"], entry["start"])
    return start


@torch.no_grad()
def _arrays(material: Material, entry: Mapping[str, Any], found: Synthesis) -> dict[str, Array]:
    shown = found.images
    if entry["published"]:
        shown = rescaled(shown) if entry["rescale"] else shown.clamp(0, 1)
    probability, judged = (
        log_probability(network(shown), found.target).exp() for network in (material.model, material.judge)
    )
    assert found.probability is not None
    columns = {
        "target": found.target,
        "start": found.start,
        "steps": found.steps,
        "reason": torch.tensor([REASONS.index(reason) for reason in found.reason]),
        "probability": probability,
        "judge_probability": judged,
        "searched_probability": found.probability,
        "objective": found.objective,
        "total": found.total,
    }
    arrays = {name: Array(values.cpu().numpy(), ("sample",)) for name, values in columns.items()}
    return {"images": Array(shown.cpu().numpy(), ("sample", "channel", "y", "x")), **arrays}


def _share(progress: Progress | None, number: int, entries: int) -> Progress | None:
    """Progress of one entry as progress of all."""
    if progress is None:
        return None
    return lambda done, total, _: progress(
        number * _PARTS + _PARTS * done // max(total, 1), entries * _PARTS, "thousandths"
    )
