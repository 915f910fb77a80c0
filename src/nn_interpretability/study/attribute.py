"""One attribution job: a model, the pictures of a probe, a method, a file."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from nn_interpretability.data import probes
from nn_interpretability.data.view import View
from nn_interpretability.errors import ConfigError
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import load_weights
from nn_interpretability.registry import method_entry
from nn_interpretability.storage.attribution_file import save_attribution
from nn_interpretability.uncertainty.evidential import evidence_target

LOGGER = logging.getLogger(__name__)
TARGETS = ("label", "predicted", "all", "evidence")


def attribute(
    weights: Path | str,
    probe: Path | str,
    output: Path | str,
    *,
    architecture: str,
    method: str,
    parameters: Mapping[str, Any],
    target: str,
    description: Mapping[str, Any],
    device: str,
    provenance: Mapping[str, Any],
) -> None:
    """Explain the pictures of a probe and store the result.

    Parameters
    ----------
    weights, probe
        Weights of the model and the probe file.
    output
        The attribution file.
    architecture
        Name of the network.
    method, parameters
        Name of the method in the registry, and its hyper-parameters. LRP keeps its conservation trace. Where pixels
        are normalised, ``input_bounds``, ``reference`` and ``fill`` are by default what black and white become.
    target
        ``"label"`` (the true class of each picture), ``"predicted"``, ``"all"``, or
        ``"evidence"``: that of the predicted class, which is 0 where its logit is negative.
    description
        Stored with the parameters: names of the attribution, the model and the probe.
    device
        ``"cpu"`` or ``"cuda"``.
    provenance
        What makes the file.

    Raises
    ------
    ConfigError
        If the target, the method or a hyper-parameter is not allowed.
    """
    if target not in TARGETS:
        raise ConfigError(f"target={target!r} is not allowed: choose one of {', '.join(map(repr, TARGETS))}.")
    pictures = probes.load(probe)
    if target == "label" and (pictures.labels < 0).any():
        raise ConfigError(
            f"target: label is not allowed: nobody has said the classes of the pictures of {Path(probe).stem}. Put "
            "them into one subfolder per class, or explain the predicted class."
        )
    parameters = options_for(method, parameters, pictures.view)
    model = load_weights(build_model(architecture), weights).to(device)
    images = torch.from_numpy(pictures.images).to(device)
    labels = torch.from_numpy(pictures.labels)
    entry = method_entry(method)
    options = dict(parameters)
    if "trace" in entry.parameters["properties"]:
        options.setdefault("trace", True)
    explained = entry.build(model, options).interpret(
        images, {"label": labels, "predicted": None, "all": "all", "evidence": evidence_target()}[target]
    )
    LOGGER.info("%s explained %d pictures on %s", method, len(images), device)
    save_attribution(
        explained,
        output,
        images=images,
        label=labels,
        params={"parameters": dict(parameters), "target": target, **description, **pictures.view.params()},
        provenance=provenance,
    )


def options_for(method: str, parameters: Mapping[str, Any], view: View) -> dict[str, Any]:
    """Hyper-parameters of a method for normalised pixels: with their black and white, where nothing else was given."""
    bounds, options = view.bounds(), dict(parameters)
    if bounds is None:
        return options
    black, white = bounds
    known = method_entry(method).parameters["properties"]
    defaults = {"input_bounds": [black, white], "reference": black, "fill": black}
    options = {key: value for key, value in defaults.items() if key in known} | options
    if options.get("fill") in ("black", "white"):
        options["fill"] = black if options["fill"] == "black" else white
    return options
