"""Activation maximisation in the study: one file for each entry of the configuration, the runs of a group in one job.

Layout of ``syntheses/{name}.h5`` (schema ``synthesis/1``), all starts of a class before the next class:

=========================  =========================================================================================
``images``                 what is shown, float32 ``[sample, channel, y, x]``, in [0, 1]
``target, start, steps``   class, number of the start, and steps taken, int64 ``[sample]``
``reason``                 why it ended: index into the parameter ``reasons``, int64 ``[sample]``
``probability``            of the class, of exactly the images shown, float64 ``[sample]``
``judge_probability``      the same by another network, where there is one, float64 ``[sample]``
``searched_probability``   where the search ended, before the study's display changed the image, float64 ``[sample]``
``objective, total``       what was maximised, without and with priors, where the search ended, float64 ``[sample]``
=========================  =========================================================================================
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nn_interpretability.data import probes
from nn_interpretability.data.view import View
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
    judge: nn.Module | None
    generative: Mapping[str, nn.Module]
    first: Tensor
    mean: Tensor | None
    view: View


def synthesize(
    weights: Path | str,
    probe: Path | str,
    generative: Mapping[str, Path | str],
    outputs: Mapping[str, Path | str],
    *,
    entries: Mapping[str, Mapping[str, Any]],
    architecture: str,
    means_probe: Path | str | None = None,
    judge: tuple[str, Path | str] | None = None,
    seed: int,
    device: str,
    provenance: Mapping[str, Any],
    progress: Progress | None = None,
) -> None:
    """Search for images of all classes, for each of some entries; stopped, it goes on behind the last finished part.

    Parameters
    ----------
    weights
        Weights of the network.
    probe
        Pictures as the network sees them: of digits, one of each class in order, from which searches may begin; of
        others only the size counts, and images are made in [0, 1], before their normalisation.
    generative
        Weights of the generators and the density that the entries name.
    outputs
        File of each entry, schema ``synthesis/1``.
    entries
        Entries of the configuration's section ``syntheses``.
    architecture
        Name of the network.
    means_probe
        Class means of the digits; None for other pictures.
    judge
        Name and weights of another network that judges the images; None: there is none.
    seed, device
        Seed of the starts, and where to compute.
    provenance
        What makes the files.
    progress
        Called with thousandths of an entry.
    """
    pictures = probes.load(probe)
    network = load_weights(build_model(architecture), weights).to(device).eval()
    material = Material(
        model=network if not pictures.view.mean else nn.Sequential(_Normalisation(pictures.view), network).to(device),
        judge=None if judge is None else load_weights(build_model(judge[0]), judge[1]).to(device).eval(),
        generative={name: load_generative_model(name, path).to(device) for name, path in generative.items()},
        first=(torch.from_numpy(pictures.images) if means_probe is None else _by_class(probe)).to(device),
        mean=None if means_probe is None else _by_class(means_probe).to(device),
        view=pictures.view,
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
        params |= replace(pictures.view, mean=(), std=()).params()  # what is stored is not normalised
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
    centre = None if entry["centre"] == "zero" else _means(material)[entry["centre"]]
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
    if entry["start"] in {"noise", "zeros"}:
        return str(entry["start"])
    return material.first if entry["start"] == "first" else _means(material)[entry["start"]]


def _means(material: Material) -> Mapping[str, Tensor]:
    if material.mean is None:
        raise ConfigError("There are no class means of these pictures: start from noise or zeros, with centre: zero.")
    return {"mean": material.mean, "grand_mean": material.mean.mean(dim=0)}


class _Normalisation(nn.Module):
    """Pixels in [0, 1] as the network sees them."""

    def __init__(self, view: View) -> None:
        super().__init__()
        mean, std = (torch.tensor(values)[:, None, None] for values in (view.mean, view.std))
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, pixels: Tensor) -> Tensor:
        return (pixels - self.get_buffer("mean")) / self.get_buffer("std")


@torch.no_grad()
def _arrays(material: Material, entry: Mapping[str, Any], found: Synthesis) -> dict[str, Array]:
    shown = found.images
    if entry["published"]:
        shown = rescaled(shown) if entry["rescale"] else shown.clamp(0, 1)
    judges = {"probability": material.model, "judge_probability": material.judge}
    probabilities = {
        name: log_probability(network(shown), found.target).exp()
        for name, network in judges.items()
        if network is not None
    }
    assert found.probability is not None
    columns = {
        "target": found.target,
        "start": found.start,
        "steps": found.steps,
        "reason": torch.tensor([REASONS.index(reason) for reason in found.reason]),
        **probabilities,
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
