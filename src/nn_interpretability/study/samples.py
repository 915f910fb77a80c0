"""Samples of the generative models, and how good they are in the eyes of a classifier that they were not made for.

Layout of ``samples.h5`` (schema ``samples/1``): ``images`` float32 [sample, channel, y, x] in [0, 1] (of the RBM: the
last mean of each chain); ``probabilities`` float64 [sample, class], what the judge says of them; of the RBM also
``chain`` [step, channel, y, x], how the first chain got there, with the numbers of Gibbs steps as its scale.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn

from nn_interpretability.data.digits import load
from nn_interpretability.errors import ConfigError
from nn_interpretability.models.build import build_model
from nn_interpretability.models.generators import Generator
from nn_interpretability.models.rbm import GaussianRBM
from nn_interpretability.models.weights import load_weights
from nn_interpretability.storage.hdf5 import Array, write_hdf5
from nn_interpretability.storage.product import write_csv
from nn_interpretability.study.measurements import COLUMNS
from nn_interpretability.study.number_part import ANY, write_part
from nn_interpretability.study.numbers import Numbers, entry
from nn_interpretability.training.contrastive_divergence import reconstruction_error
from nn_interpretability.training.generative import CLASSES, load_generative_model
from nn_interpretability.training.loop import Progress, logits_of, resolve_device
from nn_interpretability.uncertainty.auroc import area

SCHEMA = "samples/1"
#: After how many Gibbs steps a chain is shown; the last is where samples are taken.
CHAIN_STEPS = (0, 1, 2, 5, 10, 20, 50, 100, 300, 1000)
#: Numbers that tell pictures of a density from others use at most so many test pictures.
TESTED = 1000

FloatArray = npt.NDArray[np.float64]


def sample_generative_models(
    digits_h5: Path | str,
    judge_weights: Path | str,
    weights: Mapping[str, Path | str],
    samples: Mapping[str, Path | str],
    metrics_csv: Path | str,
    numbers_json: Path | str,
    *,
    judge: str,
    architecture: str,
    count: int,
    chains: int,
    confidence: float,
    seeds: Mapping[str, int],
    device: str,
    provenance: Mapping[str, Any],
    keys: Sequence[str] = ANY,
    progress: Progress | None = None,
) -> None:
    """Draw samples of each model, and measure them.

    Parameters
    ----------
    digits_h5
        The digits; the test part is what samples are compared with.
    judge_weights
        Weights of a classifier that neither trained a generator nor is explained elsewhere.
    weights, samples
        Trained weights of each model, and the file that its samples go to.
    metrics_csv, numbers_json
        Measurements, and numbers for the text.
    judge, architecture
        Name of the judge in the configuration, and its architecture.
    count, chains
        Images to draw of a generator, and Markov chains to run of the RBM.
    confidence
        The judge accepts an image to which it gives a class with a higher probability, above 0 and below 1.
    seeds
        Seed of each model's codes or chains.
    device
        ``cpu``, ``cuda`` (an error where there is none) or ``auto``.
    provenance
        What makes the files.
    keys
        Of the numbers that the job declares.
    progress
        Called after each model with the models done and their total.

    Raises
    ------
    ConfigError
        If a setting is not allowed.
    DataError, BrokenProductError
        If weights do not fit their model, or an input is damaged.
    """
    if not (count >= 2 and chains >= 2 and 0 < confidence < 1):
        raise ConfigError(
            f"count is {count}, chains is {chains}, confidence is {confidence}; allowed are numbers from 2 up, and a "
            "confidence between 0 and 1."
        )
    where = resolve_device(device)
    digits = load(digits_h5)
    test = torch.from_numpy(digits.test_images).to(where)[:, None].float() / 255
    classifier = load_weights(build_model(architecture), judge_weights).to(where).eval()
    numbers: Numbers = {
        "judge": entry(judge, source="config"),
        "confidence": entry(100 * confidence, digits=2, unit="%", source="config"),
        "count": entry(count, source="config"),
        "chains": entry(chains, source="config"),
        "steps": entry(CHAIN_STEPS[-1], source="config"),
        "real.accepted": entry(
            100 * accepted(judged(classifier, test), confidence), decimals=1, unit="%", source="data/digits.h5"
        ),
    }
    rows: list[dict[str, Any]] = []
    for done, (name, path) in enumerate(weights.items(), start=1):
        model = load_generative_model(name, path).to(where)
        random = torch.Generator().manual_seed(seeds[name])
        arrays, images = _samples(model, count=count, chains=chains, random=random)
        probabilities = judged(classifier, images)
        write_hdf5(
            samples[name],
            {**arrays, "probabilities": Array(probabilities, ("sample", "class"))},
            schema=SCHEMA,
            params={"model": name, "judge": judge, "confidence": confidence, "data": digits.source},
            provenance=provenance,
            scales={"step": CHAIN_STEPS} if "chain" in arrays else {},
        )
        found = quality(images, probabilities, test, digits.test_labels, confidence)
        density = density_quality(model, test[:TESTED], random) if isinstance(model, GaussianRBM) else {}
        numbers |= _numbers(name, found, density)
        rows += _rows({"model": name, "seed": seeds[name]}, found, density)
        if progress is not None:
            progress(done, len(weights))
    types = {"class": "Int64", "image": "Int64", "seed": "Int64", "method": "string"}
    write_csv(metrics_csv, pd.DataFrame(rows, columns=list(COLUMNS)).astype(types))
    write_part(numbers_json, {f"generator.{key}": value for key, value in numbers.items()}, keys=keys)


@torch.no_grad()
def _samples(model: nn.Module, *, count: int, chains: int, random: torch.Generator) -> tuple[dict[str, Array], Tensor]:
    dims = ("sample", "channel", "y", "x")
    if isinstance(model, Generator):
        where = next(model.parameters()).device
        codes = torch.randn(count, model.latent_size, generator=random).to(where)
        images = logits_of(model, codes).to(where)
        return {"images": Array(images.cpu().numpy(), dims)}, images
    assert isinstance(model, GaussianRBM)
    shown, images = chains_from_noise(model, chains, random)
    arrays = {
        "images": Array(images.cpu().numpy(), dims),
        "chain": Array(shown.cpu().numpy(), ("step", "channel", "y", "x")),
    }
    return arrays, images


def chains_from_noise(rbm: GaussianRBM, chains: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Run chains that start at uniform noise.

    Returns
    -------
    shown, images
        The first chain after each of :data:`CHAIN_STEPS`, [step, 1, 28, 28], and all chains after the last, [chain, 1,
        28, 28]; the means that visible units are drawn around (the start: itself), clipped to [0, 1].
    """
    visible = torch.rand(chains, rbm.weight.shape[1], generator=random).to(rbm.weight)
    shown, mean = [visible[0]], visible
    for before, after in itertools.pairwise(CHAIN_STEPS):
        visible, mean = rbm.gibbs(visible, steps=after - before, generator=random)
        shown.append(mean[0])
    return torch.stack(shown).clamp(0, 1).view(-1, 1, 28, 28), mean.clamp(0, 1).view(-1, 1, 28, 28)


def judged(classifier: nn.Module, images: Tensor) -> FloatArray:
    """Probabilities [sample, class] that a classifier gives to images, from float64 softmax."""
    probabilities: FloatArray = logits_of(classifier, images).double().softmax(1).numpy()
    return probabilities


def accepted(probabilities: FloatArray, confidence: float) -> float:
    """Share of the rows with a probability above the confidence; 0 if there is no row."""
    return float((probabilities.max(1) > confidence).mean()) if len(probabilities) else 0.0


def quality(
    images: Tensor, probabilities: FloatArray, test: Tensor, labels: npt.NDArray[np.int64], confidence: float
) -> dict[str, Any]:
    """Measure how recognisable and how varied images are.

    Parameters
    ----------
    images, test
        Samples and real digits [sample, channel, y, x].
    probabilities
        What the judge says of the samples [sample, class].
    labels
        Classes of the real digits.
    confidence
        The judge accepts with more.

    Returns
    -------
    dict
        ``accepted``, the share that the judge accepts; ``share`` [class], how often it sees each class;
        ``accepted_of_class`` [class], the share of those that it accepts (0 where there is none); ``spread``, the mean
        distance of two samples of one class relative to that of two real digits of the class, averaged over the
        classes that the judge sees at least twice (1: as varied as real digits; 0: one image per class).
    """
    seen = probabilities.argmax(1)
    of_class = [probabilities[seen == c] for c in range(CLASSES)]
    flat, flat_test = images.flatten(1).double().cpu(), test.flatten(1).double().cpu()
    ratios = []
    for c in range(CLASSES):
        one, other = flat[torch.from_numpy(seen == c)], flat_test[torch.from_numpy(labels == c)][:TESTED]
        if len(one) > 1 and len(other) > 1:
            ratios.append(float(torch.pdist(one).mean() / torch.pdist(other).mean()))
    return {
        "accepted": accepted(probabilities, confidence),
        "share": [len(rows) / len(seen) for rows in of_class],
        "accepted_of_class": [accepted(rows, confidence) for rows in of_class],
        "spread": math.fsum(ratios) / max(1, len(ratios)),
    }


def not_digits(test: Tensor, random: torch.Generator) -> dict[str, Tensor]:
    """What a density of digits should find improbable: uniform noise, digits with shuffled pixels, and turned digits.

    ``noise``; ``shuffled``, each picture with an order of its own; ``turned``, by a quarter; ``mirrored``, upside down.
    The last two have strokes like digits, and some of them are digits.
    """
    flat = test.flatten(1)
    order = torch.rand(flat.shape, generator=random).argsort(1).to(flat.device)
    return {
        "noise": torch.rand(test.shape, generator=random).to(test),
        "shuffled": flat.gather(1, order).view_as(test),
        "turned": test.rot90(1, (2, 3)),
        "mirrored": test.flip(2),
    }


@torch.no_grad()
def density_quality(rbm: GaussianRBM, test: Tensor, random: torch.Generator) -> dict[str, float]:
    """Measure an RBM as a density of digits.

    Returns
    -------
    dict
        ``reconstruction_error`` of test digits; ``auroc.<what>``: how well the free energy tells them from each of
        :func:`not_digits`, 1 for always, 0.5 for not at all.
    """
    real = rbm.free_energy(test).double().cpu().numpy()
    found = {"reconstruction_error": float(reconstruction_error(rbm, test).double().mean())}
    for name, images in not_digits(test, random).items():
        energies = np.concatenate([real, rbm.free_energy(images).double().cpu().numpy()])
        told_apart = area(energies, np.arange(len(energies)) >= len(real))
        assert told_apart is not None  # there are pictures of both kinds
        found[f"auroc.{name}"] = told_apart
    return found


def _numbers(name: str, found: Mapping[str, Any], density: Mapping[str, float]) -> Numbers:
    source = f"generators/{name}/samples.h5"
    share, of_class = found["share"], found["accepted_of_class"]
    worst, rarest, commonest = int(np.argmin(of_class)), int(np.argmin(share)), int(np.argmax(share))
    per_cent: dict[str, Any] = {"unit": "%", "source": source}
    numbers = {
        "accepted": entry(100 * found["accepted"], decimals=1, **per_cent),
        "accepted.worst": entry(100 * of_class[worst], decimals=0, **per_cent),
        "accepted.worst.class": entry(worst, source=source),
        "share.smallest": entry(100 * share[rarest], decimals=1, **per_cent),
        "share.smallest.class": entry(rarest, source=source),
        "share.largest": entry(100 * share[commonest], decimals=1, **per_cent),
        "share.largest.class": entry(commonest, source=source),
        "spread": entry(100 * found["spread"], decimals=0, **per_cent),
    }
    decimals = {"reconstruction_error": 4}
    numbers |= {key: entry(value, decimals=decimals.get(key, 3), source=source) for key, value in density.items()}
    return {f"{name}.{key}": value for key, value in numbers.items()}


def _rows(identity: Mapping[str, Any], found: Mapping[str, Any], density: Mapping[str, float]) -> list[dict[str, Any]]:
    single = {f"samples.{key}": found[key] for key in ("accepted", "spread")} | dict(density)
    rows = [{**identity, "metric": metric, "value": value} for metric, value in single.items()]
    for key in ("share", "accepted_of_class"):
        rows += [{**identity, "class": c, "metric": f"samples.{key}", "value": v} for c, v in enumerate(found[key])]
    return rows
