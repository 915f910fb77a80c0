"""How well uncertainty knows: evidential networks and ordinary ones on a turning digit, on errors, on foreign pictures.

Layout (schema ``evidence/1``): ``images`` [sample, channel, y, x], ``angle`` and ``label`` [sample], ``probability``
[model, sample, class] (the Dirichlet mean of evidential networks, the softmax of others), ``logit`` of the same shape,
``uncertainty`` [model, sample] (u of evidential networks; 1 less the largest probability of others), with the names of
the networks as the scale of ``model``.  ``params["evidential"]`` says which of them are evidential.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from nn_interpretability.data import digits as digits_file
from nn_interpretability.data.foreign import foreign_pictures
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import load_weights
from nn_interpretability.stochastic import information
from nn_interpretability.stochastic.passes import BLOCK as PASSES_BLOCK
from nn_interpretability.stochastic.passes import draw_passes
from nn_interpretability.stochastic.sampler import Dropout, Randomness
from nn_interpretability.storage.hdf5 import Array, read_hdf5, write_hdf5
from nn_interpretability.study.measurements import write_measures
from nn_interpretability.study.number_part import ANY, write_part
from nn_interpretability.study.numbers import entry
from nn_interpretability.uncertainty.auroc import LEVEL, Area, auroc
from nn_interpretability.uncertainty.evidential import opinion

SCHEMA = "evidence/1"
QUESTIONS = ("errors", "turned", "other_source", "shuffled")
BLOCK = 250


@dataclass(frozen=True)
class Network:
    """A trained network and how its scores are to be read."""

    weights: Path | str
    architecture: str
    evidential: bool


@dataclass(frozen=True)
class Said:
    """What a network says of pictures: logits and probabilities ``(n, classes)``, uncertainty ``(n,)``, not negative.

    Of passes with dropout on: the mean probabilities, and their logarithms.
    """

    logits: Tensor
    probabilities: Tensor
    uncertainty: Tensor


def measure_evidence(
    digits_h5: Path | str,
    probe: Path | str,
    networks: Mapping[str, Network],
    output: Path | str,
    numbers_json: Path | str,
    metrics_csv: Path | str,
    *,
    name: str,
    pictures: int,
    passes: int,
    pass_pictures: int,
    seed: int,
    provenance: Mapping[str, Any],
    keys: Sequence[str] = ANY,
) -> None:
    """Ask networks how sure they are, and measure how much that tells.

    Parameters
    ----------
    digits_h5, probe
        The digits, and one of them at several angles.
    networks
        By name; the first is the one that figures show. Those with dropout are also asked with their dropout on.
    output
        What the figures show, schema ``evidence/1``.
    numbers_json
        Numbers for the report. Behind ``evidence.<name>.<network>.``: ``errors``, and ``auroc.<question>``, the area
        under the receiver operating characteristic of the uncertainty, 0.5 for one that knows nothing, for the
        question whether the class of the largest logit is wrong (``errors``; also where a network abstains, for an
        abstention that counted as an error would flatter it) and whether a picture is foreign (``turned``,
        ``shuffled``, ``other_source``), with the ends of its 95 % bootstrap interval, ``auroc.<question>.low`` and
        ``.high``; "none" where all are right, or all wrong. The same behind ``entropy.`` and ``mutual_information.``
        for passes with dropout on, whose class is that of the largest mean probability. Behind ``evidence.<name>.``:
        ``n`` and ``n.<question>``, the pictures of each kind, ``passes`` and ``passes.n``, and ``level``, that of the
        intervals.
    metrics_csv
        The same areas as rows of the table of measurements: ``auroc.<question>``, ``entropy.auroc.<question>``...
    name
        Of the entry in the configuration.
    pictures
        Test pictures, and at most so many foreign ones of each kind.
    passes
        Passes with dropout on for each picture; 0 for none.
    pass_pictures
        How many of the pictures of each kind, the first ones, are asked so.
    seed
        Of the shuffled pictures, of the masks and of the bootstrap.
    provenance
        What makes the files.
    keys
        Of the numbers that the job declares.
    """
    turned = read_hdf5(probe, schema="probe/1")
    digits = digits_file.load(digits_h5)
    images, labels = digits.test_images[:pictures], torch.from_numpy(digits.test_labels[:pictures])
    kinds = {"": images, **foreign_pictures(digits, pictures, seed)}
    few = {kind: found[:pass_pictures] for kind, found in kinds.items()}
    source = f"evidence/{name}.h5"
    numbers: dict[str, Any] = {"n.other_source": entry(0, source=source)}
    numbers |= {"n" + (kind and f".{kind}"): entry(len(found), source=source) for kind, found in kinds.items()}
    numbers |= {"level": entry(100 * LEVEL, decimals=0, unit="%", source=source)}
    numbers |= {"passes": entry(passes, source=source), "passes.n": entry(len(few[""]), source=source)}
    of_turned: dict[str, Said] = {}
    measures: dict[str, dict[str, float | None]] = {}
    for each, network in networks.items():
        model = load_weights(build_model(network.architecture), network.weights).eval()
        of_turned[each] = ask(model, torch.from_numpy(turned.arrays["images"].values), evidential=network.evidential)
        said = {"": {kind: ask(model, _pixels(of), evidential=network.evidential) for kind, of in kinds.items()}}
        if passes and has_dropout(model):
            said |= _by_uncertainty({kind: ask_passes(model, _pixels(of), passes, seed) for kind, of in few.items()})
        measures[each] = {}
        for measure, by_kind in said.items():
            wrong = by_kind[""].logits.argmax(1) != labels[: len(by_kind[""].logits)]
            numbers[f"{each}.{measure}errors"] = entry(int(wrong.sum()), source=source)
            measures[each] |= _rows(areas_of(by_kind, wrong, seed), measure)
        numbers |= {f"{each}.{key}": entry(value, decimals=3, source=source) for key, value in measures[each].items()}
    _write_turned(Path(output), turned, of_turned, networks, provenance)
    write_measures(measures, metrics_csv)
    write_part(numbers_json, {f"evidence.{name}.{key}": value for key, value in numbers.items()}, keys=keys)


def ask(model: nn.Module, images: Tensor, *, evidential: bool) -> Said:
    """What a network says of pictures.

    Parameters
    ----------
    model
        In evaluation mode.
    images
        Shape ``(n, channels, height, width)``.
    evidential
        Whether its logits are evidence.
    """
    with torch.no_grad():
        logits = torch.cat([model(block) for block in images.split(BLOCK)]).double()
    if evidential:
        said = opinion(logits)
        return Said(logits, said.probabilities, said.uncertainty)
    probabilities = logits.softmax(1)
    return Said(logits, probabilities, 1 - probabilities.max(1).values)


def has_dropout(model: nn.Module) -> bool:
    """Whether a module of the network drops anything while it is trained."""
    return any(isinstance(module, _DropoutNd) and module.p > 0 for module in model.modules())


def ask_passes(model: nn.Module, images: Tensor, passes: int, seed: int) -> dict[str, Said]:
    """What a network says of pictures over passes with its dropout on, by uncertainty.

    Parameters
    ----------
    model
        With dropout; left in evaluation mode.
    images
        Shape ``(n, channels, height, width)``; all see the same masks in a pass.
    passes
        How many, at least 1.
    seed
        Of the masks.

    Returns
    -------
    dict
        ``"entropy"``: the entropy of the mean probabilities. ``"mutual_information"``: of it, what the passes disagree
        on. Both in nats.
    """
    drawn = draw_passes(model, images, Randomness(dropout=Dropout(seed)), 0, passes, block=min(PASSES_BLOCK, passes))
    scores = drawn.logits.double()
    uncertainties = {
        "entropy": information.predictive_entropy(scores),
        "mutual_information": information.mutual_information(scores).clamp(min=0),  # not below zero but for rounding
    }
    logarithms = scores.log_softmax(dim=-1).logsumexp(dim=0) - math.log(passes)
    return {name: Said(logarithms, logarithms.exp(), found) for name, found in uncertainties.items()}


def areas_of(said: Mapping[str, Said], wrong: Tensor, seed: int) -> dict[str, Area | None]:
    """How much uncertainty tells, by question.

    Parameters
    ----------
    said
        Of test pictures, ``""``, and of foreign ones, by their kind.
    wrong
        Which of the test pictures are errors, bool ``(n,)``.
    seed
        Of the bootstrap.
    """
    home = said[""].uncertainty
    found = {"errors": auroc(home.numpy(), wrong.numpy(), seed=seed)}
    for kind in said.keys() - {""}:
        uncertainty = torch.cat([home, said[kind].uncertainty]).numpy()
        found[kind] = auroc(uncertainty, np.arange(len(uncertainty)) >= len(home), seed=seed)
    return {question: found.get(question) for question in QUESTIONS}


def _by_uncertainty(found: Mapping[str, Mapping[str, Said]]) -> dict[str, dict[str, Said]]:
    """What was said by kind of picture and uncertainty, sorted the other way; a dot ends the uncertainty's name."""
    return {f"{name}.": {kind: said[name] for kind, said in found.items()} for name in found[""]}


def _ends(area: Area | None) -> dict[str, float | None]:
    """The area itself, and the ends of its interval."""
    return {end: None if area is None else getattr(area, end.lstrip(".") or "value") for end in ("", ".low", ".high")}


def _rows(areas: Mapping[str, Area | None], measure: str) -> dict[str, float | None]:
    return {
        f"{measure}auroc.{question}{end}": value
        for question, area in areas.items()
        for end, value in _ends(area).items()
    }


def _pixels(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(images)[:, None].float() / 255


def _write_turned(
    output: Path, turned: Any, said: Mapping[str, Said], networks: Mapping[str, Network], provenance: Mapping[str, Any]
) -> None:
    def stacked(values: Sequence[Tensor]) -> NDArray[np.float64]:
        return np.asarray(torch.stack(list(values)).numpy())

    write_hdf5(
        output,
        {
            "images": Array(turned.arrays["images"].values, ("sample", "channel", "y", "x")),
            "label": Array(turned.arrays["labels"].values, ("sample",)),
            "angle": Array(np.asarray(turned.params["angles"], dtype=np.float64), ("sample",)),
            "probability": Array(stacked([each.probabilities for each in said.values()]), ("model", "sample", "class")),
            "logit": Array(stacked([each.logits for each in said.values()]), ("model", "sample", "class")),
            "uncertainty": Array(stacked([each.uncertainty for each in said.values()]), ("model", "sample")),
        },
        schema=SCHEMA,
        params={
            "evidential": [name for name, network in networks.items() if network.evidential],
            "data": turned.params.get("data", {}),
        },
        provenance=provenance,
        scales={"model": list(said)},
    )
