"""How well uncertainty knows: evidential networks and ordinary ones on a turning digit, on errors, on foreign pictures.

Layout (schema ``evidence/1``): ``images`` [sample, channel, y, x], ``angle`` and ``label`` [sample], ``probability``
[model, sample, class] (the Dirichlet mean of evidential networks, the softmax of others), ``logit`` of the same shape,
``uncertainty`` [model, sample] (u of evidential networks; 1 less the largest probability of others), with the names of
the networks as the scale of ``model``.  ``params["evidential"]`` says which of them are evidential.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from nn_interpretability.data import digits as digits_file
from nn_interpretability.data.foreign import foreign_pictures
from nn_interpretability.models import build_model
from nn_interpretability.models.weights import load_weights
from nn_interpretability.storage.hdf5 import Array, read_hdf5, write_hdf5
from nn_interpretability.storage.product import write_json
from nn_interpretability.study.measurements import write_measures
from nn_interpretability.study.numbers import entry
from nn_interpretability.uncertainty.evidential import opinion

SCHEMA = "evidence/1"
BLOCK = 250


@dataclass(frozen=True)
class Network:
    """A trained network and how its scores are to be read."""

    weights: Path | str
    architecture: str
    evidential: bool


@dataclass(frozen=True)
class Said:
    """What a network says of pictures: logits and probabilities ``(n, classes)``, uncertainty ``(n,)`` in [0, 1]."""

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
    seed: int,
    provenance: Mapping[str, Any],
) -> None:
    """Ask networks how sure they are, and measure how much that tells.

    Parameters
    ----------
    digits_h5, probe
        The digits, and one of them at several angles.
    networks
        By name; the first is the one that figures show.
    output
        What the figures show, schema ``evidence/1``.
    numbers_json
        Numbers for the report. Behind ``evidence.<name>.<network>.``: ``errors``, and ``auroc.<question>``, the area
        under the receiver operating characteristic of the uncertainty, 0.5 for one that knows nothing, for the
        question whether the class of the largest logit is wrong (``errors``; also where a network abstains, for an
        abstention that counted as an error would flatter it) and whether a picture is foreign (``turned``,
        ``shuffled``, ``other_source``); "none" where all are right, or all wrong. Behind ``evidence.<name>.``: ``n``
        and ``n.<question>``, the pictures of each kind.
    metrics_csv
        The same areas as rows of the table of measurements: ``auroc.<question>``.
    name
        Of the entry in the configuration.
    pictures
        Test pictures, and at most so many foreign ones of each kind.
    seed
        Of the shuffled pictures.
    provenance
        What makes the files.
    """
    turned = read_hdf5(probe, schema="probe/1")
    digits = digits_file.load(digits_h5)
    images, labels = digits.test_images[:pictures], torch.from_numpy(digits.test_labels[:pictures])
    foreign = foreign_pictures(digits, pictures, seed)
    source = f"evidence/{name}.h5"
    numbers: dict[str, Any] = {"n": entry(len(images), source=source)}
    numbers |= {f"n.{kind}": entry(len(found), source=source) for kind, found in foreign.items()}
    of_turned, measures = {}, {}
    for each, network in networks.items():
        model = load_weights(build_model(network.architecture), network.weights).eval()
        of_turned[each] = ask(model, torch.from_numpy(turned.arrays["images"].values), evidential=network.evidential)
        at_home = ask(model, _pixels(images), evidential=network.evidential)
        wrong = at_home.logits.argmax(1) != labels
        measured = {"errors": area(at_home.uncertainty, wrong)}
        for kind, found in foreign.items():
            abroad = ask(model, _pixels(found), evidential=network.evidential)
            uncertainty = torch.cat([at_home.uncertainty, abroad.uncertainty])
            measured[kind] = area(uncertainty, torch.arange(len(uncertainty)) >= len(images))
        measures[each] = {f"auroc.{kind}": value for kind, value in measured.items()}
        numbers[f"{each}.errors"] = entry(int(wrong.sum()), source=source)
        numbers |= {f"{each}.auroc.{kind}": entry(value, decimals=3, source=source) for kind, value in measured.items()}
    if "other_source" not in foreign:
        numbers |= {f"{each}.auroc.other_source": entry(None, source=source) for each in networks}
        numbers["n.other_source"] = entry(0, source=source)
    _write_turned(Path(output), turned, of_turned, networks, provenance)
    write_measures(measures, metrics_csv)
    write_json(numbers_json, {f"evidence.{name}.{key}": value for key, value in numbers.items()})


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


def area(uncertainty: Tensor, asked: Tensor) -> float | None:
    """Area under the receiver operating characteristic: chance that a picture asked for is less certain than another.

    Parameters
    ----------
    uncertainty
        Shape ``(n,)``; ties count one half.
    asked
        Which pictures are asked for, bool ``(n,)``.

    Returns
    -------
    float or None
        In [0, 1]; None if all are asked for, or none is.
    """
    if bool(asked.all()) or not bool(asked.any()):
        return None
    return float(roc_auc_score(asked.numpy(), uncertainty.numpy()))


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
